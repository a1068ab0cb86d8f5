"""The closest and farthest pairs against every pair's distance computed one by one, with ties, limits and bad input."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from faceassay_plugins.selection import distances, extremes, select_pairs
from pair_orders import brute_force, capped

ORDERS, METRICS = ("closest", "farthest"), ("cosine", "l2")


def chosen(centres, count, **options):
    return [tuple(pair) for pair in select_pairs(centres, count, **options).tolist()]


@pytest.fixture(params=[(2, 2), (5, 3)], ids=["tiny blocks", "small blocks"])
def small_blocks(request, monkeypatch):
    """Let a few classes make many blocks and many siftings."""
    height, width = request.param
    monkeypatch.setattr(extremes, "HEIGHT", height)
    monkeypatch.setattr(extremes, "WIDTH", width)
    monkeypatch.setattr(extremes, "SPARE", 0)
    monkeypatch.setattr(distances, "TOGETHER", 7)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [1, 7, 40, 300])
def test_the_pairs_are_those_of_the_brute_force(count, order, metric, small_blocks):
    centres = np.random.default_rng(1).normal(size=(25, 6)).astype(np.float32)
    assert chosen(centres, count, order=order, metric=metric) == brute_force(centres, order, metric)[:count]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("order", ORDERS)
def test_the_pairs_are_those_of_scipy(order, metric):
    centres = np.random.default_rng(2).normal(size=(300, 64))
    apart = pdist(centres, {"cosine": "cosine", "l2": "euclidean"}[metric])
    everything = np.array(list(itertools.combinations(range(300), 2)))
    wanted = everything[np.argsort(apart if order == "closest" else -apart, kind="stable")[:500]]
    assert np.array_equal(select_pairs(centres, 500, order=order, metric=metric), wanted)


# Small whole numbers make many pairs equally far apart: mirrored, repeated and permuted rows.
TIED = st.integers(2, 9).flatmap(
    lambda classes: st.tuples(
        arrays(np.int8, (classes, 2), elements=st.integers(-2, 2)), st.integers(1, classes * (classes - 1) // 2)
    )
)


@given(TIED, st.sampled_from(ORDERS), st.sampled_from(METRICS), st.booleans())
@settings(max_examples=150, deadline=None)
def test_ties_are_broken_by_index(case, order, metric, in_blocks):
    centres, count = case
    centres = np.where(centres.any(1, keepdims=True), centres, 1)
    with pytest.MonkeyPatch.context() as patched:
        if in_blocks:
            for name, value in {"HEIGHT": 2, "WIDTH": 3, "SPARE": 0}.items():
                patched.setattr(extremes, name, value)
        assert chosen(centres, count, order=order, metric=metric) == brute_force(centres, order, metric)[:count]


@given(st.integers(0, 2**32), st.sampled_from(ORDERS))
@settings(max_examples=60, deadline=None)
def test_pairs_that_float32_cannot_tell_apart_are_told_apart(seed, order):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=4) + 1e-7 * rng.normal(size=(14, 4))  # relative 6e-8 is a unit of float32
    assert chosen(centres, 20, order=order, metric="l2") == brute_force(centres, order, "l2")[:20]


def cosine_distance(a, b):
    """Return 1 - cos to fifty digits."""
    a, b = ([Decimal(float(number)) for number in vector] for vector in (a, b))
    lengths = sum(x * x for x in a).sqrt() * sum(x * x for x in b).sqrt()
    return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / lengths


@given(st.integers(0, 2**32), st.sampled_from(ORDERS))
@settings(max_examples=30, deadline=None)
def test_cosines_that_float32_cannot_tell_apart_are_told_apart_as_far_as_float64_can(seed, order):
    """Distances are some 1e-12; float64 rounds each by up to (4 d + 64) 2^-53 (``extremes``): two can swap."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=4) + 1e-6 * rng.normal(size=(14, 4))
    with localcontext() as context:
        context.prec = 50
        distances_of = {p: cosine_distance(*centres[list(p)]) for p in itertools.combinations(range(14), 2)}
    best = sorted(distances_of.values(), reverse=order == "farthest")[:20]
    found = [distances_of[pair] for pair in chosen(centres, 20, order=order, metric="cosine")]
    assert max(abs(a - b) for a, b in zip(found, best, strict=True)) <= 2 * (4 * 4 + 64) * 2.0**-53


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("far", [1e6, 1e15, 1e30])
def test_a_class_far_away_hides_no_difference_among_the_others(far, order, small_blocks):
    centres = np.random.default_rng(3).normal(size=(20, 3))
    centres[4] *= far
    assert chosen(centres, 30, order=order, metric="l2") == brute_force(centres, order, "l2")[:30]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("metric", METRICS)
