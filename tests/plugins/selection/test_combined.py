"""The choice by two distances at once against the sum of two ranks, found by sorting every pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceassay_plugins.selection import combined, select_combined
from pair_orders import brute_force, capped


def by_rank_sum(embeddings, conditions, order, metric="cosine"):
    """Return every pair in order, from two lists of all pairs."""
    close, far = brute_force(conditions, "closest", metric), brute_force(embeddings, "farthest", "cosine")
    sums = {pair: close.index(pair) + far.index(pair) for pair in close}
    return sorted(sums, key=lambda pair: (sums[pair] if order == "top" else -sums[pair], *pair))


def chosen(*arguments, **options):
    return [tuple(pair) for pair in select_combined(*arguments, **options).tolist()]


@pytest.fixture
def spaces():
    rng = np.random.default_rng(1)
    return rng.normal(size=(14, 5)).astype(np.float32), rng.normal(size=(14, 3)).astype(np.float32)


@pytest.mark.parametrize("piece", [3, 2**21])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("order", ["top", "worst"])
@pytest.mark.parametrize("count", [1, 20, 91])
def test_the_pairs_are_those_of_the_rank_sums(count, order, metric, piece, spaces, monkeypatch):
    monkeypatch.setattr(combined, "PIECE", piece)
    assert chosen(*spaces, count, order=order, metric=metric) == by_rank_sum(*spaces, order, metric)[:count]


TIED = st.integers(2, 7).flatmap(
    lambda classes: st.tuples(*[arrays(np.int8, (classes, 2), elements=st.integers(1, 3)) for _ in range(2)])
)


@given(TIED, st.sampled_from(["top", "worst"]), st.integers(1, 30))
@settings(max_examples=80, deadline=None)
def test_ties_are_placed_by_index(case, order, piece):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(combined, "PIECE", piece)
        wanted = by_rank_sum(*case, order)
        assert chosen(*case, len(wanted), order=order) == wanted


@pytest.mark.parametrize("order", ["top", "worst"])
@pytest.mark.parametrize(("count", "max_uses"), [(4, 1), (10, 2), (15, 3)])
@pytest.mark.parametrize("at_once", [0, 2**18])
def test_a_limited_choice_is_the_greedy_one(at_once, count, max_uses, order, spaces, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.selection.capping.ALL_AT_ONCE", at_once)
    wanted = capped(by_rank_sum(*spaces, order), count, max_uses)
    assert len(wanted) == count
    assert chosen(*spaces, count, order=order, max_uses=max_uses) == wanted


def test_opposed_spaces_agree_on_the_first_pair_and_on_the_last():
    # Conditions on a line, embeddings so that the closest conditions are the farthest embeddings.
    conditions = np.array([[0.0], [1], [10]])
    embeddings = np.array([[1.0, 0.1], [-1, 0], [0, 1]])
    assert chosen(embeddings, conditions, 1, order="top", metric="l2") == [(0, 1)]
    everything = set(itertools.combinations(range(3), 2))
    assert set(chosen(embeddings, conditions, 3, metric="l2")) == everything


def test_sums_beyond_32_bits_get_64(spaces, monkeypatch):
    monkeypatch.setattr(combined, "pair_count", lambda classes: 2**31)
    monkeypatch.setattr(combined.np, "zeros", lambda shape, dtype: (_ for _ in ()).throw(TypeError(dtype)))
    with pytest.raises(TypeError, match="int64"):
        combined._rank_sums(*spaces, "cosine")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.eye(3), np.eye(4), 1), {}, "3 embeddings and 4 conditions: give one of each per class"),
        ((np.eye(3), np.eye(3), 4), {}, "3 classes make 3 pairs, 4 are asked for"),
        ((np.eye(3), np.eye(3), 1), {"order": "best"}, "order must be 'top' or 'worst'"),
        ((np.eye(3), np.eye(3), 3), {"max_uses": 1}, "make 1 pairs at most, 3 are asked for"),
        ((np.zeros((3, 2)), np.eye(3), 1), {}, "are zero and have no direction: rows 0, 1, 2"),
        ((np.eye(3), np.full((3, 2), np.nan), 1), {}, "hold NaN or infinity: rows 0, 1, 2"),
    ],
)
def test_bad_input_is_an_error_that_says_what_is_wrong(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        select_combined(*arguments, **options)
