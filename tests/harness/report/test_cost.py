"""cost.csv: what each stage took, and the only place where that stands."""

import csv
import io
from datetime import datetime
from types import SimpleNamespace

import pytest

from faceassay.report.text import COST_COLUMNS, cost_csv
from finished_matrix import finished_matrix, forget


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def costs(finished):
    return list(csv.DictReader(io.StringIO((finished.out / "cost.csv").read_text())))


def test_every_finished_stage_has_a_line(finished, costs):
    assert [(row["kind"], row["title"], row["key"]) for row in costs] == [
        (stage.kind, stage.title, digest) for digest, stage in finished.graph.stages.items()
    ]


def test_lines_hold_what_the_records_hold(finished, costs):
    records = {stage.title: record["cost"] for stage, record in finished.results().costs()}
    for row in costs:
        cost = records[row["title"]]
        assert float(row["seconds"]) == cost["seconds"]
        assert (row["unit"], int(row["work"])) == (cost["unit"], cost["work"])
        assert (row["device"], int(row["threads"]), int(row["attempts"])) == ("cpu", 1, 1)
        assert int(row["peak_memory_bytes"]) > 2**20


def test_lines_are_dated_with_their_time_zone(costs):
    assert all(datetime.fromisoformat(row["finished"]).utcoffset() is not None for row in costs)


def test_a_stage_that_is_gone_has_no_line(finished, tmp_path):
    store = finished.copy_of_store(tmp_path / "store")
    forget(finished.stage("evaluation pairs of Real, seed 0"), store)
    text = cost_csv(finished.results(store))
    assert "evaluation pairs of Real, seed 0" not in text
    assert text.count("\n") == len(finished.graph.stages)


@pytest.mark.parametrize(
    ("counted", "told"), [({"recognizer_forward": 7}, ["7", "0", "0"]), ({}, ["0"] * 3), (None, [""] * 3)]
)
def test_passes_have_columns_and_records_older_than_their_counts_have_none(finished, counted, told):
    stage, record = next(finished.results().costs())
    cost = {name: value for name, value in record["cost"].items() if name != "passes"}
    changed = {**record, "cost": cost if counted is None else {**cost, "passes": counted}}
    [row] = csv.DictReader(io.StringIO(cost_csv(SimpleNamespace(costs=lambda: [(stage, changed)]))))
    assert [row[name] for name in ("recognizer_forward", "recognizer_backward", "denoiser_backward")] == told


def test_the_table_holds_no_cost_and_no_date(finished, costs):
    heading, *rows = csv.reader(io.StringIO((finished.out / "table.csv").read_text()))
    assert set(heading).isdisjoint(COST_COLUMNS)
    assert not any(word in name for name in heading for word in ("second", "memory", "finished", "device"))
    today = costs[0]["finished"][:10]
    assert not any(today in cell for row in rows for cell in row)
