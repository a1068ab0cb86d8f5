"""Own the ROC curve of labelled scores: its points, TAR at an FPR under three rules, the area. Draws no plot.

Scores are similarities: higher means more alike. Equal scores are one threshold, so the curve has a point at every
distinct score and at (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.blockwise import ascending
from faceassay_protocols.scores import labelled

LOOK_AHEAD = 16
"""Scores of each class beyond the largest target that are looked at before all are."""
SAMPLE = 2**17
"""Scores drawn to guess how far down the largest target lies."""
DEEPER = 1.5
"""Times the largest target: how far down the second look goes."""

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""FPR and TPR, float64 [K] each, both rising from 0 to 1."""

Rule = Literal["nearest", "nearest_exact", "at_most"]
"""Which point of the curve stands for a target FPR."""


@dataclass(frozen=True)
class OperatingPoint:
    """Hold the point of the ROC curve that stands for a target.

    Attributes:
        target: the false positive rate that was asked for.
        fpr, tar: the rates at the point, 0 to 1.
        false_accepts, true_accepts: impostor and genuine pairs accepted.
        impostors, genuine: pairs of each class.
        threshold: the lowest accepted score; infinity where no pair is accepted.
    """

    target: float
    fpr: float
    tar: float
    false_accepts: int
    true_accepts: int
    impostors: int
    genuine: int
    threshold: float


def operating_points(
    scores: ArrayLike, is_same: ArrayLike, fprs: Sequence[float], *, rule: Rule
) -> Sequence[OperatingPoint]:
    """Return the point of the ROC curve that stands for each target false positive rate, in the order of ``fprs``.

    Only the scores down to a little beyond the largest target are sorted, or all of them where that does not settle
    which points are nearest; the result is that of the whole curve.

    Args:
        scores: similarities [N]; float32 stay float32.
        is_same: bool [N].
        fprs: target rates, above 0 and up to 1.
        rule: ``nearest`` takes the point nearest to the target on the curve that scikit-learn's ``roc_curve`` returns
            by default, which leaves points out (the IJB evaluation of insightface and its descendants);
            ``nearest_exact`` does so on the full curve; both take the larger TAR on ties and may exceed the target.
            ``at_most`` takes the largest TAR whose FPR is not above the target (NIST, bob).

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
        ValueError: when the rule is unknown or a target is outside (0, 1].
    """
    _require_known(rule, fprs)
    values, same = _two_classes(scores, is_same)
    if not len(fprs):
        return []
    for cut in _cuts(values, same, max(fprs)):
        curve = _curve(values, same, cut, thinned=rule == "nearest")
        found = [_index(curve.fpr, target, rule) for target in fprs]
        if curve.whole or all(map(curve.settles, found, fprs)):
            break
    return [curve.point(index, target) for index, target in zip(found, fprs, strict=True)]


def tar_at_fpr(scores: ArrayLike, is_same: ArrayLike, fprs: Sequence[float], *, rule: Rule) -> dict[float, float]:
    """Return the true accept rate at each target false positive rate; see `operating_points`."""
    return {point.target: point.tar for point in operating_points(scores, is_same, fprs, rule=rule)}


def roc_points(scores: ArrayLike, is_same: ArrayLike, *, thinned: bool = False) -> Points:
    """Return the points of the ROC curve from (0, 0) to (1, 1).

    Args:
        scores: similarities [N].
        is_same: bool [N].
        thinned: leave out points in line with their neighbours, exactly those that scikit-learn's ``roc_curve`` drops.

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
    """
    curve = _curve(*_two_classes(scores, is_same), -np.inf, thinned=thinned)
    return curve.fpr, curve.true_accepts / curve.genuine


def auc(scores: ArrayLike, is_same: ArrayLike) -> float:
    """Return the area under the ROC curve by the trapezoid rule: the chance that a same pair scores higher, ties half.

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
    """
    values, same = _two_classes(scores, is_same)
    genuine, impostors = ascending(values[same]), ascending(values[~same])
    doubled_wins = sum(int(np.searchsorted(impostors, genuine, side=side).sum()) for side in ("left", "right"))
    return doubled_wins / (2 * len(genuine) * len(impostors))


