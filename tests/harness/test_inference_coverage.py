"""How often 95 % limits hold the true difference, on simulated matrices whose people, seeds and generators are known.

Scores are differences of two rows, person by person and seed by seed, with known effects; people are resampled by the
draws of the protocols. The bounds are four standard errors of a binomial count around what theory says.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from faceassay.inference import effect
from faceassay_protocols.uncertainty.draws import identity_draws

TRUE, LEVEL, RUNS, DRAWS = 0.02, 0.95, 2000, 200


def four_errors(share, runs=RUNS):
    return 4 * math.sqrt(share * (1 - share) / runs)


def scores(random, people, seeds, *, person=0.0, seed=0.0, both=0.0):
    """Return the difference of each seed and person, float [n, L]: the true one and normal effects of these sizes."""
    of_people, of_seeds = random.normal(0, person, people), random.normal(0, seed, (seeds, 1))
    return TRUE + of_people + of_seeds + random.normal(0, both, (seeds, people))


def simulated(people, seeds, *, runs=RUNS, generators=None, generator=0.0, **sizes):
    """Return the effects of ``runs`` matrices."""
    random, counts = np.random.default_rng([people, seeds]), identity_draws(people, DRAWS) / people
    for _ in range(runs):
        of_all = scores(random, people, seeds, **sizes)
        if generators is not None:
            of_all += random.normal(0, generator, max(generators) + 1)[generators][:, None]
        yield effect(of_all.mean(1), of_all @ counts.T, generators)


def covered(effects):
    """Return the share of effects whose limits hold the true difference."""
    limits = [one.interval(LEVEL) for one in effects]
    return np.mean([low <= TRUE <= high for low, high in limits])


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_limits_are_exact_where_seeds_vary(seeds):
    share = covered(simulated(50, seeds, seed=0.01, person=1e-4))
    assert abs(share - LEVEL) < four_errors(LEVEL)


@pytest.mark.parametrize("seeds", [3, 10])
def test_where_people_vary_limits_are_too_wide_by_as_much_as_few_degrees_cost(seeds):
    """The bootstrap over L people is on L - 1 degrees, and (L - 1) / L of their variance; t is on n - 1 degrees."""
    people = 100
    half = stats.t.ppf(0.975, seeds - 1) * math.sqrt((people - 1) / people)
    theory = 1 - 2 * stats.t.sf(half, people - 1)
    assert theory > LEVEL + 0.02
    # 200 draws leave the variance over people 10 % of noise, which moves the share by less than 0.004
    assert abs(covered(simulated(people, seeds, person=0.05)) - theory) < four_errors(theory) + 0.004


@pytest.mark.parametrize(("seeds", "seed"), [(3, 0.005), (3, 0.015), (5, 0.005), (10, 0.015)])
def test_where_both_vary_limits_hold_at_least_as_often_as_they_say(seeds, seed):
    assert covered(simulated(60, seeds, person=0.05, seed=seed)) > LEVEL - four_errors(LEVEL)


def test_the_interaction_of_seeds_and_people_is_counted_twice():
    seeds, people, size = 5, 60, 0.1
    effects = list(simulated(people, seeds, both=size))
    ratio = np.mean([one.standard_error**2 for one in effects]) / (size**2 / (seeds * people))
    # (L - 1) / L of the part over people; the mean of 2000 variances is known to 2 %
    assert ratio == pytest.approx(1 + (people - 1) / people, rel=0.04)
    assert covered(effects) > LEVEL


def test_limits_over_fewer_people_than_seeds_are_too_narrow_by_as_much_as_theory_says():
    people, seeds = 6, 10
    half = stats.t.ppf(0.975, seeds - 1) * math.sqrt((people - 1) / people)
    theory = 1 - 2 * stats.t.sf(half, people - 1)
    assert theory < 0.91
    share = covered(simulated(people, seeds, person=0.05))
    assert abs(share - theory) < four_errors(theory) + 0.01  # 0.01: the noise of 200 draws


def test_limits_over_generators_are_exact_where_these_vary():
    nested = np.tile(np.arange(4), 3)
    share = covered(simulated(50, 12, seed=0.002, generators=nested, generator=0.02))
    # where seeds are found to vary more than generators the larger part is taken, which is rare here
    assert abs(share - LEVEL) < four_errors(LEVEL)


@pytest.mark.parametrize("generator", [0.0, 0.005])
def test_limits_over_generators_hold_where_these_vary_as_seeds_do_or_not_at_all(generator):
    nested = np.tile(np.arange(3), 2)
    share = covered(simulated(50, 6, seed=0.01, generators=nested, generator=generator))
    assert share > LEVEL - four_errors(LEVEL)


def test_limits_that_forget_the_generators_are_far_too_narrow():
    """Why seeds must not stand for generators: with 4 generators of 3 seeds half of the limits miss."""
    random, nested = np.random.default_rng(0), np.tile(np.arange(4), 3)
    missed = []
    for _ in range(500):
        values = TRUE + random.normal(0, 0.02, 4)[nested] + random.normal(0, 0.002, 12)
        low, high = effect(values, [np.zeros(DRAWS)] * 12).interval()
        missed.append(not low <= TRUE <= high)
    assert np.mean(missed) > 0.2


@pytest.mark.parametrize("seeds", [3, 6])
def test_limits_hold_on_pairs_that_share_people(seeds):
    """Pairs of two people weigh the product of both; a pair differs by what its people and seed add, and by chance."""
    people, runs = 40, 1000
    random, counts = np.random.default_rng(seeds), identity_draws(people, DRAWS).astype(float)
    off = 1.0 - np.eye(people)
    weight = np.einsum("rl,rl->r", counts @ off, counts)
    effects = []
    for _ in range(runs):
        of_people = random.normal(0, 0.05, people)
        chance = random.normal(0, 0.1, (seeds, people, people)) + random.normal(0, 0.01, (seeds, 1, 1))
        pairs = (TRUE + of_people[:, None] + of_people + chance) * off
        resampled = np.einsum("nrl,rl->nr", counts @ pairs, counts) / weight
        effects.append(effect(pairs.sum((1, 2)) / off.sum(), resampled))
    assert covered(effects) > LEVEL - four_errors(LEVEL, runs)


def test_a_true_null_is_called_different_no_more_often_than_said():
    rejected = [one.p_greater(TRUE) < 0.025 for one in simulated(60, 4, person=0.03, seed=0.005, both=0.05)]
    assert np.mean(rejected) < 0.025 + four_errors(0.025)


def test_rows_at_the_margin_are_called_equivalent_no_more_often_than_said():
    """The true difference is the margin itself: the worst case of the hypothesis that rows are not equivalent."""
    called = [one.p_equivalent(TRUE) < 0.05 for one in simulated(60, 4, person=0.01, seed=0.003)]
    assert np.mean(called) < 0.05 + four_errors(0.05)
