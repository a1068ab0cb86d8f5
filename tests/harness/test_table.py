"""The comparison table, and the CSV that holds it to the last digit."""

import csv
import io
import json
import statistics
import warnings

import numpy as np
import pytest

from faceassay.contracts import Interval
from faceassay.report.text import table_csv
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, build
from finished_matrix import COLUMNS, METHODS, SEEDS, break_stage, command, finished_matrix, finished_packed, forget

LOST = "evaluation pairs of Blend + real, seed 7"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return finished_packed(tmp_path_factory)


@pytest.fixture(scope="module")
def parsed(finished):
    return parse((finished.out / "table.csv").read_text())


@pytest.fixture
def store(finished, tmp_path):
    return finished.copy_of_store(tmp_path / "store")


def parse(text):
    return list(csv.DictReader(io.StringIO(text)))


def stored_value(finished, method, benchmark, metric, seed):
    """Read a metric from the file in the store."""
    return stored(finished, method, benchmark, seed)["metrics"][metric]


def stored(finished, method, benchmark, seed):
    """Read an evaluation from the file in the store."""
    return json.loads((folder(finished, method, benchmark, seed) / "evaluation.json").read_text())


def stored_replicates(finished, method, benchmark, metric, seed):
    """Read the replicates of a metric from the file in the store, float64 [R]."""
    column = [name for place, name in COLUMNS if place == benchmark].index(metric)
    return np.load(folder(finished, method, benchmark, seed) / "scores" / "replicates.npy")[:, column]


def folder(finished, method, benchmark, seed):
    digest = finished.stage(f"evaluation {benchmark} of {method}, seed {seed}").digest
    return finished.store / "artifacts" / "evaluation" / digest


def every_cell(rows):
    return [(row, method, column) for row, method in zip(rows, METHODS, strict=True) for column in COLUMNS]


def test_facts_are_those_of_the_matrix(finished):
    assert FACT_COLUMNS == ("Method", "Group", "Aux", "n_s", "n_r", "Updates")
    assert [row.facts for row in build(finished.results()).rows] == [
        ("Real", "FR_real", "", 0, 24, 3),
        ("Blend + real", "FR_mix", "none | <u>at all</u>", 15, 24, 3),
        ("Blend, alone", "FR_syn", "", 15, 0, 3),
    ]


def test_each_cell_holds_the_value_of_each_seed(finished):
    table = build(finished.results())
    for row, method in zip(table.rows, METHODS, strict=True):
        for cell, (benchmark, metric) in zip(row.cells, COLUMNS, strict=True):
            assert cell.values == tuple(stored_value(finished, method, benchmark, metric, s) for s in SEEDS)


def test_csv_columns_are_named_as_designed(parsed):
    metrics = []
    for benchmark, metric in COLUMNS:
        name = f"{benchmark}/{metric}"
        parts = ("mean", "sd over seeds", "low", "high", "seed=0", "seed=7")
        metrics += [f"{name} {part}" for part in parts]
    assert list(parsed[0]) == ["Method", "Group", "Aux", "n_s", "n_r", "Updates", *metrics, "failure"]


def test_csv_has_one_row_for_each_method_in_the_order_of_the_matrix(parsed):
    assert tuple(row["Method"] for row in parsed) == METHODS


def test_csv_gives_the_stored_values_back_exactly(finished, parsed):
    for row, method, (benchmark, metric) in every_cell(parsed):
        for seed in SEEDS:
            read = float(row[f"{benchmark}/{metric} seed={seed}"])
            assert read == stored_value(finished, method, benchmark, metric, seed)


def test_csv_means_and_deviations_are_those_of_the_stored_evaluations(finished, parsed):
    for row, method, (benchmark, metric) in every_cell(parsed):
        values = [stored_value(finished, method, benchmark, metric, seed) for seed in SEEDS]
        assert float(row[f"{benchmark}/{metric} mean"]) == pytest.approx(statistics.mean(values), rel=1e-15)
        assert float(row[f"{benchmark}/{metric} sd over seeds"]) == pytest.approx(statistics.stdev(values), rel=1e-14)


def test_csv_numbers_have_all_their_digits(finished, parsed):
    values = [cell.summary for row in build(finished.results()).rows for cell in row.cells]
    written = [row[f"{b}/{m} {what}"] for row in parsed for b, m in COLUMNS for what in ("mean", "sd over seeds")]
    assert written == [repr(value) for summary in values for value in (summary.mean, summary.sd)]


