"""TAR over all pairs of images against pairs that are listed one by one, and physically repeated in replicates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from faceassay.contracts import DataError
from faceassay_protocols.all_pairs import compare_all, replicated
from faceassay_protocols.roc import tar_at_fpr
from faceassay_protocols.uncertainty.draws import identity_draws


def listed(vectors, identity):
    """Return score, label and the two people of every pair of images."""
    pairs = np.array(list(combinations(range(len(vectors)), 2)))
    first, second = identity[pairs.T]
    return np.array([vectors[a] @ vectors[b] for a, b in pairs]), first == second, first, second


@st.composite
def small_packs(draw):
    """Draw embeddings of whole numbers, whose products are exact and often tied, with pairs of both kinds."""
    identity = [0, 0, 1, *draw(st.lists(st.integers(0, 4), max_size=11))]
    vectors = draw(st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=len(identity), max_size=len(identity)))
    return np.array(vectors, dtype=np.float64), np.array(identity)


def everyone(people):
    return np.ones((1, people), dtype=np.int64)


@settings(deadline=None, max_examples=150)
@given(pack=small_packs(), fpr=st.sampled_from([1e-3, 0.02, 0.05, 0.1]))
def test_tar_is_that_of_the_listed_pairs(pack, fpr):
    scores, is_same, *_ = listed(*pack)
    pairs = compare_all(*pack, 5, [fpr])
    assert pairs.impostors == (~is_same).sum()
    assert pairs.tar(fpr, everyone(5))[0] == tar_at_fpr(scores, is_same, [fpr], rule="at_most")[fpr]


@settings(deadline=None, max_examples=100)
@given(pack=small_packs(), draws=st.lists(st.integers(0, 3), min_size=5, max_size=5), fpr=st.sampled_from([0.03, 0.1]))
def test_a_replicate_is_that_of_repeated_pairs(pack, draws, fpr):
    """A person drawn twice has every image twice; a copy is not compared with its original."""
    times = np.array(draws)
    scores, is_same, first, second = listed(*pack)
    weight = np.where(is_same, times[first], times[first] * times[second])
    repeated, labels = np.repeat(scores, weight), np.repeat(is_same, weight)
    [tar] = compare_all(*pack, 5, [fpr]).tar(fpr, times[None])
    if labels.all() or not labels.any():
        assert np.isnan(tar)
    else:
        assert tar == tar_at_fpr(repeated, labels, [fpr], rule="at_most")[fpr]


def crowd(people=60, images=12, spread=2.0, seed=0):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(people), images)
    vectors = rng.normal(size=(people, 12))[identity] + rng.normal(0, spread, (len(identity), 12))
    order = rng.permutation(len(identity))
    return (vectors / np.linalg.norm(vectors, axis=1)[:, None])[order], identity[order]


def test_more_images_than_are_compared_at_once_and_more_pairs_than_are_kept():
    """720 images give 254,880 different pairs, of which 1,000 + 4 x 25 are kept."""
    vectors, identity = crowd()
    scores = vectors @ vectors.T
    rows, columns = np.triu_indices(720, 1)
    same = identity[rows] == identity[columns]
    pairs = compare_all(vectors, identity, 60, [1e-4])
    impostors = np.sort(scores[rows, columns][~same])[::-1]
    assert (len(pairs.same), pairs.impostors, len(pairs.highest)) == (60 * 66, 254_880, 1_102)
    np.testing.assert_allclose(pairs.highest, impostors[:1_102], atol=1e-14)
    np.testing.assert_allclose(np.sort(pairs.same), np.sort(scores[rows, columns][same]), atol=1e-14)
    assert pairs.tar(1e-4, everyone(60))[0] == np.mean(scores[rows, columns][same] > impostors[25])


def test_people_of_the_highest_pairs_are_those_of_their_images():
    vectors, identity = crowd(people=5, images=4)
    pairs = compare_all(vectors, identity, 5, [0.1])
    scores, _, first, second = listed(vectors, identity)
    expected = {(round(s, 9), *sorted((a, b))) for s, a, b in zip(scores, first, second, strict=True) if a != b}
    kept = zip(pairs.highest, pairs.first_person, pairs.second_person, strict=True)
    assert {(round(s, 9), *sorted((a, b))) for s, a, b in kept} == expected


def test_a_rate_that_is_a_whole_number_of_pairs_accepts_that_many():
    """3e-4 of 10,000 pairs are 3, though 3e-4 * 10000 is 2.9999999999999996 in floating point."""
    identity = np.array([0] * 100 + [1] * 100)
    vectors = np.zeros((200, 2))
    vectors[0, 0] = vectors[100, 0] = 1
    vectors[[0, 101, 102], 1] = 3, 5, 4
    vectors[103, 1] = 3
    pairs = compare_all(vectors, identity, 2, [3e-4])
    assert pairs.impostors == 10_000
    assert pairs.highest[:5].tolist() == [15, 12, 9, 1, 0]
    assert pairs.tar(3e-4, everyone(2))[0] == np.mean(pairs.same > 1)
    assert pairs.tar(2.9e-4, everyone(2))[0] == np.mean(pairs.same > 9)


def test_the_number_of_replicates_held_at_once_changes_none(monkeypatch):
    pairs = compare_all(*crowd(people=10, images=5), 10, [0.1])
    together = replicated(pairs, [0.1], 20)
    monkeypatch.setattr("faceassay_protocols.all_pairs.WEIGHTS_AT_A_TIME", 3 * len(pairs.highest))
    np.testing.assert_array_equal(replicated(pairs, [0.1], 20), together)


def test_replicates_are_paired_and_begin_alike():
    vectors, identity = crowd(people=10, images=5)
    pairs = compare_all(vectors, identity, 10, [0.01, 0.1])
    drawn = replicated(pairs, [0.01, 0.1], 60)
    assert drawn.shape == (60, 2)
    np.testing.assert_array_equal(replicated(pairs, [0.01, 0.1], 7), drawn[:7])
    draws = identity_draws(10, 60)
    np.testing.assert_array_equal(drawn[:, 1], pairs.tar(0.1, draws))
    assert replicated(pairs, [0.01], 0).shape == (0, 1)


def test_the_interval_of_false_accepts_is_read_at_its_exact_limits():
    """Garwood's limits on k counts are quantiles of chi-squared with 2k and 2k + 2 degrees of freedom."""
    vectors, identity = crowd()
    pairs = compare_all(vectors, identity, 60, [1e-4])
    [interval] = pairs.false_accept_interval(1e-4)
    low, high = chi2.ppf(0.025, 50) / 2, chi2.ppf(0.975, 52) / 2
    assert interval.low == np.mean(pairs.same > pairs.highest[int(low)])
    assert interval.high == np.mean(pairs.same > pairs.highest[int(high) + 1])
    assert interval.low < pairs.tar(1e-4, everyone(60))[0] < interval.high
    assert interval.population == "false accepts"
    assert interval.method == f"exact Poisson, 25 false accepts: {low:.1f} to {high:.1f}"


