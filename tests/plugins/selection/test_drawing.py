"""The choice of pairs: distinct, uniform, the same for the same seed."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from faceassay_plugins.selection import random_mixes, random_pairs, require_pairs

CASES = st.integers(2, 60).flatmap(
    lambda classes: st.tuples(st.just(classes), st.integers(1, classes * (classes - 1) // 2), st.integers(0, 2**63 - 1))
)


@given(CASES)
@settings(max_examples=80, deadline=None)
def test_pairs_are_distinct_and_ordered(case):
    classes, count, seed = case
    pairs = random_pairs(classes, count, seed)
    assert pairs.shape == (count, 2)
    assert pairs.dtype == np.int64
    assert len({tuple(pair) for pair in pairs.tolist()}) == count
    assert all(0 <= i < j < classes for i, j in pairs.tolist())


@pytest.mark.parametrize("classes", [2, 3, 7, 20])
def test_as_many_as_there_are_is_every_pair(classes):
    everything = list(itertools.combinations(range(classes), 2))
    pairs = random_pairs(classes, len(everything), seed=1)
    assert sorted(map(tuple, pairs.tolist())) == everything


@given(CASES)
@settings(max_examples=30, deadline=None)
def test_the_same_seed_draws_the_same_pairs(case):
    assert np.array_equal(random_pairs(*case), random_pairs(*case))


def test_another_seed_draws_other_pairs():
    assert not np.array_equal(random_pairs(40, 20, 0), random_pairs(40, 20, 1))


def test_the_pairs_of_one_seed_are_pinned():
    # Methods are compared on these pairs: where this fails, NumPy's way of drawing without replacement has changed.
    assert random_pairs(10, 4, seed=123).tolist() == [[2, 7], [5, 9], [1, 3], [6, 8]]


def test_every_pair_is_drawn_equally_often():
    classes, drawn, draws = 6, 3, 4000
    counts = Counter(tuple(p) for seed in range(draws) for p in random_pairs(classes, drawn, seed).tolist())
    total = classes * (classes - 1) // 2
    share = drawn / total
    # Sampling n of N without replacement gives the counts the covariance S p (1 - p) N / (N - 1) (I - 11' / N),
    # so the squares below add up to a chi-square of N - 1 degrees of freedom.
    scale = draws * share * (1 - share) * total / (total - 1)
    statistic = sum((count - draws * share) ** 2 for count in counts.values()) / scale
    assert len(counts) == total
    assert statistic < chi2.ppf(1 - 1e-6, total - 1)


def test_the_first_pair_is_uniform_too():
    draws, total = 4000, 15
    counts = Counter(tuple(random_pairs(6, 3, seed)[0].tolist()) for seed in range(draws))
    statistic = sum((count - draws / total) ** 2 for count in counts.values()) / (draws / total)
    assert statistic < chi2.ppf(1 - 1e-6, total - 1)


@pytest.mark.parametrize(("classes", "available"), [(2, 1), (5, 10), (1, 0)])
def test_more_pairs_than_there_are_is_an_error_that_counts_them(classes, available):
    with pytest.raises(ValueError, match=f"{classes} classes make {available} pairs, {available + 1} are asked for"):
        random_pairs(classes, available + 1, seed=0)


def test_all_pairs_may_be_asked_for():
    require_pairs(5, 10)


def test_a_large_set_of_classes_is_never_listed():
    # WebFace4M: 206,000 classes, 21,217,897,000 pairs; a list of them would take 340 GB.
    pairs = random_pairs(206_000, 10_000, seed=1)
    assert len({tuple(pair) for pair in pairs.tolist()}) == 10_000
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert 200_000 < pairs.max() < 206_000


# --- mixes of several classes, and limits


@pytest.mark.parametrize(("classes", "size", "count"), [(9, 3, 10), (9, 3, 84), (9, 3, 50), (6, 6, 1), (30, 4, 200)])
def test_mixes_are_distinct_and_ordered(classes, size, count):
    mixes = random_mixes(classes, size, count, seed=5)
    assert (mixes.dtype, mixes.shape) == (np.int64, (count, size))
    assert len({tuple(mix) for mix in mixes.tolist()}) == count
    assert (np.diff(mixes) > 0).all()
    assert mixes.min() >= 0
    assert mixes.max() < classes


def test_mixes_of_two_are_the_random_pairs():
    assert np.array_equal(random_mixes(12, 2, 30, seed=3), random_pairs(12, 30, seed=3))


@pytest.mark.parametrize("drawn", [3, 12])  # few are drawn one by one, many from the list of all
def test_every_mix_is_drawn_equally_often(drawn):
    draws, total = 2000, 20
    counts = Counter(tuple(mix) for seed in range(draws) for mix in random_mixes(6, 3, drawn, seed).tolist())
    share = drawn / total
    scale = draws * share * (1 - share) * total / (total - 1)
    assert len(counts) == total
    assert sum((count - draws * share) ** 2 for count in counts.values()) / scale < chi2.ppf(1 - 1e-6, total - 1)


def test_the_same_seed_draws_the_same_mixes():
    assert np.array_equal(random_mixes(20, 3, 50, seed=1), random_mixes(20, 3, 50, seed=1))
    assert not np.array_equal(random_mixes(20, 3, 50, seed=1), random_mixes(20, 3, 50, seed=2))


def test_more_mixes_than_there_are_is_an_error_that_counts_them():
    with pytest.raises(ValueError, match="5 classes make 10 mixes of 3, 11 are asked for: lower 'pairs'"):
        random_mixes(5, 3, 11, seed=0)


@pytest.mark.parametrize("at_once", [0, 2**18])
def test_no_class_is_drawn_more_often_than_allowed(at_once, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.selection.capping.ALL_AT_ONCE", at_once)
    for seed in range(20):
        pairs = random_pairs(40, 50, seed, max_uses=3)
        assert len({tuple(pair) for pair in pairs.tolist()}) == 50
        assert np.bincount(pairs.ravel()).max() <= 3


def test_pairs_under_a_limit_are_still_uniform():
    # One use each of four classes, two pairs: three matchings, equally likely.
    draws = 3000
    counts = Counter(frozenset(map(tuple, random_pairs(4, 2, seed, max_uses=1).tolist())) for seed in range(draws))
    assert len(counts) == 3
    statistic = sum((count - draws / 3) ** 2 for count in counts.values()) / (draws / 3)
    assert statistic < chi2.ppf(1 - 1e-6, 2)