def test_no_number_mixes_metrics(parsed):
    """Apart from the facts and the reason, every column names exactly one metric of one benchmark."""
    others = [name for name in parsed[0] if name not in (*FACT_COLUMNS, "failure")]
    owners = [[c for c in COLUMNS if name.startswith("/".join(c) + " ")] for name in others]
    assert {len(found) for found in owners} == {1}


def test_csv_holds_nothing_that_differs_between_two_runs(finished, tmp_path):
    words = ("--store", tmp_path / "store", "--out", tmp_path / "out", "--no-mlflow", "--quiet")
    assert command("run", finished.matrix, *words).exit_code == 0
    assert (tmp_path / "out" / "table.csv").read_bytes() == (finished.out / "table.csv").read_bytes()


def test_a_report_from_the_store_alone_equals_that_of_the_run(finished, tmp_path):
    names = (
        "table.csv", "differences.csv", "table.md", "table.tex", "cost.csv", "table.html", "cards.md", "cards.json",
    )  # fmt: skip
    made = command("report", finished.matrix, "--store", finished.store, "--out", tmp_path)
    assert (made.exit_code, made.output.splitlines()) == (0, [str(tmp_path / name) for name in names])
    assert [(tmp_path / name).read_bytes() for name in names] == [(finished.out / name).read_bytes() for name in names]


