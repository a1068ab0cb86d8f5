"""Own what a pack of templates is worth under conventions: TAR at FPRs, intervals, the scores behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Curve, DataError, Evaluation, Features, IntArray, Interval
from faceassay_protocols.conventions import Convention
from faceassay_protocols.embeddings import Precision, mirrored
from faceassay_protocols.merging import merged
from faceassay_protocols.packs import TemplatePack
from faceassay_protocols.roc import tar_at_fpr
from faceassay_protocols.scores import ALL_ALIKE, all_alike
from faceassay_protocols.templates import pool_templates, score_pairs
from faceassay_protocols.uncertainty.curve import TarMetric
from faceassay_protocols.uncertainty.intervals import extreme_intervals, percentile_intervals, resolution_caution
from faceassay_protocols.uncertainty.replicates import pair_replicates
from faceassay_protocols.uncertainty.subjects import people_of_pairs, subjects_of_templates
from faceassay_protocols.uncertainty.weights import PairScores
from faceassay_protocols.wording import scientific

HIGHEST_IMPOSTORS = 20_000
CURVE_FPRS = tuple(float(rate) for rate in np.logspace(-6, -1, 51))


@dataclass(frozen=True)
class TemplateSettings:
    """Say which metrics a protocol computes of its templates.

    Attributes:
        conventions: each gives TAR at every rate.
        fprs: the rates.
        dtype: what scores are computed in; part of the metric's identity.
        replicates: bootstrap replicates behind the intervals; 0 for none.
    """

    conventions: tuple[Convention, ...]
    fprs: tuple[float, ...]
    dtype: Precision
    replicates: int

    def ids(self) -> tuple[str, ...]:
        """Return the identities of all metrics, in order."""
        return tuple(name for convention in self.conventions for name in self.names(convention).values())

    def names(self, convention: Convention) -> Mapping[float, str]:
        """Return the identity of the metric at each rate."""
        return {
            rate: convention.template_words(f"tar_at_fpr:{scientific(rate)}", self.dtype)
            for rate in dict.fromkeys(self.fprs)
        }


def evaluate_templates(pack: TemplatePack, features: Features, settings: TemplateSettings) -> Evaluation:
    """Compute the metrics of ``settings`` from the embeddings of the images of ``pack``.

    Keeps for each convention ``genuine-NAME`` (scores of the genuine pairs in their order) and the highest impostors,
    ``impostors-NAME`` with the rows of their pairs, ``impostor_pairs-NAME``: at 1e-6 their labels are worth a look.
    All scores would take 125 MB for each; they can be had again from the features in seconds.

    Raises:
        DataError: when the features do not belong to the pack, an embedding is NaN or zero (names the images), or a
            convention needs detector scores or mirrored images that are not there.
    """
    people = _people(pack)
    parts = []
    for convention in settings.conventions:
        try:
            parts.append(_under(convention, pack, features, settings, people))
        except DataError as error:
            raise DataError(f"convention {convention.name}: {error}") from error
    return merged(parts)


def _under(
    convention: Convention,
    pack: TemplatePack,
    features: Features,
    settings: TemplateSettings,
    people: tuple[IntArray, IntArray],
) -> Evaluation:
    scores = template_scores(pack, features, convention, settings.dtype)
    names, rates = settings.names(convention), list(settings.names(convention))
    tars = tar_at_fpr(scores, pack.is_same, rates, rule=convention.rule)
    labelled = PairScores(np.asarray(scores, dtype=np.float64), np.asarray(pack.is_same), None, *people)
    measures = [TarMetric(rate, convention.rule) for rate in rates]
    drawn = pair_replicates(labelled, measures, settings.replicates)
    impostors = int((~pack.is_same).sum())
    population = "subjects" if pack.subjects else "templates that genuine pairs join"
    general = ALL_ALIKE if all_alike(scores) else None
    cautions = {names[rate]: general or resolution_caution(rate, impostors) for rate in rates}
    return Evaluation(
        metrics={names[rate]: tars[rate] for rate in rates},
        scores={**_kept(scores, pack.is_same, convention.name), "replicates": drawn},
        curves={"roc": _curve(scores, pack.is_same)},
        notes={"interval_population": population},
        intervals=_intervals(labelled, drawn, population, names, convention),
        cautions={name: caution for name, caution in cautions.items() if caution},
    )


def template_scores(
    pack: TemplatePack, features: Features, convention: Convention, dtype: Precision
) -> NDArray[np.floating]:
    """Return the score of every listed pair of templates under ``convention``, float64 or float32 [P].

    Raises:
        DataError: when the convention needs what is not there, or an embedding cannot be used.
    """
    if len(features.embeddings) != len(pack):
        raise DataError(
            f"{len(features.embeddings)} embeddings for the {len(pack)} images of the pack: embed them again"
        )
    if convention.detector_score and pack.detector_scores is None:
        raise DataError(
            "images are weighted by the detector's score, and the pack has none: restore meta/..._name_5pts_score.txt, "
            "or choose adaface or tface"
        )
    templates = pool_templates(
        features.embeddings,
        pack.template_ids,
        pack.media_ids,
        flipped=mirrored(features) if convention.flip else None,
        detector_scores=pack.detector_scores if convention.detector_score else None,
        keep_norm=convention.keep_norm,
        dtype=dtype,
        names=pack.names,
    )
    return score_pairs(templates, pack.first_ids, pack.second_ids, dtype=dtype)


def _people(pack: TemplatePack) -> tuple[IntArray, IntArray]:
    """Return the subjects of both templates of each pair."""
    subjects = pack.subjects or subjects_of_templates(pack.first_ids, pack.second_ids, np.asarray(pack.is_same))
    return people_of_pairs(subjects, pack.first_ids, pack.second_ids)


def _intervals(
    scores: PairScores,
    replicates: NDArray[np.float64],
    population: str,
    names: Mapping[float, str],
    convention: Convention,
) -> dict[str, list[Interval]]:
    exact = extreme_intervals(scores.similarities, scores.is_same, list(names), convention.rule)
    bootstrap = percentile_intervals(replicates, population) if len(replicates) else []
    first = {name: bootstrap[i : i + 1] for i, name in enumerate(names.values())}
    return {name: [*first[name], *exact[rate]] for rate, name in names.items()}


def _kept(scores: NDArray[np.floating], is_same: NDArray[np.bool_], name: str) -> dict[str, NDArray[np.generic]]:
    impostors = np.flatnonzero(~is_same)
    of_impostors = scores[impostors]
    count = min(HIGHEST_IMPOSTORS, len(impostors))
    highest = np.argpartition(of_impostors, len(impostors) - count)[len(impostors) - count :]
    highest = highest[np.argsort(-of_impostors[highest], kind="stable")]
    return {
        f"genuine-{name}": scores[is_same],
        f"impostors-{name}": of_impostors[highest],
        f"impostor_pairs-{name}": impostors[highest],
    }


def _curve(scores: NDArray[np.floating], is_same: NDArray[np.bool_]) -> Curve:
    tars = tar_at_fpr(scores, is_same, CURVE_FPRS, rule="nearest_exact")
    rates = np.array(list(tars))
    return Curve(rates, np.array(list(tars.values())), "false positive rate", "true accept rate", log_x=True)