def test_the_unit_of_the_vectors_changes_no_pair(metric, scale):
    centres = np.random.default_rng(4).normal(size=(20, 3)) * scale
    assert chosen(centres, 30, metric=metric) == brute_force(centres, "farthest", metric)[:30]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("metric", METRICS)
def test_few_pairs_wait_for_float64_where_all_vectors_point_one_way(metric, order):
    # Cosines from 0.999996 on: what is common to all is taken out before float32 sees them.
    rows = distances.checked_rows(1 + 1e-3 * np.random.default_rng(9).normal(size=(300, 64)), metric)
    scores = extremes._scores(rows, order, metric)
    product = scores.left @ scores.right.T
    spread = product[np.triu_indices(300, 1)].std()
    assert 2 * scores.slack.max() < 1e-3 * spread


def test_all_alike_comes_in_the_order_of_the_pairs(small_blocks):
    everything = list(itertools.combinations(range(12), 2))
    for order, metric in itertools.product(ORDERS, METRICS):
        assert chosen(np.ones((12, 5)), 20, order=order, metric=metric) == everything[:20]


def test_points_on_a_circle_have_their_known_neighbours_and_opposites():
    angles = 2 * np.pi * np.array([0, 1, 3, 7, 12, 20]) / 40
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert chosen(circle, 3, order="closest") == [(0, 1), (1, 2), (0, 2)]
    assert chosen(circle, 2, order="farthest") == [(0, 5), (1, 5)]


def test_l2_heeds_lengths_and_cosine_does_not():
    centres = np.array([[1.0, 0], [10, 0], [0, 1]])
    assert chosen(centres, 1, order="closest", metric="cosine") == [(0, 1)]
    assert chosen(centres, 1, order="closest", metric="l2") == [(0, 2)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pairs_are_int64_rows_with_the_smaller_index_first(count):
    pairs = select_pairs(np.eye(3), count)
    assert (pairs.dtype, pairs.shape) == (np.int64, (count, 2))
    assert (pairs[:, 0] < pairs[:, 1]).all()


def test_the_vectors_are_not_written_to():
    centres = np.random.default_rng(5).normal(size=(6, 3))
    before = centres.copy()
    for metric in METRICS:
        select_pairs(centres, 4, metric=metric)
    assert np.array_equal(centres, before)


# --- the bound that lets float32 leave pairs out


@given(
    st.integers(0, 2**32), st.integers(1, 700), st.floats(-20, 20), st.sampled_from(ORDERS), st.sampled_from(METRICS)
)
@settings(max_examples=60, deadline=None)
def test_no_score_is_further_off_than_its_slack(seed, numbers, exponent, order, metric):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(8, numbers)) * np.exp(rng.normal(size=(8, 1)) * 3) + rng.normal() * 2.0**exponent
    rows = distances.checked_rows(rows, metric)
    scores = extremes._scores(rows, order, metric)
    computed = (scores.left @ scores.right.T).astype(np.float64)
    sign = 1 if order == "closest" else -1
    longest = np.linalg.norm(rows - rows.mean(0), axis=1).max()
    scale = 2.0 ** -math.ceil(math.log2(longest)) if longest else 2.0**500
    if metric == "cosine":
        exact = [[-sign * (2 - 2 * math.fsum(a * b)) * scale**2 for b in rows] for a in rows]
    else:
        exact = [[-sign * math.fsum(((a - b) * scale) ** 2) for b in rows] for a in rows]
    assert (np.abs(computed - exact) <= scores.slack[:, None] + scores.slack).all()


