"""Own k-fold accuracy with thresholds between the extremes of the training scores. Knows no dataset.

Source: the LFW evaluation of FaceX-Zoo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import IntArray
from faceassay_protocols.packs import BoolArray
from faceassay_protocols.scores import labelled
from faceassay_protocols.verification import FoldAccuracy

Values = NDArray[np.float64]

THRESHOLDS = 1000


def range_threshold_accuracy(scores: ArrayLike, is_same: ArrayLike, folds: IntArray) -> FoldAccuracy:
    """Measure the accuracy on each fold at the threshold that separates the other folds best.

    Of the `candidates` among the scores of the other folds the first with the largest TPR - FPR wins. A pair is called
    same above it and different below it: a score equal to the threshold is wrong either way.

    Args:
        scores: similarities [N].
        is_same: bool [N].
        folds: fold of each pair, int64 [N]; each fold and each rest must hold both classes.

    Raises:
        DataError: when lengths differ or a score is not finite.
    """
    values, same = labelled(np.asarray(scores, dtype=np.float64), is_same)
    outcomes = np.array([_fold(np.asarray(values, dtype=np.float64), same, folds == fold) for fold in np.unique(folds)])
    accuracy, threshold, tpr, fpr = outcomes.T
    return FoldAccuracy(float(accuracy.mean()), float(accuracy.std()), accuracy, threshold, tpr, fpr)


def candidates(scores: Values) -> Values:
    """Return 1,000 thresholds, float64, evenly above the lowest of ``scores`` (float64 [N]) up to the highest."""
    low, high = scores.min(), scores.max()
    thresholds: Values = low + (high - low) / THRESHOLDS * np.arange(1, THRESHOLDS + 1)
    return thresholds


def _fold(values: Values, same: BoolArray, held_out: BoolArray) -> tuple[float, float, float, float]:
    train, train_same = values[~held_out], same[~held_out]
    thresholds = candidates(train)
    tpr, fpr = (_share_above(train[of], thresholds) for of in (train_same, ~train_same))
    threshold = float(thresholds[np.argmax(tpr - fpr)])
    test, test_same = values[held_out], same[held_out]
    right_same, right_different = (test > threshold)[test_same], (test < threshold)[~test_same]
    accuracy = (right_same.sum() + right_different.sum()) / len(test)
    accepted = (test > threshold)[~test_same]
    return float(accuracy), threshold, float(right_same.mean()), float(accepted.mean())


def _share_above(scores: Values, thresholds: Values) -> Values:
    share: Values = (len(scores) - np.searchsorted(np.sort(scores), thresholds, side="right")) / len(scores)
    return share
