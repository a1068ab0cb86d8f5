"""K-fold pair verification against a loop over folds and thresholds, and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from faceassay.contracts import DataError
from faceassay_protocols.verification import pair_distances, ten_fold_accuracy

GRID = np.arange(0, 4, 0.01)


def looped(distances, is_same, splits, thresholds=GRID):
    """Return fold accuracies and thresholds as the field's evaluation code finds them: one threshold at a time."""
    accuracies, chosen = [], []
    for train, test in splits:
        on_train = [np.mean((distances[train] < t) == is_same[train]) for t in thresholds]
        best = thresholds[int(np.argmax(on_train))]
        accuracies.append(np.mean((distances[test] < best) == is_same[test]))
        chosen.append(best)
    return np.array(accuracies), np.array(chosen)


def contiguous(pairs, folds):
    return list(KFold(folds, shuffle=False).split(np.zeros(pairs)))


def overlapping_pairs(seed, pairs=600):
    rng = np.random.default_rng(seed)
    is_same = np.tile(np.repeat([True, False], pairs // 20), 10)
    return np.clip(rng.normal(np.where(is_same, 1.2, 1.8), 0.35), 0, 4), is_same


@pytest.mark.parametrize("seed", range(4))
def test_folds_and_thresholds_equal_those_of_a_loop(seed):
    distances, is_same = overlapping_pairs(seed)
    accuracies, chosen = looped(distances, is_same, contiguous(600, 10))
    result = ten_fold_accuracy(distances, is_same)
    np.testing.assert_array_equal(result.fold_accuracy, accuracies)
    np.testing.assert_array_equal(result.fold_threshold, chosen)
    assert (result.mean, result.std) == (np.mean(accuracies), np.std(accuracies))


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 399), st.booleans()), min_size=4, max_size=60),
    folds=st.integers(2, 4),
)
def test_distances_exactly_on_the_grid_are_treated_as_by_a_loop(pairs, folds):
    distances = GRID[[step for step, _ in pairs]]
    is_same = np.array([same for _, same in pairs])
    accuracies, chosen = looped(distances, is_same, contiguous(len(pairs), folds))
    result = ten_fold_accuracy(distances, is_same, folds=folds)
    np.testing.assert_array_equal(result.fold_accuracy, accuracies)
    np.testing.assert_array_equal(result.fold_threshold, chosen)


@pytest.mark.parametrize("pairs", [10, 19, 23, 101])
def test_uneven_numbers_of_pairs_are_cut_as_scikit_learn_cuts_them(pairs):
    rng = np.random.default_rng(pairs)
    distances, is_same = rng.uniform(0, 4, pairs), rng.random(pairs) < 0.5
    result = ten_fold_accuracy(distances, is_same)
    np.testing.assert_array_equal(result.fold_accuracy, looped(distances, is_same, contiguous(pairs, 10))[0])


def test_four_pairs_by_hand():
    """Fold 1 is (0.5 same, 1.5 different), fold 2 is (2.5 same, 1.0 different).

    On fold 2 nothing beats one of two right, which threshold 0 already has: all is called different, 1/2 on fold 1.
    On fold 1 every threshold above 0.5 up to 1.5 is perfect and 0.51 comes first: it calls 2.5 and 1.0 different, 1/2.
    """
    result = ten_fold_accuracy([0.5, 1.5, 2.5, 1.0], [True, False, True, False], folds=2)
    np.testing.assert_allclose(result.fold_threshold, [0.0, 0.51])
    np.testing.assert_array_equal(result.fold_accuracy, [0.5, 0.5])
    np.testing.assert_array_equal(result.tpr, [0.0, 0.0])
    np.testing.assert_array_equal(result.fpr, [0.0, 0.0])
    assert (result.mean, result.std) == (0.5, 0.0)


def test_the_spread_divides_by_the_number_of_folds():
    """Both thresholds are perfect on the other fold; they are right 4/4 and 2/4: spread 0.25, not 0.354."""
    distances = [0.5, 0.5, 1.5, 1.5, 0.5, 0.6, 0.4, 0.4]
    is_same = [True, True, False, False, True, True, False, False]
    result = ten_fold_accuracy(distances, is_same, folds=2, thresholds=np.array([1.0]))
    np.testing.assert_array_equal(result.fold_accuracy, [1.0, 0.5])
    assert result.std == 0.25


def test_rates_are_those_of_the_fold_at_its_threshold():
    distances, is_same = overlapping_pairs(3)
    result = ten_fold_accuracy(distances, is_same)
    called_same = distances[:60] < result.fold_threshold[0]
    assert result.tpr[0] == called_same[is_same[:60]].mean()
    assert result.fpr[0] == called_same[~is_same[:60]].mean()


def test_a_distance_equal_to_the_threshold_is_called_different():
    result = ten_fold_accuracy([1.0, 1.0], [True, False], folds=2, thresholds=np.array([1.0]))
    np.testing.assert_array_equal(result.fold_accuracy, [0.0, 1.0])


def test_of_equally_good_thresholds_the_first_given_wins():
    result = ten_fold_accuracy([0.1, 3.0] * 2, [True, False] * 2, folds=2, thresholds=np.array([2.0, 1.0, 0.0]))
    np.testing.assert_array_equal(result.fold_threshold, [2.0, 2.0])


def test_folds_given_pair_by_pair_equal_contiguous_ones():
    distances, is_same = overlapping_pairs(5)
    by_count = ten_fold_accuracy(distances, is_same, folds=10)
    order = np.random.default_rng(0).permutation(600)
    by_pair = ten_fold_accuracy(distances[order], is_same[order], folds=np.repeat(np.arange(10), 60)[order])
    np.testing.assert_array_equal(by_pair.fold_accuracy, by_count.fold_accuracy)
    np.testing.assert_array_equal(by_pair.fold_threshold, by_count.fold_threshold)


