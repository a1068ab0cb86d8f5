"""Inference on paired differences against published tables, SciPy, brute force and definitions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from faceassay.inference import (
    FEWEST_DRAWS,
    Effect,
    detectable,
    effect,
    estimate,
    holm,
    intersection_union,
    student_quantile,
    student_tail,
)

PUBLISHED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 30: 2.042, 120: 1.980}
"""Upper 2.5 % points of Student's t as the tables of textbooks print them (Fisher and Yates)."""
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def draws(seeds, variance, count=FEWEST_DRAWS):
    """Return replicates of each seed that all have this variance over draws, the same in every seed."""
    random = np.random.default_rng(0).normal(size=count)
    return [math.sqrt(variance) * random / random.std(ddof=1)] * seeds


@pytest.mark.parametrize(("degrees", "printed"), PUBLISHED.items())
def test_quantiles_are_those_of_the_tables(degrees, printed):
    assert round(student_quantile(0.975, degrees), 3) == printed


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 30, 501])
@pytest.mark.parametrize("t", [-40.0, -2.5, 0.0, 0.3, 4.0, 60.0])
def test_the_tail_is_scipys(degrees, t):
    # a sum of at most 250 terms and one subtraction from 1 in float64
    assert student_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), abs=1e-13)


@pytest.mark.parametrize("degrees", [0, -1, 2.5])
def test_degrees_that_are_none_are_refused(degrees):
    with pytest.raises(ValueError, match="a whole number from 1"):
        student_tail(1.0, degrees)


@pytest.mark.parametrize("probability", [0.4, 1.0, math.nan])
def test_a_quantile_outside_is_refused(probability):
    with pytest.raises(ValueError, match="below 1"):
        student_quantile(probability, 3)


def test_the_parts_of_a_variance_by_hand():
    found = effect([0.01, 0.02, 0.06], draws(3, 0.0004))
    assert found.mean == pytest.approx(0.03)
    assert found.people == pytest.approx(0.0004)
    assert found.seeds == pytest.approx(0.0007 / 3)  # (0.02^2 + 0.01^2 + 0.03^2) / 2 = 0.0007
    assert (found.generators, found.degrees, found.seeds_used) == (0.0, 2, 3)
    assert found.standard_error == pytest.approx(math.sqrt(0.0004 + 0.0007 / 3))
    half = 4.302652729911275 * found.standard_error
    assert found.interval() == pytest.approx((0.03 - half, 0.03 + half))


def test_people_vary_as_the_mean_over_seeds_does_draw_by_draw():
    one = draws(1, 1.0)[0]
    assert effect([1.0, 2.0, 3.0], [one, -one, one]).people == pytest.approx(1 / 9)


def test_without_people_it_is_the_paired_t_test():
    differences = [0.4, 0.1, 0.35, 0.2, 0.5]
    found = effect(differences, [np.zeros(FEWEST_DRAWS)] * 5)
    test = stats.ttest_1samp(differences, 0)
    assert found.p_different() == pytest.approx(test.pvalue, rel=1e-9)
    assert found.interval() == pytest.approx(tuple(test.confidence_interval()), rel=1e-9)
    assert found.p_greater(0.1) == pytest.approx(stats.ttest_1samp(differences, 0.1, alternative="greater").pvalue)
    assert found.p_less(0.4) == pytest.approx(stats.ttest_1samp(differences, 0.4, alternative="less").pvalue)


