"""Means, spreads and intervals against the statistics module, NumPy and SciPy."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from faceassay.statistics import (
    Resampled,
    Summary,
    binomial_interval,
    mean_replicates,
    poisson_interval,
    resampled_mean,
    summarise,
    wilson_interval,
)

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


GARWOOD = {
    1: (0.0253, 5.5716),
    2: (0.2422, 7.2247),
    5: (1.6235, 11.6683),
    8: (3.4538, 15.7632),
    10: (4.7954, 18.3904),
    20: (12.2165, 30.8884),
}
"""95 % limits of a Poisson mean as printed in tables."""


def poisson_at_most(count, mean):
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def binomial_at_most(count, trials, share):
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count + 1))


@pytest.mark.parametrize("count", GARWOOD)
def test_poisson_limits_are_those_of_the_tables(count):
    assert poisson_interval(count) == pytest.approx(GARWOOD[count], abs=5e-5)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_no_event_at_all_has_a_closed_form(level):
    assert poisson_interval(0, level) == (0.0, pytest.approx(-math.log((1 - level) / 2)))


@given(st.integers(1, 300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_at_the_poisson_limits_the_count_is_just_too_extreme(count, level):
    low, high = poisson_interval(count, level)
    assert poisson_at_most(count, high) == pytest.approx((1 - level) / 2, rel=1e-6)
    assert 1 - poisson_at_most(count - 1, low) == pytest.approx((1 - level) / 2, rel=1e-6)


@pytest.mark.parametrize("trials", [1, 3, 500, 19_557])
def test_none_and_all_of_the_trials_have_closed_forms(trials):
    end = 0.025 ** (1 / trials)
    assert binomial_interval(0, trials) == (0.0, pytest.approx(1 - end))
    assert binomial_interval(trials, trials) == (pytest.approx(end), 1.0)


@given(st.integers(2, 300).flatmap(lambda trials: st.tuples(st.integers(1, trials - 1), st.just(trials))))
def test_at_the_binomial_limits_the_count_is_just_too_extreme(case):
    successes, trials = case
    low, high = binomial_interval(successes, trials)
    assert binomial_at_most(successes, trials, high) == pytest.approx(0.025, rel=1e-6)
    assert binomial_at_most(trials - successes, trials, 1 - low) == pytest.approx(0.025, rel=1e-6)


@settings(deadline=None)
@given(counts, st.sampled_from([0.5, 0.9, 0.99]))
def test_exact_binomial_limits_are_scipys(case, level):
    wanted = binomtest(*case).proportion_ci(confidence_level=level, method="exact")
    assert binomial_interval(*case, level) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-12)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="a count of -1"):
        poisson_interval(-1)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_exact_limits_of_contradicting_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} successes of {trials} trials"):
        binomial_interval(successes, trials)


@pytest.mark.parametrize("level", [0, 1, 95, math.nan])
def test_a_level_that_is_no_share_is_refused(level):
    for limits in (lambda: poisson_interval(3, level), lambda: binomial_interval(3, 5, level)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            limits()


def quantile(sample, share):
    """Interpolate between the two order statistics around ``share`` of the way through the sorted sample."""
    ordered, place = sorted(sample), share * (len(sample) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def test_the_limits_of_one_resampled_number_are_its_percentiles():
    assert resampled_mean([np.arange(101.0)]) == Resampled(pytest.approx(2.5), pytest.approx(97.5), 101, 101)


def test_numbers_of_the_same_draws_are_averaged_draw_by_draw():
    """So what goes up in one where it goes down in the other leaves their mean where it is."""
    rising = np.arange(101.0)
    assert resampled_mean([rising, 2 * rising]) == Resampled(pytest.approx(3.75), pytest.approx(146.25), 101, 101)
    assert resampled_mean([rising, rising[::-1]]) == Resampled(50.0, 50.0, 101, 101)


def test_a_draw_in_which_one_number_is_undefined_is_left_out_and_counted():
    first, second = np.array([0.1, math.nan, 0.3, 0.5, 0.9]), np.array([0.3, 0.4, 0.5, math.nan, 0.1])
    limits = resampled_mean([first, second], level=0.5)
    assert (limits.used, limits.drawn) == (3, 5)
    assert (limits.low, limits.high) == (pytest.approx(0.3), pytest.approx(0.45))


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 40).flatmap(
        lambda draws: st.lists(st.lists(st.floats(0, 1), min_size=draws, max_size=draws), min_size=1, max_size=4)
    ),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_resampled_limits_are_interpolated_order_statistics(replicates, level):
    means = [math.fsum(of_draw) / len(of_draw) for of_draw in zip(*replicates, strict=True)]
    limits = resampled_mean([np.array(of_one) for of_one in replicates], level)
    expected = (quantile(means, (1 - level) / 2), quantile(means, (1 + level) / 2))
    assert (limits.low, limits.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "replicates",
    [
        [],
        [np.empty(0), np.empty(0)],
        [np.empty(0), np.ones(5)],
        [np.ones(4), np.ones(5)],
        [np.array([math.nan, 1.0]), np.array([1.0, math.nan])],
    ],
)
def test_there_are_no_limits_without_draws_that_all_numbers_share(replicates):
    assert resampled_mean(replicates) is None


def test_resampled_limits_need_a_level_that_is_a_share():
    with pytest.raises(ValueError, match="between 0 and 1"):
        resampled_mean([np.ones(3)], level=95)


def test_replicates_within_a_group_stay_draw_by_draw():
    first, second = np.array([0.0, 0.2, 0.4]), np.array([1.0, 0.6, 0.2])
    assert mean_replicates([[first, second]]) == pytest.approx(np.array([0.5, 0.4, 0.3]))


def test_groups_with_the_same_draws_are_not_taken_for_one_draw():
    """Two equal groups of independent draws: the mean has half the variance of one, not all of it."""
    drawn = np.random.default_rng(0).normal(size=4000)
    assert np.var(mean_replicates([[drawn], [drawn]])) == pytest.approx(np.var(drawn) / 2, rel=0.1)


def test_the_shortest_of_the_replicates_counts():
    assert len(mean_replicates([[np.zeros(200)], [np.zeros(1000), np.zeros(1000)]])) == 200
    assert len(mean_replicates([[np.zeros(200)], [np.empty(0)]])) == 0