def test_the_interval_counts_the_false_accepts_that_there_are_where_pairs_tie():
    """The four highest of 12 different pairs tie, so at 10 % none is accepted; 3.7 may be, which takes all four in."""
    identity = np.array([0, 0, 1, 1, 2, 2])
    vectors = np.array([[9.0, 0], [9, 0], [1, 0], [1, 0], [0, 1], [0, 2]])
    scores, is_same, *_ = listed(vectors, identity)
    assert sorted(scores[~is_same])[::-1] == [9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]
    pairs = compare_all(vectors, identity, 3, [0.1])
    [interval] = pairs.false_accept_interval(0.1)
    assert interval.method == "exact Poisson, 0 false accepts: 0.0 to 3.7"
    assert (interval.low, interval.high) == (1 / 3, 1.0)
    assert pairs.tar(0.1, everyone(3))[0] == 1 / 3


def test_fewer_different_pairs_than_the_limit_reach_down_to_every_same_pair():
    vectors, identity = np.array([[1.0, 0], [-1, 0], [0.5, 0]]), np.array([0, 0, 1])
    [interval] = compare_all(vectors, identity, 2, [0.1]).false_accept_interval(0.1)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_many_false_accepts_have_no_exact_interval():
    vectors, identity = crowd()
    assert compare_all(vectors, identity, 60, [1e-2]).false_accept_interval(1e-2) == []


@pytest.mark.parametrize("identity", [[0, 1, 2], [0, 0, 0]])
def test_images_without_both_kinds_of_pair_are_refused(identity):
    with pytest.raises(DataError, match="all pairs need both classes"):
        compare_all(np.eye(3), np.array(identity), 3, [0.1])
