"""Times and noise levels against closed forms and a product taken step by step; the weight of the identity term."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faceassay_plugins.generators.id3 import Id3
from faceassay_plugins.generators.id3.schedule import Schedule, identity_weight

PUBLISHED = Schedule(1000, 1e-4, 0.02)


def step_by_step(times, first, last):
    levels, product = [], 1.0
    for i in range(times):
        product *= 1 - (first + (last - first) * i / (times - 1))
        levels.append(math.sqrt((1 - product) / product))
    return levels


def test_the_lowest_level_is_that_of_beta_1():
    assert PUBLISHED.sigmas[0] == pytest.approx(math.sqrt(1e-4 / (1 - 1e-4)), rel=1e-14)


@pytest.mark.parametrize(("times", "first", "last"), [(1000, 1e-4, 0.02), (2, 0.01, 0.03), (50, 0.04, 0.04)])
def test_the_levels_are_those_of_the_product_of_alphas(times, first, last):
    assert Schedule(times, first, last).sigmas == pytest.approx(step_by_step(times, first, last), rel=1e-9)


def test_one_beta_for_all_times_has_a_closed_form():
    levels = Schedule(20, 0.03, 0.03).sigmas
    assert levels == pytest.approx(np.sqrt(0.97 ** -np.arange(1.0, 21) - 1), rel=1e-12)


def test_the_times_of_the_levels_are_their_times():
    assert PUBLISHED.relative_times(PUBLISHED.sigmas) == pytest.approx(np.arange(1, 1001) / 1000, rel=1e-12)


@pytest.mark.parametrize("time", [1, 2, 500, 999])
def test_halfway_between_two_times_is_their_geometric_mean(time):
    between = math.sqrt(PUBLISHED.sigmas[time - 1] * PUBLISHED.sigmas[time])
    assert PUBLISHED.relative_times([between]) == pytest.approx([(time + 0.5) / 1000], rel=1e-9)


def test_levels_beyond_the_schedule_have_its_first_and_its_last_time():
    assert PUBLISHED.relative_times([1e-9, 0.009, 158, 1e6]).tolist() == [0.001, 0.001, 1, 1]


def test_even_quantiles_give_every_time_from_2_to_t_once():
    schedule = Schedule(11, 1e-3, 0.05)
    quantiles = (np.arange(10) + 0.5) / 10
    assert schedule.uniform(quantiles).tolist() == schedule.sigmas[1:].tolist()


def test_the_ends_of_the_quantiles_are_the_second_and_the_last_time():
    assert PUBLISHED.uniform([0.0, 1.0]).tolist() == [PUBLISHED.sigmas[1], PUBLISHED.sigmas[-1]]


def test_the_identity_weight_falls_from_a_quarter():
    assert identity_weight([0, 1]) == pytest.approx([0.25, 0.5 * (1 - math.e / (math.e + 1))])
    assert identity_weight(1).round(3) == 0.134
    assert (np.diff(identity_weight(np.linspace(0, 1, 101))) < 0).all()


def test_the_mean_identity_weight_over_the_times():
    assert identity_weight(np.arange(1, 1001) / 1000).mean() == pytest.approx(0.1899, abs=1e-4)


def test_a_plugin_has_the_schedule_of_its_parameters():
    assert Id3().schedule == PUBLISHED
    assert Id3(timesteps=10, beta_first=0.01, beta_last=0.02).schedule == Schedule(10, 0.01, 0.02)
