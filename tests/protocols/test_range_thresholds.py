"""FaceX-Zoo's k-fold accuracy against its procedure written out, threshold by threshold, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.range_thresholds import candidates, range_threshold_accuracy


def looped(scores, is_same, folds):
    """Return accuracy and threshold of each fold: 1,000 thresholds one after the other, the first best one kept."""
    accuracies, chosen = [], []
    for fold in np.unique(folds):
        train, train_same = scores[folds != fold], is_same[folds != fold]
        test, test_same = scores[folds == fold], is_same[folds == fold]
        low, high = min(train), max(train)
        best, best_gain = None, -np.inf
        for k in range(1, 1001):
            threshold = low + (high - low) / 1000 * k
            gain = np.mean(train[train_same] > threshold) - np.mean(train[~train_same] > threshold)
            if gain > best_gain:
                best, best_gain = threshold, gain
        right = np.sum(test[test_same] > best) + np.sum(test[~test_same] < best)
        accuracies.append(right / len(test))
        chosen.append(best)
    return np.array(accuracies), np.array(chosen)


def overlapping(seed, pairs=200, folds=10):
    rng = np.random.default_rng(seed)
    fold = np.repeat(np.arange(folds), pairs // folds)
    is_same = np.tile(np.repeat([True, False], pairs // folds // 2), folds)
    return np.clip(rng.normal(np.where(is_same, 0.5, 0.1), 0.2), -1, 1), is_same, fold


@pytest.mark.parametrize("seed", range(3))
def test_folds_and_thresholds_equal_those_of_a_loop(seed):
    scores, is_same, fold = overlapping(seed)
    accuracies, chosen = looped(scores, is_same, fold)
    result = range_threshold_accuracy(scores, is_same, fold)
    np.testing.assert_array_equal(result.fold_accuracy, accuracies)
    np.testing.assert_array_equal(result.fold_threshold, chosen)
    assert (result.mean, result.std) == (np.mean(accuracies), np.std(accuracies))


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.integers(0, 1000), min_size=12, max_size=12), labels=st.permutations([True, False]))
def test_scores_that_tie_with_a_threshold_are_treated_as_by_a_loop(steps, labels):
    """With 0 and 1000 in every rest the candidates are the numbers 1 to 1000 themselves."""
    scores = np.array([0, 1000, *steps[:6], 0, 1000, *steps[6:]], dtype=np.float64)
    is_same = np.tile(labels, 8)
    fold = np.repeat([0, 1], 8)
    accuracies, chosen = looped(scores, is_same, fold)
    result = range_threshold_accuracy(scores, is_same, fold)
    np.testing.assert_array_equal(result.fold_accuracy, accuracies)
    np.testing.assert_array_equal(result.fold_threshold, chosen)


def test_a_score_at_the_threshold_is_wrong_whatever_it_is():
    """Either rest has the threshold 1 (of 1 to 1000, the first that separates); each fold has a pair of each at 1."""
    scores = np.array([1000.0, 1, 0, 1] * 2)
    is_same = np.array([True, True, False, False] * 2)
    result = range_threshold_accuracy(scores, is_same, np.repeat([0, 1], 4))
    assert result.fold_threshold.tolist() == [1, 1]
    assert result.fold_accuracy.tolist() == [0.5, 0.5]
    assert (result.tpr.tolist(), result.fpr.tolist()) == ([0.5, 0.5], [0, 0])


def test_candidates_start_above_the_lowest_score_and_end_at_the_highest():
    thresholds = candidates(np.array([0.0, 500, 1000]))
    assert thresholds.tolist() == list(range(1, 1001))


def test_the_number_of_scores_and_labels_must_agree():
    with pytest.raises(DataError):
        range_threshold_accuracy(np.zeros(4), np.array([True, False]), np.array([0, 0, 1, 1]))
