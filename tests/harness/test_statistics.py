"""Means, spreads and intervals against the statistics module, NumPy and SciPy."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from faceassay.statistics import Summary, summarise, wilson_interval

values = st.floats(-1e6, 1e6)
counts = st.integers(1, 5000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(st.lists(values, min_size=2, max_size=30))
def test_mean_and_spread_are_those_of_the_statistics_module(sample):
    summary = summarise(sample)
    assert summary.mean == pytest.approx(statistics.fmean(sample), rel=1e-12, abs=1e-9)
    assert summary.sd == pytest.approx(statistics.stdev(sample), rel=1e-9, abs=1e-9)
    assert summary.n == len(sample)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_mean_and_spread_are_those_of_numpy(sample):
    summary = summarise(sample)
    assert summary.mean == pytest.approx(np.mean(sample), rel=1e-12, abs=1e-15)
    assert summary.sd == pytest.approx(np.std(sample, ddof=1), rel=1e-9, abs=1e-12)


def test_a_spread_worked_out_by_hand():
    assert summarise([0.8, 0.9, 1.0]) == Summary(pytest.approx(0.9), pytest.approx(0.1), 3)


def test_one_value_has_no_spread():
    assert summarise([0.25]) == Summary(0.25, None, 1)


def test_equal_values_have_a_spread_of_exactly_zero():
    assert summarise([0.1] * 10).sd == 0.0


def test_a_small_spread_on_a_large_mean_is_not_lost():
    assert summarise([1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.3]).sd == pytest.approx(0.1, rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_the_order_of_the_values_does_not_matter(sample):
    assert summarise(sample) == summarise(sample[::-1])


@pytest.mark.parametrize("sample", [[], [math.nan], [0.1, math.inf], [0.1, -math.inf, 0.2]])
def test_no_value_or_one_that_is_no_number_is_refused(sample):
    with pytest.raises(ValueError, match="at least one finite value"):
        summarise(sample)


@given(counts)
def test_the_interval_is_scipys(case):
    successes, trials = case
    wanted = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_other_levels_are_scipys_too(level):
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    wanted = binomtest(7, 30).proportion_ci(confidence_level=level, method="wilson")
    assert wilson_interval(7, 30, z) == pytest.approx((wanted.low, wanted.high), rel=1e-9)


@given(counts.filter(lambda case: 0 < case[0] < case[1]))
def test_the_ends_are_where_the_score_test_just_rejects(case):
    successes, trials = case
    for end in wilson_interval(successes, trials):
        score = (successes / trials - end) / math.sqrt(end * (1 - end) / trials)
        assert abs(score) == pytest.approx(1.959963984540054, rel=1e-6)


@pytest.mark.parametrize("trials", [1, 5, 515, 100_000])
def test_none_and_all_reach_the_ends(trials):
    assert wilson_interval(0, trials)[0] == pytest.approx(0, abs=1e-15)
    assert wilson_interval(trials, trials)[1] == pytest.approx(1, abs=1e-15)


@given(counts)
def test_the_interval_holds_the_share_and_stays_within_0_and_1(case):
    low, high = wilson_interval(*case)
    assert 0 <= low <= case[0] / case[1] + 1e-12
    assert case[0] / case[1] - 1e-12 <= high <= 1


@given(counts)
def test_failures_have_the_mirrored_interval(case):
    successes, trials = case
    low, high = wilson_interval(successes, trials)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_counts_that_contradict_one_another_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} successes of {trials} trials"):
        wilson_interval(successes, trials)
