"""Own what a pack of pairs is worth under conventions: metrics, their intervals, the scores behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Curve, DataError, Evaluation, Fact, Features, IntArray, Interval
from faceassay_protocols.all_pairs import compare_all, replicated
from faceassay_protocols.conventions import AccuracyRule, Convention
from faceassay_protocols.embeddings import combined, squared_distances, unit_rows
from faceassay_protocols.merging import merged
from faceassay_protocols.packs import PairPack
from faceassay_protocols.range_thresholds import range_threshold_accuracy
from faceassay_protocols.roc import auc, roc_points, tar_at_fpr
from faceassay_protocols.scores import ALL_ALIKE, all_alike
from faceassay_protocols.uncertainty.accuracy import FoldAccuracyMetric, RangeAccuracyMetric
from faceassay_protocols.uncertainty.curve import AucMetric, TarMetric
from faceassay_protocols.uncertainty.intervals import extreme_intervals, percentile_intervals, resolution_caution
from faceassay_protocols.uncertainty.replicates import pair_replicates
from faceassay_protocols.uncertainty.weights import PairMetric, PairScores
from faceassay_protocols.verification import FoldAccuracy, ten_fold_accuracy
from faceassay_protocols.wording import flip_word, scientific

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PairSettings:
    """Say which metrics a protocol computes of its pairs.

    Attributes:
        folds: number of folds, part of the identity of an accuracy.
        conventions: each gives every metric once.
        fprs: rates at which TAR is read.
        area: whether the area under the curve is a metric.
        all_pairs_fprs: rates at which TAR over all pairs of the images is read.
        replicates: bootstrap replicates behind the intervals; 0 for none.
    """

    folds: int
    conventions: tuple[Convention, ...]
    fprs: tuple[float, ...] = ()
    area: bool = False
    all_pairs_fprs: tuple[float, ...] = ()
    replicates: int = 1000

    def metrics(self, convention: Convention) -> Iterator[tuple[str, PairMetric]]:
        """Yield the identity of each metric and what measures it on weighted pairs."""
        grid = convention.accuracy == "grid-0.01"
        accuracy = convention.pair_words(f"accuracy:{self.folds}fold", convention.accuracy)
        yield accuracy, FoldAccuracyMetric() if grid else RangeAccuracyMetric()
        for rate in dict.fromkeys(self.fprs):
            tar = convention.pair_words(f"tar_at_fpr:{scientific(rate)}", convention.rule)
            yield tar, TarMetric(rate, convention.rule)
        if self.area:
            yield convention.pair_words("auc"), AucMetric()

    def ids(self) -> tuple[str, ...]:
        """Return the identities of all metrics, in order."""
        return tuple(name for convention in self.conventions for name in self.ids_under(convention))

    def ids_under(self, convention: Convention) -> tuple[str, ...]:
        """Return the identities of the metrics of one convention."""
        return (*(name for name, _ in self.metrics(convention)), *self.all_pairs(convention).values())

    def all_pairs(self, convention: Convention) -> Mapping[float, str]:
        """Return the identity of TAR over all pairs at each rate."""
        return {
            rate: convention.pair_words(f"tar_at_fpr:{scientific(rate)}", "all-pairs/at_most")
            for rate in dict.fromkeys(self.all_pairs_fprs)
        }


def evaluate_pairs(pack: PairPack, features: Features, settings: PairSettings) -> Evaluation:
    """Compute the metrics of ``settings`` from the embeddings of the images of ``pack``.

    Keeps per pair ``distances-FLIP`` (squared, of unit vectors, 0 to 4), ``is_same``, ``fold`` and, where the pack
    knows them, ``first_identity`` and ``second_identity`` (indices into its people); per fold
    ``fold_accuracy-RULE-FLIP`` and ``fold_threshold-RULE-FLIP``; and the ``replicates`` of all metrics.

    Raises:
        DataError: when the features do not belong to the pack, or an embedding is NaN or zero (names the images).
    """
    parts = []
    for convention in settings.conventions:
        unit = unit_rows(combined(features, flip=convention.flip_pairs, names=pack.names))
        parts.append(_under(convention, pack, unit, settings))
        if settings.all_pairs_fprs:
            parts.append(_over_all_pairs(convention, pack, unit, settings))
    return merged(parts)


def _under(convention: Convention, pack: PairPack, unit: Values, settings: PairSettings) -> Evaluation:
    distances = squared_distances(unit, pack.first, pack.second)
    accuracy, flip = fold_accuracy(distances, pack, convention.accuracy), flip_word(convention.flip_pairs)
    identities, measures = zip(*settings.metrics(convention), strict=True)
    scores = _pair_scores(pack, -distances)
    drawn = pair_replicates(scores, measures, settings.replicates)
    population = "pairs" if pack.identity is None else "identities"
    bootstrap = percentile_intervals(drawn, population) if settings.replicates else [None] * len(measures)
    fpr, tpr = roc_points(scores.similarities, pack.is_same, thinned=True)
    return Evaluation(
        metrics={name: _value(one, scores, accuracy) for name, one in zip(identities, measures, strict=True)},
        scores={
            f"distances-{flip}": distances,
            f"fold_accuracy-{convention.accuracy}-{flip}": accuracy.fold_accuracy,
            f"fold_threshold-{convention.accuracy}-{flip}": accuracy.fold_threshold,
            "is_same": pack.is_same,
            "fold": pack.fold,
            **_people(pack),
            "replicates": drawn,
        },
        curves={"roc": Curve(fpr, tpr, "false positive rate", "true accept rate", log_x=True)},
        notes=_notes(convention, accuracy, population),
        intervals={
            name: [*([first] if first else []), *_exact(one, scores)]
            for name, one, first in zip(identities, measures, bootstrap, strict=True)
        },
        cautions=dict(_cautions(identities, measures, distances, pack)),
    )


def _over_all_pairs(convention: Convention, pack: PairPack, unit: Values, settings: PairSettings) -> Evaluation:
    if pack.identity is None:
        raise DataError("TAR over all pairs needs to know who is in each image: give the native files, not a .bin pack")
    names = settings.all_pairs(convention)
    rates, everyone = list(names), np.ones((1, len(pack.people)), dtype=np.int64)
    pairs = compare_all(unit, pack.identity, len(pack.people), rates)
    drawn = replicated(pairs, rates, settings.replicates)
    bootstrap = percentile_intervals(drawn, "identities") if settings.replicates else []
    general = ALL_ALIKE if all_alike(np.append(pairs.same, pairs.highest)) else None
    cautions = {names[rate]: general or resolution_caution(rate, pairs.impostors) for rate in rates}
    return Evaluation(
        metrics={names[rate]: float(pairs.tar(rate, everyone)[0]) for rate in rates},
        scores={
            f"all_same-{flip_word(convention.flip_pairs)}": pairs.same,
            f"all_highest_different-{flip_word(convention.flip_pairs)}": pairs.highest,
            "replicates": drawn,
        },
        notes={"all_same_pairs": len(pairs.same), "all_different_pairs": pairs.impostors},
        intervals={
            names[rate]: [*bootstrap[i : i + 1], *pairs.false_accept_interval(rate)] for i, rate in enumerate(rates)
        },
        cautions={name: caution for name, caution in cautions.items() if caution},
    )


def fold_accuracy(distances: Values, pack: PairPack, rule: AccuracyRule) -> FoldAccuracy:
    """Return the accuracy on the pack's own folds under ``rule``; FaceX-Zoo's thresholds are cosines."""
    if rule == "grid-0.01":
        return ten_fold_accuracy(distances, pack.is_same, folds=pack.fold)
    return range_threshold_accuracy(1 - distances / 2, pack.is_same, pack.fold)


def _value(measure: PairMetric, scores: PairScores, accuracy: FoldAccuracy) -> float:
    match measure:
        case TarMetric(fpr, rule):
            return tar_at_fpr(scores.similarities, scores.is_same, [fpr], rule=rule)[fpr]
        case AucMetric():
            return auc(scores.similarities, scores.is_same)
        case _:
            return accuracy.mean


def _exact(measure: PairMetric, scores: PairScores) -> list[Interval]:
    if not isinstance(measure, TarMetric):
        return []
    return extreme_intervals(scores.similarities, scores.is_same, [measure.fpr], measure.rule)[measure.fpr]


def _cautions(
    names: Sequence[str], measures: Sequence[PairMetric], distances: Values, pack: PairPack
) -> Iterator[tuple[str, str]]:
    general, impostors = ALL_ALIKE if all_alike(distances) else None, int((~pack.is_same).sum())
    for name, measure in zip(names, measures, strict=True):
        caution = general or (resolution_caution(measure.fpr, impostors) if isinstance(measure, TarMetric) else None)
        if caution:
            yield name, caution


def _notes(convention: Convention, accuracy: FoldAccuracy, population: str) -> dict[str, Fact]:
    folds, name = len(accuracy.fold_accuracy), convention.name or "this protocol"
    return {
        f"fold_std ({name})": accuracy.std,
        f"fold_standard_error ({name})": float(accuracy.fold_accuracy.std(ddof=1)) / math.sqrt(folds),
        "interval_population": population,
    }


def _pair_scores(pack: PairPack, similarities: Values) -> PairScores:
    return PairScores(similarities, pack.is_same, pack.fold, *_people(pack).values())


def _people(pack: PairPack) -> dict[str, IntArray]:
    if pack.identity is None:
        return {}
    return {"first_identity": pack.identity[pack.first], "second_identity": pack.identity[pack.second]}