def test_generators_are_a_one_way_analysis_of_variance():
    of_generators = {0: [1.0, 1.4], 1: [2.0, 2.2], 2: [0.1, 0.3]}
    differences = [of_generators[i % 3][i // 3] for i in range(6)]
    found = effect(differences, [np.zeros(FEWEST_DRAWS)] * 6, generators=[i % 3 for i in range(6)])
    within = np.mean([np.var(group, ddof=1) for group in of_generators.values()])
    means = [np.mean(group) for group in of_generators.values()]
    assert found.seeds == pytest.approx(within / 6)
    assert found.generators == pytest.approx(np.var(means, ddof=1) / 3 - within / 6)
    assert found.degrees == 2
    f = stats.f_oneway(*of_generators.values()).statistic
    assert 1 + found.generators / found.seeds == pytest.approx(f)


def test_generators_that_do_not_differ_add_nothing_and_take_nothing_away():
    found = effect([1.0, 1.0, 2.0, 2.0], [np.zeros(FEWEST_DRAWS)] * 4, generators=[0, 1, 0, 1])
    assert (found.generators, found.seeds, found.degrees) == (0.0, pytest.approx(0.5 / 4), 1)


@pytest.mark.parametrize("generators", [None, [7, 7, 7], [0, 1, 2]])
def test_one_generator_or_one_for_each_seed_leaves_the_variance_over_seeds(generators):
    found = effect([1.0, 2.0, 4.0], draws(3, 1.0), generators)
    assert (found.generators, found.degrees) == (0.0, 2)
    assert found.seeds == pytest.approx(np.var([1, 2, 4], ddof=1) / 3)


def test_draws_that_leave_a_seed_undefined_are_left_out():
    replicates = np.array(draws(3, 1.0, FEWEST_DRAWS + 2))
    replicates[1, 0] = replicates[2, 1] = np.nan
    assert effect([1.0, 2.0, 3.0], replicates).people == pytest.approx(np.var(replicates[0, 2:], ddof=1))


@pytest.mark.parametrize(
    ("differences", "replicates", "generators", "said"),
    [
        ([0.1, 0.2], draws(2, 1.0), None, "2 seeds: inconclusive, 3 are needed"),
        ([0.1], draws(1, 1.0), None, "1 seed: inconclusive, 3 are needed"),
        ([0.1, math.nan, 0.2], draws(3, 1.0), None, "finite"),
        ([0.1, math.inf, 0.2], draws(3, 1.0), None, "finite"),
        ([0.1, 0.2, 0.3], draws(2, 1.0), None, "as many of each seed"),
        ([0.1, 0.2, 0.3], [*draws(2, 1.0), np.zeros(FEWEST_DRAWS + 1)], None, "as many of each seed"),
        ([0.1, 0.2, 0.3], draws(3, 1.0, FEWEST_DRAWS - 1), None, "49 of 49 replicates are defined: 50 are needed"),
        ([0.1, 0.2, 0.3], [np.full(99, np.nan)] * 3, None, "0 of 99 replicates are defined"),
        ([0.1, 0.2, 0.3], draws(3, 1.0), [0, 1], "2 generators of 3 seeds"),
        ([0.1, 0.2, 0.3], draws(3, 1.0), [0, 1, 0], "generators with 2, 1 seeds"),
        ([0.1, 0.1, 0.1], draws(3, 0.0), None, "nothing to judge it by"),
        ([0.3 - 0.2, 0.1, 0.4 - 0.3], draws(3, 0.0), None, "nothing to judge it by"),
    ],
)
def test_what_allows_no_conclusion_is_refused(differences, replicates, generators, said):
    with pytest.raises(ValueError, match=said):
        effect(differences, replicates, generators)


def test_two_seeds_give_an_estimate_to_plan_by():
    assert estimate([0.1, 0.3], draws(2, 0.5)).degrees == 1


@given(p_values)
def test_holm_is_the_closed_test_of_bonferroni(p):
    everything = range(len(p))
    sets = [of for size in range(1, len(p) + 1) for of in combinations(everything, size)]
    intersection = {of: min(1.0, len(of) * min(p[i] for i in of)) for of in sets}
    closed = [max(intersection[of] for of in sets if i in of) for i in everything]
    assert holm(p) == pytest.approx(closed, rel=1e-12)


def test_holm_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_on_every_one_is_the_largest_p_and_needs_one():
    assert intersection_union([0.01, 0.2, 0.03]) == 0.2
    with pytest.raises(ValueError, match="no p-value"):
        intersection_union([])


@given(st.floats(-0.1, 0.1), st.floats(1e-4, 0.05), st.integers(1, 20), st.floats(1e-3, 0.2))
def test_equivalence_is_the_interval_of_twice_the_level_inside_the_margin(mean, error, degrees, margin):
    found = Effect(mean, error**2, 0.0, 0.0, degrees, degrees + 1)
    low, high = found.interval(0.9)
    inside = -margin < low and high < margin
    assert (found.p_equivalent(margin) < 0.05) == inside or min(abs(low + margin), abs(high - margin)) < 1e-9


@pytest.mark.parametrize("margin", [0.0, -0.01, math.nan])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(ValueError, match="above 0"):
        Effect(0.0, 1.0, 0.0, 0.0, 2, 3).p_equivalent(margin)


@pytest.mark.parametrize("degrees", [2, 3, 9, 30])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_what_is_detectable_has_its_power_under_scipys_noncentral_t(degrees, power):
    shift, critical = detectable(1.0, degrees, power=power), stats.t.ppf(0.975, degrees)
    reached = stats.nct.sf(critical, degrees, shift) + stats.nct.cdf(-critical, degrees, shift)
    assert reached == pytest.approx(power, abs=1e-9)


def test_three_paired_seeds_can_show_an_effect_of_three_standard_deviations_at_best():
    """Power tables give 3.26 for a paired t test of 3 (two-sided 5 %, 80 %) and 0.996 for one of 10."""
    assert detectable(1 / math.sqrt(3), 2) == pytest.approx(3.26, abs=0.005)
    assert detectable(1 / math.sqrt(10), 9) == pytest.approx(0.996, abs=0.0005)


def test_with_many_seeds_it_is_the_rule_of_the_normal_distribution():
    assert detectable(1.0, 10_000) == pytest.approx(1.959964 + 0.841621, abs=1e-3)


def test_simulated_runs_find_what_is_detectable_as_often_as_said():
    runs, seeds, sd = 20_000, 4, 0.01
    random, true = np.random.default_rng(1), detectable(sd / 2, seeds - 1)
    found = stats.ttest_1samp(random.normal(true, sd, (seeds, runs)), 0).pvalue < 0.05
    assert abs(found.mean() - 0.8) < 4 * math.sqrt(0.8 * 0.2 / runs)


@pytest.mark.parametrize("t", [2.0, 10.0, 60.0, 1000.0, 1e6])
def test_far_out_a_tail_keeps_its_digits(t):
    """Closed forms of one and two degrees of freedom that subtract nothing; SciPy for nine."""
    u = t / math.sqrt(2 + t * t)
    assert student_tail(t, 1) == pytest.approx(math.atan(1 / t) / math.pi, rel=1e-12, abs=0)
    assert student_tail(t, 2) == pytest.approx(1 / ((2 + t * t) * (1 + u)), rel=1e-12, abs=0)
    assert student_tail(t, 9) == pytest.approx(float(stats.t.sf(t, 9)), rel=1e-10, abs=0)