def test_a_failed_seed_leaves_the_mean_of_the_others_without_a_spread(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    cell = build(finished.results(store)).rows[1].cells[0]
    kept = stored_value(finished, "Blend + real", *COLUMNS[0], 0)
    assert cell.values == (kept, None)
    assert (cell.summary.mean, cell.summary.sd, cell.summary.n) == (kept, None, 1)
    assert cell.failure == f"failed: {LOST}: out of luck"


def test_a_failed_seed_leaves_the_rest_of_the_csv_as_it_was(finished, store, parsed):
    break_stage(finished.stage(LOST), store, "out of luck")
    rows = parse(table_csv(build(finished.results(store))))
    changed = {name for name in rows[1] if rows[1][name] != parsed[1][name]} - {"failure"}
    parts = ("mean", "sd over seeds", "low", "high", "seed=7")
    assert changed == {f"{b}/{m} {part}" for b, m in COLUMNS[:3] for part in parts}
    assert (rows[0], rows[2]) == (parsed[0], parsed[2])


def test_a_failed_row_has_its_reason_in_the_csv_and_no_numbers(finished, store):
    for seed in SEEDS:
        break_stage(finished.stage(f"evaluation pairs of Real, seed {seed}"), store, f"reason {seed}")
    row = parse(table_csv(build(finished.results(store))))[0]
    assert row["failure"] == "failed: evaluation pairs of Real, seed 0: reason 0"
    assert {row[name] for name in row if name.startswith("pairs/")} == {""}
    assert "" not in {row[name] for name in row if name.startswith("lowres/")}


def test_a_table_of_an_empty_store_says_not_run(finished, tmp_path):
    table = build(finished.results(tmp_path / "empty"))
    cells = {(cell.summary, cell.failure, cell.interval) for row in table.rows for cell in row.cells}
    assert cells == {(None, "not run", None)}


def test_facts_do_not_depend_on_what_has_run(finished, tmp_path):
    empty, full = build(finished.results(tmp_path / "empty")), build(finished.results())
    assert [row.facts for row in empty.rows] == [row.facts for row in full.rows]


def test_a_metric_that_only_one_seed_has_counts_one(finished, store):
    forget(finished.stage("evaluation lowres of Real, seed 0"), store)
    cell = build(finished.results(store)).rows[0].cells[4]
    assert (cell.summary.n, cell.values[0], cell.failure) == (1, None, "not run")


def test_the_interval_of_several_seeds_is_that_of_their_mean_over_the_same_draws(finished):
    for row, method in zip(build(finished.results()).rows, METHODS, strict=True):
        for cell, (benchmark, metric) in zip(row.cells, COLUMNS, strict=True):
            first, second = (stored_replicates(finished, method, benchmark, metric, seed) for seed in SEEDS)
            limits = np.nanpercentile((first + second) / 2, [2.5, 97.5])
            assert (cell.interval.low, cell.interval.high) == pytest.approx(limits, abs=1e-12)


def test_the_interval_says_what_was_drawn_how_and_how_often(finished):
    accuracy, *_, rank = build(finished.results()).rows[0].cells
    both = [stored_replicates(finished, "Real", *COLUMNS[0], seed) for seed in SEEDS]
    used = int(np.isfinite(both[0] + both[1]).sum())
    assert used < 1000
    method = f"percentile bootstrap, {used} of 1000 replicates, mean of 2 seeds"
    assert (accuracy.interval.population, accuracy.interval.level) == ("identities", 0.95)
    assert accuracy.interval.method == method
    assert rank.interval.method == "percentile bootstrap, 1000 replicates, mean of 2 seeds"


def drawing(monkeypatch, replicates):
    """Let the cells of seed 0 and 7 hold two sequences of replicates, the same for every metric."""
    of_seed = dict(zip(SEEDS, replicates, strict=True))
    metrics = {metric for _, metric in COLUMNS}
    monkeypatch.setattr(Results, "replicates", lambda self, cell: dict.fromkeys(metrics, of_seed[cell.seed]))


def test_seeds_are_averaged_draw_by_draw_not_pooled(finished, monkeypatch):
    drawing(monkeypatch, (np.arange(101) / 100, 1 - np.arange(101) / 100))
    cell = build(finished.results()).rows[0].cells[0]
    assert (cell.interval.low, cell.interval.high) == pytest.approx((0.5, 0.5))


def test_undefined_replicates_are_left_out(finished, monkeypatch):
    drawing(monkeypatch, (np.array([0.1, np.nan, 0.3, 0.5]), np.array([0.3, 0.9, np.nan, 0.7])))
    interval = build(finished.results()).rows[0].cells[0].interval
    assert (interval.low, interval.high) == pytest.approx((0.2 + 0.025 * 0.4, 0.6 - 0.025 * 0.4))
    assert interval.method == "percentile bootstrap, 2 of 4 replicates, mean of 2 seeds"


@pytest.mark.parametrize(
    "replicates", [(np.empty(0), np.empty(0)), (np.ones(3), np.empty(0)), (np.full(3, np.nan),) * 2]
)
def test_seeds_without_replicates_in_common_have_no_interval(finished, monkeypatch, replicates):
    drawing(monkeypatch, replicates)
    with warnings.catch_warnings(action="error"):
        table = build(finished.results())
    assert {cell.interval for row in table.rows for cell in row.cells} == {None}


def test_seeds_that_keep_no_replicates_have_no_interval(finished, monkeypatch):
    monkeypatch.setattr(Results, "replicates", lambda self, cell: {})
    assert {cell.interval for row in build(finished.results()).rows for cell in row.cells} == {None}


def test_one_seed_has_the_first_interval_of_its_evaluation(packed):
    accuracy, tar, *_ = build(packed.results()).rows[0].cells
    first = [several[0] for several in stored(packed, "Real", "pack", 3)["intervals"].values()]
    assert [accuracy.interval, tar.interval] == [Interval(**one) for one in first]
    assert tar.interval.method == "percentile bootstrap, 50 replicates"


def test_one_seed_without_replicates_has_what_its_evaluation_gives_or_nothing(packed):
    *_, accuracy, tar, area = build(packed.results()).rows[0].cells
    assert (accuracy.interval, area.interval) == (None, None)
    (few, _) = stored(packed, "Real", "bare", 3)["intervals"]["tar_at_fpr:1e-2/nearest_exact/flip-sum"]
    assert tar.interval == Interval(**few)


def test_a_failed_seed_leaves_the_interval_of_the_other(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    cell = build(finished.results(store)).rows[1].cells[0]
    (shown,) = stored(finished, "Blend + real", "pairs", 0)["intervals"][COLUMNS[0][1]]
    assert cell.interval == Interval(**shown)


def test_csv_limits_are_those_of_the_table_with_all_their_digits(finished, parsed):
    intervals = [cell.interval for row in build(finished.results()).rows for cell in row.cells]
    written = [row[f"{b}/{m} {end}"] for row in parsed for b, m in COLUMNS for end in ("low", "high")]
    assert written == [repr(limit) for interval in intervals for limit in (interval.low, interval.high)]


def test_csv_leaves_out_limits_that_are_not_there(packed):
    (row,) = parse(table_csv(build(packed.results())))
    assert (row["bare/auc/flip-sum low"], row["bare/auc/flip-sum high"]) == ("", "")
    assert "" not in {row[f"bare/auc/flip-sum {part}"] for part in ("mean", "seed=3")}


def test_no_scores_but_the_replicates_are_read(finished, monkeypatch):
    class OnlyReplicates(dict):
        def __getitem__(self, name):
            assert name == "replicates"
            return super().__getitem__(name)

    def guarded(self, cell):
        evaluation = opened(self, cell)
        assert all(isinstance(array, np.memmap) for array in evaluation.scores.values())
        object.__setattr__(evaluation, "scores", OnlyReplicates(evaluation.scores))
        return evaluation

    opened = Results.evaluation
    monkeypatch.setattr(Results, "evaluation", guarded)
    assert build(finished.results()).rows[0].cells[0].interval
