"""Own k-fold accuracies on weighted pairs. Unweighted: see `verification` and `range_thresholds`.

A replicate may leave a fold without weight, or without anything to choose its threshold on: such a fold is left out of
the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.range_thresholds import candidates
from faceassay_protocols.uncertainty.curve import share
from faceassay_protocols.uncertainty.weights import PairScores, Ranked, Values, Weights
from faceassay_protocols.verification import GRID_END, GRID_STEP

Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class FoldAccuracyMetric:
    """Measure the k-fold accuracy of `verification.ten_fold_accuracy` on similarities that are negative distances.

    Attributes:
        thresholds: candidate squared distances in order of preference, float64 [T]; None for 0 to 4 in steps of 0.01.
    """

    thresholds: Values | None = None

    def on(self, scores: PairScores) -> Callable[[Weights], Values]:
        """Return the measure of ``scores``.

        Raises:
            DataError: when the scores have no folds.
        """
        grid = np.arange(0, GRID_END, GRID_STEP) if self.thresholds is None else self.thresholds
        folds = [_Part(scores, held_out) for held_out in _folds(scores)]

        def measure(weights: Weights) -> Values:
            correct, whole = _stacked(fold.correct(weights, -grid, "right") for fold in folds)
            best = np.argmax(correct.sum(axis=0) - correct, axis=2)
            return _mean_of_folds(_taken(correct, best), whole, whole.sum(axis=0) > whole)

        return measure


@dataclass(frozen=True)
class RangeAccuracyMetric:
    """Measure the k-fold accuracy of `range_thresholds.range_threshold_accuracy` (FaceX-Zoo).

    The candidates come from the unweighted scores of the other folds: they are the same in all replicates.
    """

    def on(self, scores: PairScores) -> Callable[[Weights], Values]:
        """Return the measure of ``scores``.

        Raises:
            DataError: when the scores have no folds.
        """
        folds = [_RangeFold(scores, held_out) for held_out in _folds(scores)]

        def measure(weights: Weights) -> Values:
            correct, whole, usable = _stacked(fold.outcome(weights) for fold in folds)
            return _mean_of_folds(correct, whole, usable)

        return measure


class _Part:
    """The same and the different pairs of a part of the scores."""

    def __init__(self, scores: PairScores, chosen: NDArray[np.bool_]) -> None:
        self.same, self.different = scores.ranked(chosen & scores.is_same), scores.ranked(chosen & ~scores.is_same)

    def correct(self, weights: Weights, limits: Values, side: Side) -> tuple[IntArray, IntArray]:
        """Return the weight of the pairs called right at each limit, [B, T], and of all pairs, [B].

        Same is right above the limit, different below it, with ``side`` "right" also at it.
        """
        rejected, same = _below(weights, self.same, limits, "right")
        right, different = _below(weights, self.different, limits, side)
        return same[:, None] - rejected + right, same + different

    def gain(self, weights: Weights, limits: Values) -> Values:
        """Return TPR - FPR at each limit, float64 [B, T], NaN where a class has no weight."""
        (rejected, same), (right, different) = (
            _below(weights, ranked, limits, "right") for ranked in (self.same, self.different)
        )
        return share(same[:, None] - rejected, same[:, None]) - share(different[:, None] - right, different[:, None])


class _RangeFold:
    """A fold, the rest, and the candidates that the rest gives."""

    def __init__(self, scores: PairScores, held_out: NDArray[np.bool_]) -> None:
        self.fold, self.rest = _Part(scores, held_out), _Part(scores, ~held_out)
        self.limits = candidates(scores.similarities[~held_out])

    def outcome(self, weights: Weights) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
        """Return the weight called right, that of all pairs, and whether a limit could be chosen, [B] each."""
        gain = self.rest.gain(weights, self.limits)
        correct, whole = self.fold.correct(weights, self.limits, "left")
        return _taken(correct, np.argmax(gain, axis=1)), whole, np.isfinite(gain[:, 0])


def _folds(scores: PairScores) -> list[NDArray[np.bool_]]:
    """Mark the pairs of each fold."""
    if scores.fold is None:
        raise DataError("the pairs have no folds: k-fold accuracy chooses its threshold on the other folds")
    return [scores.fold == number for number in np.unique(scores.fold)]


def _stacked(folds: Iterable[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    """Return each of the arrays that every fold gives, [...], as one of all folds, [F, ...]."""
    return [np.stack(each) for each in zip(*folds, strict=True)]


def _below(weights: Weights, ranked: Ranked, limits: Values, side: Side) -> tuple[IntArray, IntArray]:
    """Return the weight below each limit, with ``side`` "right" also at it, [B, T], and all the weight, [B]."""
    running = weights.running(ranked)
    return running[:, np.searchsorted(ranked.values, limits, side=side)], running[:, -1]


def _taken(table: IntArray, best: NDArray[np.intp]) -> IntArray:
    """Return from each row of ``table`` [..., T] the entry ``best`` [...]."""
    return np.take_along_axis(table, best[..., None], axis=-1)[..., 0]


def _mean_of_folds(correct: IntArray, whole: IntArray, usable: NDArray[np.bool_]) -> Values:
    """Return the mean accuracy, [B], over the folds (all arguments [F, B]) that are usable and have weight."""
    counted = usable & (whole > 0)
    accuracy = np.where(counted, correct / np.maximum(whole, 1), 0)
    return share(accuracy.sum(axis=0), counted.sum(axis=0))
