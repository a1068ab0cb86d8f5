"""Own pair verification on arrays: distances of pairs and the k-fold accuracy of LFW. Knows no dataset.

Source: the evaluation that insightface, AdaFace, CVLface and TFace share (``verification.py``, from facenet).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.blockwise import blocks
from faceassay_protocols.embeddings import (
    PAIRS_AT_A_TIME,
    Embeddings,
    flip_sum,
    refuse_unusable,
    require_matrix,
    row_lengths,
)
from faceassay_protocols.scores import labelled

GRID_STEP = 0.01
GRID_END = 4.0


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    """Hold the outcome of k-fold verification.

    Attributes:
        mean: mean accuracy over the folds, 0 to 1.
        std: population standard deviation (ddof=0) over the folds; a spread of folds, not an uncertainty.
        fold_accuracy: accuracy on each fold at the threshold chosen on the others, float64 [F].
        fold_threshold: that threshold, a squared distance, float64 [F].
        tpr: share of the fold's same pairs called same at its threshold, float64 [F]; NaN without same pairs.
        fpr: share of the fold's different pairs called same, float64 [F]; NaN without different pairs.
    """

    mean: float
    std: float
    fold_accuracy: NDArray[np.float64]
    fold_threshold: NDArray[np.float64]
    tpr: NDArray[np.float64]
    fpr: NDArray[np.float64]


def pair_distances(embeddings: Embeddings, flipped: Embeddings | None = None) -> NDArray[np.float64]:
    """Return the squared distances of consecutive rows as unit vectors, float64 [N], 0 to 4.

    Args:
        embeddings: raw embeddings [2N, d]; pair k is rows 2k and 2k+1.
        flipped: the same for the mirrored images, added before the scaling to unit length.

    Raises:
        DataError: when the number of rows is odd, or a row is NaN, infinite or of length zero (names the rows).
    """
    if len(embeddings) % 2:
        raise DataError(f"{len(embeddings)} embeddings do not make pairs: pair k is rows 2k and 2k+1")
    require_matrix(embeddings, flipped)
    lengths, distances = np.empty(len(embeddings)), np.empty(len(embeddings) // 2)
    for part in blocks(len(embeddings), 2 * PAIRS_AT_A_TIME):
        rows = flip_sum(embeddings[part], None if flipped is None else flipped[part])
        lengths[part] = row_lengths(rows)
        with np.errstate(divide="ignore", invalid="ignore"):  # such rows are refused below, all at once
            rows /= lengths[part, None]
            distances[part.start // 2 : part.stop // 2] = np.square(rows[0::2] - rows[1::2]).sum(axis=1)
    refuse_unusable(lengths)
    return distances


def ten_fold_accuracy(
    distances: ArrayLike,
    is_same: ArrayLike,
    *,
    folds: int | IntArray = 10,
    thresholds: NDArray[np.float64] | None = None,
) -> FoldAccuracy:
    """Measure the accuracy on each fold at the threshold that is best on the other folds.

    A pair is called same if its distance is strictly below the threshold. Of equally good thresholds the first wins.

    Args:
        distances: squared distances [N].
        is_same: bool [N].
        folds: how many contiguous folds, cut as scikit-learn's KFold without shuffling, or the fold of each pair [N].
        thresholds: candidates in order of preference [T]; by default 0 to 4 in steps of 0.01, without the 4.

    Raises:
        DataError: when lengths differ or a distance is not finite.
        ValueError: when there are fewer than two folds, more folds than pairs, or no finite thresholds.
    """
    values, same = labelled(distances, is_same)
    grid = _grid(thresholds)
    fold = _fold_of_each(folds, len(values))
    members = [fold == number for number in np.unique(fold)]
    same_below, same_pairs = _counts([values[m & same] for m in members], grid)
    different_below, different_pairs = _counts([values[m & ~same] for m in members], grid)
    correct = same_below + different_pairs[:, None] - different_below
    best = np.argmax(correct.sum(axis=0) - correct, axis=1)
    each = np.arange(len(members))
    accuracy = correct[each, best] / (same_pairs + different_pairs)
    return FoldAccuracy(
        mean=float(accuracy.mean()),
        std=float(accuracy.std()),
        fold_accuracy=accuracy,
        fold_threshold=grid[best],
        tpr=_share(same_below[each, best], same_pairs),
        fpr=_share(different_below[each, best], different_pairs),
    )


def _grid(thresholds: NDArray[np.float64] | None) -> NDArray[np.float64]:
    grid = np.arange(0, GRID_END, GRID_STEP) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if not len(grid) or not np.isfinite(grid).all():
        raise ValueError("thresholds must be finite, and at least one")
    return grid


def _fold_of_each(folds: int | IntArray, pairs: int) -> IntArray:
    if isinstance(folds, np.ndarray):
        if folds.shape != (pairs,) or not np.issubdtype(folds.dtype, np.integer):
            raise DataError(f"folds {folds.shape} of {folds.dtype}: give one whole number to each of the {pairs} pairs")
        if len(np.unique(folds)) < 2:
            raise ValueError("all pairs are in one fold: the threshold is chosen on the other folds, give at least two")
        return folds
    if not 2 <= folds <= pairs:
        raise ValueError(f"folds must be 2 to the number of pairs, {pairs} (got {folds})")
    size, larger = divmod(pairs, folds)
    return np.repeat(np.arange(folds), [size + (fold < larger) for fold in range(folds)])


def _counts(parts: Sequence[NDArray[np.float64]], grid: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
    """Count, for each of F parts, its values strictly below each threshold, [F, T], and all its values, [F]."""
    below = np.stack([np.searchsorted(np.sort(part), grid, side="left") for part in parts])
    return below, np.array([len(part) for part in parts])


def _share(part: IntArray, whole: IntArray) -> NDArray[np.float64]:
    share: NDArray[np.float64] = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return share
