"""Estimates come from records: same parameters, else same plugin, else the cost table of an earlier run."""

import json
import shutil

import pytest

from faceassay.estimates import ROOM, estimate, expected_bytes, recorded_rates
from faceassay.keys import digest
from faceassay.report.text import cost_csv
from faceassay.store import Store
from finished_matrix import SEEDS, command, finished_matrix


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def stage(finished):
    return finished.stage("recognizer Real, seed 0")


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def keep(store, number, seconds, work, kind="recognizer", plugin="iresnet", parameters=None):
    """Put a record of a cost into the store."""
    folder = store.folder(kind, f"{number:064d}")
    folder.mkdir(parents=True)
    key = {"plugin": {"name": plugin, "parameters": parameters or {"some": "other"}}}
    record = {"schema": 1, "kind": kind, "key": key, "cost": {"seconds": seconds, "work": work}}
    (folder / "record.json").write_text(json.dumps(record))


def table(folder, *lines):
    path = folder / "cost.csv"
    path.write_text("\n".join(["kind,title,plugin,seconds,work", *lines]) + "\n")
    return path


def same(stage):
    return stage.key.document["plugin"]["parameters"]


def test_without_records_nothing_is_estimated(stage, store):
    assert estimate(stage, recorded_rates(store)) is None


def test_a_record_of_another_kind_or_plugin_says_nothing(stage, store):
    keep(store, 1, 10, 10, kind="synthesis")
    keep(store, 2, 10, 10, plugin="another")
    assert estimate(stage, recorded_rates(store)) is None


def test_the_same_plugin_tells_seconds_per_unit_of_work(stage, store):
    keep(store, 1, seconds=30, work=60)
    assert estimate(stage, recorded_rates(store)) == pytest.approx(stage.work * 0.5)


def test_several_records_count_by_their_median(stage, store):
    for number, seconds in enumerate((1, 100, 3)):
        keep(store, number, seconds, work=1)
    assert estimate(stage, recorded_rates(store)) == pytest.approx(stage.work * 3)


def test_the_same_parameters_outweigh_the_same_plugin(stage, store):
    keep(store, 1, seconds=7, work=1, parameters=same(stage))
    for number in range(2, 9):
        keep(store, number, seconds=1, work=1)
    assert estimate(stage, recorded_rates(store)) == pytest.approx(stage.work * 7)


def test_records_with_the_same_parameters_count_for_other_parameters_too(stage, store):
    keep(store, 1, seconds=7, work=1, parameters=same(stage))
    assert recorded_rates(store)["recognizer", "iresnet"] == 7
    assert recorded_rates(store)["recognizer", "iresnet", digest(same(stage))] == 7


def test_the_cost_table_counts_where_the_store_is_silent(stage, store, tmp_path):
    costs = table(tmp_path, "recognizer,x,iresnet,8,2", "recognizer,y,iresnet,20,4", "synthesis,z,blend,1,1")
    assert estimate(stage, recorded_rates(store, costs)) == pytest.approx(stage.work * 4.5)


def test_the_store_outweighs_the_cost_table(stage, store, tmp_path):
    keep(store, 1, seconds=1, work=1)
    costs = table(tmp_path, "recognizer,x,iresnet,8,2")
    assert estimate(stage, recorded_rates(store, costs)) == pytest.approx(stage.work)


def test_a_cost_table_that_is_not_there_says_nothing(stage, store, tmp_path):
    assert estimate(stage, recorded_rates(store, tmp_path / "cost.csv")) is None


@pytest.mark.parametrize(
    "line", ["recognizer,x,iresnet,soon,2", "recognizer,x,iresnet,8,0", "recognizer,x,iresnet", ","]
)
def test_a_damaged_line_of_the_cost_table_is_passed_over(stage, store, tmp_path, line):
    costs = table(tmp_path, line, "recognizer,x,iresnet,8,2")
    assert estimate(stage, recorded_rates(store, costs)) == pytest.approx(stage.work * 4)


def test_another_table_in_its_place_says_nothing(stage, store, tmp_path):
    (tmp_path / "cost.csv").write_text("a,b\n1,2\n")
    assert estimate(stage, recorded_rates(store, tmp_path / "cost.csv")) is None


def test_records_without_work_say_nothing(stage, store):
    keep(store, 1, seconds=5, work=0)
    assert estimate(stage, recorded_rates(store)) is None


def test_a_damaged_record_is_passed_over(stage, store):
    keep(store, 1, seconds=5, work=1)
    keep(store, 2, seconds=9, work=1)
    (store.folder("recognizer", f"{2:064d}") / "record.json").write_text("{")
    assert estimate(stage, recorded_rates(store)) == pytest.approx(stage.work * 5)


def test_a_finished_store_estimates_every_stage_of_its_matrix(finished):
    rates = recorded_rates(Store.open(finished.store))
    assert all(estimate(stage, rates) is not None for stage in finished.graph.stages.values())


def test_the_cost_table_of_a_run_estimates_the_same_matrix_in_an_empty_store(finished, store, tmp_path):
    (tmp_path / "cost.csv").write_text(cost_csv(finished.results()))
    rates = recorded_rates(store, tmp_path / "cost.csv")
    assert all(estimate(stage, rates) is not None for stage in finished.graph.stages.values())


def test_expected_bytes_allow_each_synthetic_image_twice_and_embeddings_of_512_numbers_twice(finished):
    stages = finished.graph.stages.values()
    embedded = sum(stage.work for stage in stages if stage.kind == "features")
    assert expected_bytes(stages) == ROOM + len(SEEDS) * 15 * 2 * 16 * 16 * 3 + embedded * 2 * 512 * 4


def test_expected_bytes_of_nothing_are_the_room_for_small_things():
    assert expected_bytes([]) == ROOM


def test_a_run_says_what_the_cost_table_beside_the_matrix_leads_it_to_expect(finished, tmp_path):
    """The cost table is made where the matrix is, by default; here the folder holds a copy of everything."""
    for name in ("matrix.yaml", "train", "test"):
        source = finished.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    lines = [f"{stage.kind},x,{stage.plugin.name},1000,1" for stage in finished.graph.stages.values()]
    table(tmp_path, *lines)
    planned = command("plan", tmp_path / "matrix.yaml", "--store", tmp_path / "store").output
    work = sum(stage.work for stage in finished.graph.stages.values())
    assert f"about {1000 * work // 3600} h" in planned
