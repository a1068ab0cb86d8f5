"""Own the ROC curve of labelled scores: its points, TAR at an FPR under three rules, the area. Draws no plot.

Scores are similarities: higher means more alike. Equal scores are one threshold, so the curve has a point at every
distinct score and at (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.scores import labelled

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""FPR and TPR, float64 [K] each, both rising from 0 to 1."""

Rule = Literal["nearest", "nearest_exact", "at_most"]
"""Which point of the curve stands for a target FPR."""


def roc_points(scores: ArrayLike, is_same: ArrayLike, *, thinned: bool = False) -> Points:
    """Return the points of the ROC curve from (0, 0) to (1, 1).

    Args:
        scores: similarities [N].
        is_same: bool [N].
        thinned: leave out points in line with their neighbours, exactly those that scikit-learn's ``roc_curve`` drops.

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
    """
    false_accepts, true_accepts = _accepts(scores, is_same)
    if thinned:
        kept = _corners(false_accepts, true_accepts)
        false_accepts, true_accepts = false_accepts[kept], true_accepts[kept]
    return false_accepts / false_accepts[-1], true_accepts / true_accepts[-1]


def tar_at_fpr(scores: ArrayLike, is_same: ArrayLike, fprs: Sequence[float], *, rule: Rule) -> dict[float, float]:
    """Return the true accept rate at each target false positive rate.

    Args:
        scores: similarities [N].
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
    if rule not in get_args(Rule):
        raise ValueError(f"unknown rule {rule!r}: use one of {', '.join(get_args(Rule))}")
    outside = [target for target in fprs if not 0 < target <= 1]
    if outside:
        raise ValueError(f"target FPR must be above 0 and at most 1 (got {', '.join(map(str, outside))})")
    fpr, tpr = roc_points(scores, is_same, thinned=rule == "nearest")
    point = _last_not_above if rule == "at_most" else _last_nearest
    return {target: float(tpr[point(fpr, target)]) for target in fprs}


def auc(scores: ArrayLike, is_same: ArrayLike) -> float:
    """Return the area under the ROC curve by the trapezoid rule: the chance that a same pair scores higher, ties half.

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
    """
    false_accepts, true_accepts = _accepts(scores, is_same)
    doubled_area = np.sum(np.diff(false_accepts) * (true_accepts[1:] + true_accepts[:-1]))
    return float(doubled_area / (2 * false_accepts[-1] * true_accepts[-1]))


def _accepts(scores: ArrayLike, is_same: ArrayLike) -> tuple[IntArray, IntArray]:
    """Count false and true accepts with no pair accepted and at every distinct score downwards."""
    values, same = labelled(scores, is_same)
    if same.all() or not same.any():
        raise DataError(f"all {len(same)} pairs are {'same' if same.all() else 'different'}: a ROC curve needs both")
    order = np.argsort(-values)
    last_of_its_score = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)
    true_accepts = np.cumsum(same[order], dtype=np.int64)[last_of_its_score]
    false_accepts = last_of_its_score + 1 - true_accepts
    return np.append(0, false_accepts), np.append(0, true_accepts)


def _corners(false_accepts: IntArray, true_accepts: IntArray) -> NDArray[np.bool_]:
    """Mark the points that scikit-learn keeps: both ends, and where a second difference is not zero.

    The point (0, 0) takes no part in the differences, since scikit-learn adds it afterwards.
    """
    kept = np.ones(len(false_accepts), dtype=np.bool_)
    kept[2:-1] = (np.diff(false_accepts[1:], 2) != 0) | (np.diff(true_accepts[1:], 2) != 0)
    return kept


def _last_nearest(fpr: NDArray[np.float64], target: float) -> int:
    return len(fpr) - 1 - int(np.argmin(np.abs(fpr - target)[::-1]))


def _last_not_above(fpr: NDArray[np.float64], target: float) -> int:
    return int(np.searchsorted(fpr, target, side="right")) - 1
