"""Own the named conventions of public evaluators: which settings belong together. Computes no metric.

What each does was read in their code (see the table in the README): the words "N0/N1" are inverted between two scripts
of insightface, so the settings are named here by what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from faceassay_protocols.roc import Rule
from faceassay_protocols.wording import flip_word

ConventionName = Literal["insightface_eval_ijbc", "adaface", "cvlface", "tface", "facexzoo", "all"]
"""A convention by name; ``all`` stands for every one."""
AccuracyRule = Literal["grid-0.01", "train-range-1000"]
"""How k-fold accuracy finds its threshold; see `verification` and `range_thresholds`."""


@dataclass(frozen=True)
class Convention:
    """Set everything that public evaluators do differently with the same embeddings.

    Attributes:
        name: part of every metric identity; empty for the settings of a protocol that has no convention.
        flip: add the raw embedding of the mirrored image, in templates and galleries.
        flip_pairs: the same on the pair sets; TFace does so there and not on IJB.
        keep_norm: templates average raw embeddings; otherwise unit ones (normalised after the flip sum).
        detector_score: templates weight each image by the score of the face detector.
        accuracy: how k-fold accuracy finds its threshold.
        rule: which point of the ROC curve stands for a target FPR.
        identification: whether the evaluator has a protocol of that kind at all.
    """

    name: str
    flip: bool
    flip_pairs: bool = True
    keep_norm: bool = False
    detector_score: bool = False
    accuracy: AccuracyRule = "grid-0.01"
    rule: Rule = "nearest"
    identification: bool = False

    def pair_words(self, head: str, definition: str = "") -> str:
        """Return the identity of a metric on pairs of images: ``head`` and how it was computed."""
        return "/".join(part for part in (head, self.name, definition, flip_word(self.flip_pairs)) if part)

    def template_words(self, head: str, dtype: str) -> str:
        """Return the identity of a metric on pairs of templates."""
        norm = "norm-kept" if self.keep_norm else "norm-one"
        detector = "det" if self.detector_score else "no-det"
        return "/".join((head, self.name, self.rule, flip_word(self.flip), norm, detector, dtype))


NAMED: Mapping[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention("insightface_eval_ijbc", flip=True, keep_norm=True, detector_score=True),
        Convention("adaface", flip=True, keep_norm=True, identification=True),
        Convention("cvlface", flip=True, detector_score=True, identification=True),
        Convention("tface", flip=False),
        Convention("facexzoo", flip=False, flip_pairs=False, detector_score=True, accuracy="train-range-1000"),
    )
}
"""The conventions of public code."""
REST_OF_THE_GRID = (
    Convention("keep_det_noflip", flip=False, keep_norm=True, detector_score=True),
    Convention("one_nodet_flip", flip=True),
    Convention("keep_nodet_noflip", flip=False, keep_norm=True),
)
"""The template settings that no public evaluator uses by default; with the named ones they are all eight."""


def chosen(names: Iterable[str], *, grid: bool = False) -> tuple[Convention, ...]:
    """Return the conventions of ``names`` in their order, each once; with ``grid``, ``all`` is all eight settings."""
    names = tuple(names)
    if "all" in names:
        return (*NAMED.values(), *(REST_OF_THE_GRID if grid else ()))
    return tuple(NAMED[name] for name in dict.fromkeys(names))