# --- a limit on how often a class is used


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("count", "max_uses"), [(5, 1), (10, 2), (24, 3), (20, 9)])
@pytest.mark.parametrize("at_once", [0, 2**18])
def test_a_limited_choice_is_the_greedy_one(at_once, count, max_uses, order, metric, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.selection.capping.ALL_AT_ONCE", at_once)
    centres = np.random.default_rng(6).normal(size=(18, 4))
    wanted = capped(brute_force(centres, order, metric), count, max_uses)
    assert len(wanted) == count
    assert chosen(centres, count, order=order, metric=metric, max_uses=max_uses) == wanted


def test_a_hub_does_not_keep_the_walk_from_going_deep(monkeypatch):
    # The first class is farthest from all: the first 59 pairs are its, and only one of them may be taken.
    monkeypatch.setattr("faceassay_plugins.selection.capping.ALL_AT_ONCE", 0)
    centres = np.random.default_rng(7).normal(size=(60, 3))
    centres[0] = 100
    wanted = capped(brute_force(centres, "farthest", "l2"), 5, 1)
    assert chosen(centres, 5, metric="l2", max_uses=1) == wanted


@given(TIED, st.integers(1, 4), st.sampled_from(ORDERS))
@settings(max_examples=100, deadline=None)
def test_a_limited_choice_is_greedy_with_ties_or_says_how_many_it_found(case, max_uses, order):
    centres, count = case
    count = min(count, len(centres) * max_uses // 2)
    wanted = capped(brute_force(centres, order, "l2"), count, max_uses)
    if len(wanted) == count:
        assert chosen(centres, count, order=order, metric="l2", max_uses=max_uses) == wanted
    else:
        with pytest.raises(ValueError, match=f"only {len(wanted)} of {count} pairs found with max_uses={max_uses}"):
            select_pairs(centres, count, order=order, metric="l2", max_uses=max_uses)


def test_a_greedy_choice_that_gets_stuck_says_how_many_it_found():
    # 01, 02 and 12 use up three classes; the fourth has nobody left.
    centres = np.array([[0.0], [1], [2], [50]])
    with pytest.raises(ValueError, match=r"only 3 of 4 pairs found with max_uses=2: .*raise 'max_uses'"):
        select_pairs(centres, 4, order="closest", metric="l2", max_uses=2)


# --- bad input


@pytest.mark.parametrize(
    ("centres", "options", "message"),
    [
        (np.eye(3), {"count": 4}, "3 classes make 3 pairs, 4 are asked for: lower 'pairs'"),
        (np.eye(1), {"count": 1}, "1 classes make 0 pairs, 1 are asked for"),
        (np.eye(3), {"count": -1}, "must be at least 0"),
        (np.eye(6), {"count": 7, "max_uses": 2}, "6 classes used at most 2 times each make 6 pairs at most, 7 are"),
        (np.eye(3), {"count": 1, "order": "nearest"}, "order must be 'closest' or 'farthest'"),
        (np.eye(3), {"count": 1, "metric": "manhattan"}, "metric must be 'cosine' or 'l2'"),
        (np.zeros((2, 3, 4)), {"count": 1}, r"must be \[L, d\] \(got \[2, 3, 4\]\)"),
        (np.diag([1.0, np.nan, np.inf]), {"count": 1}, "2 class vectors hold NaN or infinity: rows 1, 2"),
        (np.diag([1.0, 0, 0, 1]), {"count": 1}, "2 class vectors are zero and have no direction: rows 1, 2"),
        (np.zeros((9, 2)), {"count": 1}, "9 class vectors are zero .*: rows 0, 1, 2, 3, 4, ..."),
    ],
)
def test_bad_input_is_an_error_that_says_what_is_wrong(centres, options, message):
    with pytest.raises(ValueError, match=message):
        select_pairs(centres, **options)


def test_a_zero_vector_has_a_euclidean_distance():
    assert chosen(np.array([[0.0], [1], [3]]), 1, order="closest", metric="l2") == [(0, 1)]


# --- distances


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("strip", [1, 3, 256])
def test_a_distance_has_the_same_bits_however_it_is_computed(strip, metric, monkeypatch):
    monkeypatch.setattr(distances, "STRIP", strip)
    rows = distances.checked_rows(np.random.default_rng(8).normal(size=(23, 37)), metric)
    pairs = np.array(list(itertools.combinations(range(23), 2)))
    together = distances.pair_distances(rows, pairs, metric)
    alone = [distances.pair_distances(rows, pair[None, ::-1], metric)[0] for pair in pairs]
    assert np.array_equal(distances.all_distances(rows, metric), together)
    assert np.array_equal(alone, together)