def test_fold_numbers_need_not_be_consecutive():
    distances, is_same = overlapping_pairs(5)
    numbers = np.repeat([7, -3, 100], 200)
    result = ten_fold_accuracy(distances, is_same, folds=numbers)
    expected = ten_fold_accuracy(distances, is_same, folds=np.repeat([1, 0, 2], 200))
    np.testing.assert_array_equal(result.fold_accuracy, expected.fold_accuracy)


def test_a_fold_without_same_pairs_has_no_true_positive_rate():
    result = ten_fold_accuracy([0.1, 3.0, 3.0, 3.0], [True, False, False, False], folds=2)
    assert np.isnan(result.tpr[1])
    assert not np.isnan(result.fpr).any()


def test_unrelated_embeddings_are_at_chance():
    """Bound each fold by Hoeffding's inequality.

    A fold's threshold comes from other pairs, so its n verdicts are independent of each other with mean exactly 1/2 in
    sum (as many same as different pairs). P(|accuracy - 1/2| > t) <= 2 exp(-2 n t^2) with n = 2,000 and ten folds is
    below 1e-9 at t = 0.077; the mean over the folds lies within it too.
    """
    rng = np.random.default_rng(1)
    distances = pair_distances(rng.normal(size=(40_000, 8)))
    result = ten_fold_accuracy(distances, np.tile([True, False], 10_000))
    assert np.abs(result.fold_accuracy - 0.5).max() < np.sqrt(np.log(2 * 10 / 1e-9) / (2 * 2_000)) < 0.078


@pytest.mark.parametrize("folds", [1, 0, 7])
def test_too_few_or_too_many_folds_are_refused(folds):
    with pytest.raises(ValueError, match="folds must be 2 to the number of pairs, 6"):
        ten_fold_accuracy(np.ones(6), np.array([True, False] * 3), folds=folds)


def test_one_fold_for_all_pairs_is_refused():
    with pytest.raises(ValueError, match="give at least two"):
        ten_fold_accuracy(np.ones(4), np.array([True, False] * 2), folds=np.zeros(4, dtype=np.int64))


@pytest.mark.parametrize("folds", [np.zeros(3, dtype=np.int64), np.zeros(4)])
def test_folds_that_are_not_one_whole_number_per_pair_are_refused(folds):
    with pytest.raises(DataError, match="one whole number to each of the 4 pairs"):
        ten_fold_accuracy(np.ones(4), np.array([True, False] * 2), folds=folds)


def test_labels_of_another_length_are_refused():
    with pytest.raises(DataError, match="one label"):
        ten_fold_accuracy(np.ones(4), np.array([True] * 3))


def test_labels_of_plus_and_minus_one_are_refused():
    with pytest.raises(DataError, match="must be boolean, not int64"):
        ten_fold_accuracy(np.ones(4), np.array([1, -1, 1, -1], dtype=np.int64))


def test_distances_that_are_not_finite_are_named():
    with pytest.raises(DataError, match=r"pairs 1, 3 \(2 of 4\)"):
        ten_fold_accuracy([1, np.nan, 1, np.inf], np.array([True, False] * 2), folds=2)


@pytest.mark.parametrize("thresholds", [[], [0.5, np.nan]])
def test_unusable_thresholds_are_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds must be finite"):
        ten_fold_accuracy(np.ones(4), np.array([True, False] * 2), folds=2, thresholds=np.array(thresholds))


def test_distances_of_known_vectors():
    rows = np.array([[2, 0], [5, 0], [1, 0], [0, 3], [1, 0], [-4, 0]], dtype=np.float32)
    np.testing.assert_array_equal(pair_distances(rows), [0.0, 2.0, 4.0])


def test_a_distance_is_two_minus_two_cosines():
    rows = np.random.default_rng(0).normal(size=(40, 16))
    a, b = rows[0::2], rows[1::2]
    cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    np.testing.assert_allclose(pair_distances(rows), 2 - 2 * cosine, atol=1e-14)


def test_mirrored_embeddings_are_added_before_the_scaling():
    plain = np.array([[10.0, 0.0], [1.0, 0.0]])
    mirrored = np.array([[0.0, 10.0], [0.0, 3.0]])
    cosine = (1 + 3) / np.sqrt(2) / np.sqrt(10)
    np.testing.assert_allclose(pair_distances(plain, mirrored), [2 - 2 * cosine])


def test_an_embedding_that_its_mirror_cancels_is_named():
    plain = np.ones((4, 2))
    mirrored = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]])
    with pytest.raises(DataError, match=r"rows 2 \(1 of 4\) have length zero"):
        pair_distances(plain, mirrored)


def test_unusable_embeddings_of_far_apart_pairs_are_named_together():
    rows = np.ones((2000, 2), dtype=np.float32)
    rows[[3, 1999], 0] = np.nan
    with pytest.raises(DataError, match=r"rows 3, 1999 \(2 of 2000\) hold NaN"):
        pair_distances(rows)


def test_distances_of_many_pairs_are_those_of_one_pair_after_another():
    rows, mirrored = np.random.default_rng(1).normal(size=(2, 1402, 7)).astype(np.float32)
    total = rows.astype(np.float64) + mirrored
    unit = [row / np.sqrt(np.dot(row, row)) for row in total]
    expected = [np.sum((a - b) ** 2) for a, b in zip(unit[0::2], unit[1::2], strict=True)]
    np.testing.assert_allclose(pair_distances(rows, mirrored), expected, rtol=1e-12)


def test_an_odd_number_of_embeddings_is_refused():
    with pytest.raises(DataError, match="5 embeddings do not make pairs"):
        pair_distances(np.ones((5, 2)))
