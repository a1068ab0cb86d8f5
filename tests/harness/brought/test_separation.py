"""Separation of pairs against scikit-learn and by hand; the verdict under chance and under a clear difference."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from faceassay.brought.separation import clearly_better, cosines, separation
from faceassay.contracts import DataError

LABELS = np.arange(200) < 100


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn_ties_included(pairs):
    scores, is_same = np.array([score / 3 for score, _ in pairs]), np.array([same for _, same in pairs])
    assume(is_same.any() and not is_same.all())
    assert separation(scores, is_same).auc == pytest.approx(roc_auc_score(is_same, scores), abs=1e-12)


def test_d_prime_by_hand():
    scores, is_same = np.array([4.0, 6.0, 0.0, 2.0, 1.0]), np.array([True, True, False, False, False])
    assert separation(scores, is_same).d_prime == pytest.approx((5 - 1) / np.sqrt((1 + 2 / 3) / 2))


def test_pairs_of_one_kind_are_refused():
    with pytest.raises(DataError, match="2 same and 0 different"):
        separation(np.zeros(2), np.ones(2, bool))


def test_cosines_by_hand_and_zero_where_there_is_none():
    first = np.array([[3, 4], [1, 0], [0, 0], [np.nan, 1], [np.inf, 1]], np.float32)
    second = np.array([[4, 3], [-2, 0], [1, 1], [1, 1], [1, 1]], np.float32)
    np.testing.assert_allclose(cosines(first, second), [24 / 25, -1, 0, 0, 0])


def drawn(rng, *distances, shared=0.9, labels=LABELS):
    """Return scores of the same pairs under several preprocessings, correlated, same pairs ``distances`` higher."""
    common = rng.normal(size=len(labels))
    return [
        shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal(size=len(labels)) + distance * labels
        for distance in distances
    ]


@pytest.mark.parametrize("distance", [0, 1.5, 3, 6])
def test_chance_is_hardly_ever_called_better(distance):
    rng = np.random.default_rng(3)
    alarms = sum(clearly_better(*drawn(rng, distance, distance), LABELS, rng) for _ in range(150))
    assert alarms <= 1


def test_a_little_better_is_not_clearly_better():
    """Even where so sure: half a thousandth of AUC, a twentieth of d'."""
    stated = np.where(LABELS, 2.0, -2.0) + np.tile(np.linspace(-1.9, 1.9, 100), 2)
    assert not clearly_better(stated, stated + 0.1 * LABELS, LABELS, np.random.default_rng(0))


@pytest.mark.parametrize(("stated", "other"), [(0.3, 2), (2, 4), (4, 7)])
def test_much_better_is_found(stated, other):
    rng = np.random.default_rng(4)
    found = [clearly_better(*drawn(rng, stated, other), LABELS, rng) for _ in range(20)]
    assert all(found)


def test_a_larger_distance_is_found_where_both_separate_perfectly():
    rng = np.random.default_rng(5)
    stated, other = drawn(rng, 10, 16)
    assert separation(stated, LABELS).auc == separation(other, LABELS).auc == 1
    assert clearly_better(stated, other, LABELS, rng)
    assert not clearly_better(other, stated, LABELS, rng)


def test_equal_scores_are_never_better():
    scores = np.random.default_rng(6).normal(size=200)
    assert not clearly_better(scores, scores.copy(), LABELS, np.random.default_rng(0))


def test_a_handful_of_pairs_gives_no_verdict():
    labels = np.arange(50) < 25
    rng = np.random.default_rng(7)
    assert not clearly_better(*drawn(rng, 0, 9, labels=labels), labels, rng)


def test_the_verdict_is_the_same_again():
    stated, other = drawn(np.random.default_rng(8), 1, 1.6)
    assert len({clearly_better(stated, other, LABELS, np.random.default_rng(1)) for _ in range(3)}) == 1
