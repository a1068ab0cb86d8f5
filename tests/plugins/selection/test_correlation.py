"""How far two spaces agree, against scipy, closed forms and what chance yields."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kstest, pearsonr, spearmanr

from faceassay_plugins.selection import correlation, distance_correlation

SCIPY = {"cosine": "cosine", "l2": "euclidean"}


@pytest.fixture
def spaces():
    rng = np.random.default_rng(1)
    e = rng.normal(size=(30, 8))
    return e, e[:, :5] + rng.normal(size=(30, 5))


@pytest.mark.parametrize("metric_e", SCIPY)
@pytest.mark.parametrize("metric_c", SCIPY)
def test_the_correlations_are_those_of_scipy(metric_e, metric_c, spaces):
    found = distance_correlation(*spaces, metric_e=metric_e, metric_c=metric_c, permutations=0)
    apart = pdist(spaces[0], SCIPY[metric_e]), pdist(spaces[1], SCIPY[metric_c])
    assert found.pearson.value == pytest.approx(pearsonr(*apart).statistic, abs=1e-12)
    assert found.spearman.value == pytest.approx(spearmanr(*apart).statistic, abs=1e-12)
    assert (found.pairs, found.sampled) == (435, False)


def test_equal_distances_share_their_rank():
    rng = np.random.default_rng(2)
    e, c = rng.integers(1, 4, (12, 2)), rng.integers(1, 4, (12, 2))
    found = distance_correlation(e, c, metric_e="l2", metric_c="l2", permutations=0)
    wanted = spearmanr(pdist(e).round(9), pdist(c).round(9)).statistic
    assert found.spearman.value == pytest.approx(wanted, abs=1e-12)


def test_cka_is_the_alignment_of_the_centred_kernels(spaces):
    kernels = [(x - x.mean(0)) @ (x - x.mean(0)).T for x in spaces]
    wanted = (kernels[0] * kernels[1]).sum() / np.sqrt((kernels[0] ** 2).sum() * (kernels[1] ** 2).sum())
    assert distance_correlation(*spaces, permutations=0).cka.value == pytest.approx(wanted, abs=1e-12)


def test_a_space_agrees_with_itself_turned_shifted_and_scaled(spaces):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))
    found = distance_correlation(spaces[0], 3 * spaces[0] @ turn + 5, metric_e="l2", metric_c="l2")
    assert found.pearson.value == pytest.approx(1, abs=1e-12)
    assert found.spearman.value == pytest.approx(1, abs=1e-9)
    assert found.cka.value == pytest.approx(1, abs=1e-12)
    assert {found.pearson.p_value, found.spearman.p_value, found.cka.p_value} == {1 / 200}


def test_points_on_a_line_and_their_squares_have_the_known_correlation():
    # Distances (1, 4, 3) and (1, 16, 15): the product moment by hand, equal ranks.
    e, c = np.array([[0.0], [1], [4]]), np.array([[0.0], [1], [16]])
    found = distance_correlation(e, c, metric_e="l2", metric_c="l2", permutations=0)
    x, y = np.array([1, 4, 3]) - 8 / 3, np.array([1, 16, 15]) - 32 / 3
    assert found.pearson.value == pytest.approx(x @ y / np.sqrt(x @ x * (y @ y)))
    assert found.spearman.value == pytest.approx(1)


def test_the_null_holds_the_quantiles_of_permuted_classes(spaces):
    # All 120 permutations of five classes; the drawn ones must have the same distribution.
    e, c = (x[:5] for x in spaces)
    exact = [
        pearsonr(pdist(e, "cosine"), pdist(c[list(order)], "cosine")).statistic
        for order in itertools.permutations(range(5))
    ]
    found = distance_correlation(e, c, permutations=2000)
    assert found.pearson.null[0.5] == pytest.approx(np.quantile(exact, 0.5), abs=0.08)
    assert found.pearson.null[0.025] == pytest.approx(np.quantile(exact, 0.025), abs=0.08)
    assert found.pearson.p_value == pytest.approx(np.mean(np.abs(exact) >= abs(found.pearson.value) - 1e-12), abs=0.06)


def test_unrelated_spaces_have_uniform_p_values():
    rng = np.random.default_rng(4)
    found = [
        distance_correlation(rng.normal(size=(12, 4)), rng.normal(size=(12, 4)), permutations=99, seed=seed)
        for seed in range(60)
    ]
    for name in ("pearson", "spearman", "cka"):
        assert kstest([getattr(one, name).p_value for one in found], "uniform").pvalue > 1e-4


@pytest.mark.parametrize("table", [0, 4096])
def test_a_table_of_distances_changes_nothing(table, spaces, monkeypatch):
    wanted = distance_correlation(*spaces, permutations=5)
    monkeypatch.setattr(correlation, "WHOLE_TABLE", table)
    assert distance_correlation(*spaces, permutations=5) == wanted


def test_more_pairs_than_allowed_are_sampled_and_said_to_be(spaces):
    whole = distance_correlation(*spaces, permutations=0)
    found = distance_correlation(*spaces, pairs=300, permutations=9)
    assert (found.pairs, found.sampled, found.permutations) == (300, True, 9)
    assert found.pearson.value == pytest.approx(whole.pearson.value, abs=4 / np.sqrt(300))
    assert found.cka.value == whole.cka.value


def test_the_same_seed_gives_the_same_result(spaces):
    made = [distance_correlation(*spaces, pairs=100, permutations=9, seed=seed) for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    ("e", "c", "message"),
    [
        (np.eye(3), np.eye(4), "3 and 4 classes: give the same classes in both spaces, at least three"),
        (np.eye(2), np.eye(2), "at least three"),
        (np.eye(4), np.eye(4), "all distances of a space are equal"),
        (np.diag([1.0, 0, 1]), np.eye(3), "are zero and have no direction: rows 1"),
        (np.diag([1.0, np.nan, 1]), np.eye(3), "hold NaN or infinity: rows 1"),
    ],
)
def test_bad_input_is_an_error_that_says_what_is_wrong(e, c, message):
    with pytest.raises(ValueError, match=message):
        distance_correlation(e, c)