@dataclass(frozen=True, eq=False)
class _Curve:
    """Hold points of a ROC curve from (0, 0) on: int64 [K] counts, the lowest accepted scores [K], the class sizes.

    ``whole`` says that the curve reaches (1, 1).
    """

    false_accepts: IntArray
    true_accepts: IntArray
    thresholds: NDArray[np.floating]
    impostors: int
    genuine: int
    whole: bool

    @property
    def fpr(self) -> NDArray[np.float64]:
        return self.false_accepts / self.impostors

    def settles(self, index: int, target: float) -> bool:
        """Say whether all points from the last one on are farther from ``target`` than the one at ``index``."""
        fpr = self.fpr
        return bool(fpr[-1] - target > abs(fpr[index] - target))

    def point(self, index: int, target: float) -> OperatingPoint:
        false_accepts, true_accepts = int(self.false_accepts[index]), int(self.true_accepts[index])
        fpr, tar = false_accepts / self.impostors, true_accepts / self.genuine
        threshold = float(self.thresholds[index])
        return OperatingPoint(target, fpr, tar, false_accepts, true_accepts, self.impostors, self.genuine, threshold)


def _curve(values: NDArray[np.floating], same: NDArray[np.bool_], cut: float, *, thinned: bool) -> _Curve:
    """Return the points of the curve whose thresholds are at least ``cut``.

    Of a thinned curve that is not whole the last point may be one that would be left out; see `_Curve.settles`.
    """
    seen = values >= cut
    whole, genuine = bool(seen.all()), int(np.count_nonzero(same))
    thresholds, false_accepts, true_accepts = _accepts(values[seen], same[seen])
    if thinned:
        kept = _corners(false_accepts, true_accepts)
        thresholds, false_accepts, true_accepts = thresholds[kept], false_accepts[kept], true_accepts[kept]
    return _Curve(false_accepts, true_accepts, thresholds, len(same) - genuine, genuine, whole)


def _accepts(values: NDArray[np.floating], same: NDArray[np.bool_]) -> tuple[NDArray[np.floating], IntArray, IntArray]:
    """Return infinity and every distinct score downwards, with the false and true accepts from each up, int64 [K]."""
    ordered = ascending(values)
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    distinct = ordered[is_first]
    accepts = np.append(len(ordered) - np.flatnonzero(is_first), 0)[::-1]
    at = np.searchsorted(distinct, np.sort(values[same]))
    true_accepts = np.append(0, np.cumsum(np.bincount(at, minlength=len(distinct))[::-1]))
    return np.append(np.inf, distinct[::-1]), accepts - true_accepts, true_accepts


def _corners(false_accepts: IntArray, true_accepts: IntArray) -> NDArray[np.bool_]:
    """Mark the points that scikit-learn keeps: both ends, and where a second difference is not zero.

    The point (0, 0) takes no part in the differences, since scikit-learn adds it afterwards.
    """
    kept = np.ones(len(false_accepts), dtype=np.bool_)
    kept[2:-1] = (np.diff(false_accepts[1:], 2) != 0) | (np.diff(true_accepts[1:], 2) != 0)
    return kept


def _cuts(values: NDArray[np.floating], same: NDArray[np.bool_], largest: float) -> Iterator[float]:
    """Yield the score down to which the curve most likely settles the ``largest`` target, one deeper, minus infinity.

    They are guessed from a sample, with five standard deviations to spare. Thinning keeps points beside genuine pairs,
    so some of those beyond the target are taken in; where there are none, only ties keep points, and the nearest one
    may lie deeper.
    """
    genuine = values[same]
    draws = np.random.default_rng(0).integers(len(values), size=SAMPLE)
    sample = np.sort(values if len(values) <= SAMPLE else values[draws])
    for depth in (largest, DEEPER * largest):
        expected = (depth * (len(values) - len(genuine)) + len(genuine)) * len(sample) / len(values)
        rank = int(np.ceil(expected + 5 * np.sqrt(expected) * (len(sample) < len(values)))) + LOOK_AHEAD
        if rank < len(sample):
            cut = sample[-rank]
            below = np.sort(genuine[genuine < cut])[::-1][:LOOK_AHEAD]
            yield float(below[-1] if len(below) else cut)
    yield -np.inf


def _index(fpr: NDArray[np.float64], target: float, rule: Rule) -> int:
    if rule == "at_most":
        return int(np.searchsorted(fpr, target, side="right")) - 1
    return len(fpr) - 1 - int(np.argmin(np.abs(fpr - target)[::-1]))


def _require_known(rule: Rule, fprs: Sequence[float]) -> None:
    if rule not in get_args(Rule):
        raise ValueError(f"unknown rule {rule!r}: use one of {', '.join(get_args(Rule))}")
    outside = [target for target in fprs if not 0 < target <= 1]
    if outside:
        raise ValueError(f"target FPR must be above 0 and at most 1 (got {', '.join(map(str, outside))})")


def _two_classes(scores: ArrayLike, is_same: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    values, same = labelled(scores, is_same)
    if same.all() or not same.any():
        label = "same" if same.all() else "different"
        raise DataError(f"all {len(same)} pairs are {label}: a ROC curve needs both; restore the list of pairs")
    return values, same
