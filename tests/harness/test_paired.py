"""Differences between rows: paired by seed and draw, over parts and members, inconclusive where anything is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faceassay.inference import effect
from faceassay.paired import NO_REPLICATES, Pairing, difference, generators_read
from finished_matrix import COLUMNS, SEEDS, finished_matrix
from scored_matrix import FAR, NEAR, ROWS, WITH_GENERATOR, scored, steady

DRAWS = np.random.default_rng(0).normal(0, 0.01, (6, 80))


def column(values):
    """Return values of the three rows on ``near`` and ``far``: the given ones for 'Blend + real', 0.5 for the rest."""
    filled = {(row, name): [0.5] * len(values) for row in ROWS for name in ("near", "far")}
    filled["Blend + real", "near"] = list(values)
    drawn = {key: DRAWS[number] for number, key in enumerate(filled)}
    return filled, drawn


def test_a_difference_is_paired_by_seed_and_by_draw(tmp_path):
    values, drawn = column([0.51, 0.53, 0.58])
    found = difference([scored(tmp_path, values, drawn)], "Blend + real", "Real", [NEAR])
    assert found.values == pytest.approx((0.01, 0.03, 0.08))
    assert (found.method, found.against, found.column) == ("Blend + real", "Real", "near/distance:1")
    assert (found.reason, found.estimate) == ("", found.effect)
    shared = drawn["Blend + real", "near"] - drawn["Real", "near"]
    assert found.effect.people == pytest.approx(np.var(shared, ddof=1), rel=1e-9)
    assert found.effect.mean == pytest.approx(0.04)


def test_the_other_way_round_it_has_the_other_sign(tmp_path):
    results = scored(tmp_path, *column([0.51, 0.53, 0.58]))
    one = difference([results], "Blend", "Blend + real", [NEAR])
    other = difference([results], "Blend + real", "Blend", [NEAR])
    assert other.effect.interval() == pytest.approx(tuple(-limit for limit in reversed(one.effect.interval())))


def test_what_two_rows_share_cancels(tmp_path):
    """People who are hard for both rows are hard for both: the difference does not vary with them."""
    values, drawn = column([0.51, 0.53, 0.58])
    drawn = {key: 10 * DRAWS[5] + around for key, around in drawn.items()}
    found = difference([scored(tmp_path, values, drawn)], "Blend + real", "Real", [NEAR])
    assert found.effect.people < np.var(DRAWS[5], ddof=1) * 5


def test_an_average_is_the_mean_of_its_members_seed_by_seed_with_draws_apart(tmp_path):
    values, drawn = column([0.51, 0.53, 0.58])
    found = difference([scored(tmp_path, values, drawn)], "Blend + real", "Real", [NEAR, FAR])
    assert found.values == pytest.approx((0.005, 0.015, 0.04))
    near, far = (drawn["Blend + real", name] - drawn["Real", name] for name in ("near", "far"))
    assert found.effect.people == pytest.approx(np.var((near + np.roll(far, -1)) / 2, ddof=1), rel=1e-9)
    assert found.column == "near/distance:1, far/distance:2"


def test_parts_are_averaged_by_seed_and_their_draws_are_independent(tmp_path):
    first = scored(tmp_path, *column([0.51, 0.53, 0.58]))
    values, drawn = column([0.55, 0.55, 0.60])
    second = scored(tmp_path, values, drawn)
    found = difference([first, second], "Blend + real", "Real", [NEAR])
    assert found.values == pytest.approx((0.03, 0.04, 0.09))
    shared = drawn["Blend + real", "near"] - drawn["Real", "near"]
    assert found.effect.people == pytest.approx(np.var((shared + np.roll(shared, -1)) / 2, ddof=1), rel=1e-9)


def test_the_effect_is_that_of_the_stored_numbers(tmp_path_factory):
    results = finished_matrix(tmp_path_factory).results()
    found = difference([results], "Blend + real", "Real", [COLUMNS[2]])
    cells = [[results.cell(row, "pairs", seed) for seed in SEEDS] for row in ("Blend + real", "Real")]
    values = [[cell.metrics[COLUMNS[2][1]] for cell in of_row] for of_row in cells]
    assert found.values == tuple(np.subtract(*values))
    draws = [[results.replicates(cell.cell)[COLUMNS[2][1]] for cell in of_row] for of_row in cells]
    shared = np.mean(np.subtract(*draws), axis=0)
    assert found.estimate.people == pytest.approx(np.nanvar(shared, ddof=1))
    assert (found.effect, found.reason) == (None, "2 seeds: inconclusive, 3 are needed")


@pytest.mark.parametrize(("seeds", "said"), [(1, "1 seed"), (2, "2 seeds")])
def test_fewer_than_three_seeds_are_inconclusive(tmp_path, seeds, said):
    found = difference([scored(tmp_path, *steady(seeds), seeds=seeds)], "Blend", "Real", [NEAR])
    assert (found.effect, found.reason) == (None, f"{said}: inconclusive, 3 are needed")
    assert (found.estimate is None) == (seeds == 1)
    assert None not in found.values


@pytest.mark.parametrize("row", ["Blend + real", "Real"])
def test_a_cell_without_a_number_leaves_the_difference_inconclusive_with_its_reason(tmp_path, row):
    values, drawn = steady(5)
    values[row, "near"][3] = "failed: recognizer of it: out of luck"
    found = difference([scored(tmp_path, values, drawn, seeds=5)], "Blend + real", "Real", [NEAR])
    assert [value is None for value in found.values] == [False, False, False, True, False]
    assert (found.effect, found.estimate, found.reason) == (None, None, "failed: recognizer of it: out of luck")


def test_a_row_that_failed_has_no_value_at_all(tmp_path):
    values, drawn = steady(3)
    values["Blend", "near"] = ["failed: synthesis: no memory"] * 3
    found = difference([scored(tmp_path, values, drawn)], "Blend", "Real", [NEAR, FAR])
    assert (found.values, found.effect, found.reason) == ((None,) * 3, None, "failed: synthesis: no memory")


def test_an_evaluation_without_the_metric_leaves_it_inconclusive(tmp_path):
    found = difference([scored(tmp_path, *steady(3))], "Blend", "Real", [("near", "rank:1")])
    assert (found.values, found.reason) == ((None,) * 3, "no number of near/rank:1")


@pytest.mark.parametrize("lacking", [("Real", "near"), ("Blend", "near")])
def test_a_row_without_replicates_is_inconclusive(tmp_path, lacking):
    values, drawn = steady(3)
    del drawn[lacking]
    found = difference([scored(tmp_path, values, drawn)], "Blend", "Real", [NEAR])
    assert (found.effect, found.reason) == (None, NO_REPLICATES)
    assert None not in found.values


def test_rows_that_were_not_drawn_as_often_share_no_draws(tmp_path):
    values, drawn = steady(3)
    drawn["Real", "near"] = drawn["Real", "near"][:-1]
    assert difference([scored(tmp_path, values, drawn)], "Blend", "Real", [NEAR]).reason == NO_REPLICATES


def test_few_draws_are_refused_with_their_number(tmp_path):
    values, drawn = steady(3)
    few = {key: around[:10] for key, around in drawn.items()}
    found = difference([scored(tmp_path, values, few)], "Blend", "Real", [NEAR])
    assert (found.effect, found.reason) == (None, "10 of 10 replicates are defined: 50 are needed")


def test_rows_that_are_equal_everywhere_are_inconclusive(tmp_path):
    values, drawn = steady(3)
    values["Blend", "near"], drawn["Blend", "near"] = values["Real", "near"], drawn["Real", "near"]
    found = difference([scored(tmp_path, values, drawn)], "Blend", "Real", [NEAR])
    assert found.effect is None
    assert "nothing to judge it by" in found.reason


def test_parts_of_other_seeds_are_refused(tmp_path):
    parts = [scored(tmp_path, *steady(seeds), seeds=seeds) for seeds in (3, 4)]
    with pytest.raises(ValueError, match="have the same seeds"):
        difference(parts, "Blend", "Real", [NEAR])
    with pytest.raises(ValueError, match="0 parts"):
        difference([], "Blend", "Real", [NEAR])


def test_only_rows_that_read_a_generator_have_one(tmp_path):
    results = scored(tmp_path, *steady(3), text=WITH_GENERATOR)
    matrix, graph = results.matrix, results.graph
    assert (
        generators_read(matrix, graph, "Blend", "Real") == generators_read(matrix, graph, "Real", "Blend") == (0, 0, 0)
    )
    assert generators_read(matrix, graph, "Blend + real", "Real") is None


def test_each_cell_is_read_once(tmp_path, monkeypatch):
    results, read = scored(tmp_path, *steady(3)), []
    kept = type(results).replicates
    monkeypatch.setattr(type(results), "replicates", lambda self, cell: read.append(cell) or kept(self, cell))
    pairing = Pairing((results,))
    for row in ROWS[1:]:
        pairing.difference(row, "Real", [NEAR])
    assert len(read) == 3 * 3


def test_the_effect_is_that_of_inference(tmp_path):
    values, drawn = steady(4)
    found = difference([scored(tmp_path, values, drawn, seeds=4)], "Blend", "Real", [NEAR])
    shared = drawn["Blend", "near"] - drawn["Real", "near"]
    differences = np.subtract(values["Blend", "near"], values["Real", "near"])
    expected = effect(list(differences), [one + shared for one in differences])
    assert found.effect.interval() == pytest.approx(expected.interval())


def test_a_table_with_verdicts_needs_no_scipy():
    """A report of three seeds and more is as light as any: it computes Student's t itself."""
    made = (
        "import pathlib, sys, tempfile; from scored_matrix import scored, steady; from faceassay.table import build;"
        "table = build(scored(pathlib.Path(tempfile.mkdtemp()), *steady(3)));"
        "print(table.standings[0].winner, table.standings[0].detectable is None, 'scipy' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", made], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    assert (run.stdout, run.stderr) == ("Blend + real False False\n", "")
