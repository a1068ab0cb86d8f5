"""What a store says of a matrix: numbers, failures, qualities, costs."""

import dataclasses
import json

import numpy as np
import pytest

from faceassay.contracts import StoreError
from faceassay.results import NOT_RUN
from faceassay.store import Store
from finished_matrix import COLUMNS, METHODS, PACK, SEEDS, break_stage, finished_matrix, finished_packed, forget

LOST = "evaluation pairs of Blend + real, seed 7"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return finished_packed(tmp_path_factory)


@pytest.fixture
def store(finished, tmp_path):
    return finished.copy_of_store(tmp_path / "store")


def documents(store):
    """Return every stored evaluation by the digest of its key, read without the code under test."""
    paths = store.glob("artifacts/evaluation/*/evaluation.json")
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


def test_there_is_one_cell_for_each_method_benchmark_and_seed(finished):
    cells = [(r.cell.method, r.cell.benchmark, r.cell.seed) for r in finished.results().cells]
    expected = {(m, b, s) for m in METHODS for b in ("pairs", "lowres") for s in SEEDS}
    assert len(cells) == len(expected)
    assert set(cells) == expected


def test_cells_hold_the_stored_metrics_exactly(finished):
    stored = documents(finished.store)
    for result in finished.results().cells:
        assert result.metrics == stored[result.cell.evaluation.digest]["metrics"]
        assert result.failure is None


def test_cells_hold_the_stored_notes(finished):
    assert finished.results().cell("Real", "lowres", 0).notes["probe_size"] == 6


def test_cells_hold_the_stored_intervals_cautions_and_warnings(finished, packed):
    for matrix in (finished, packed):
        stored = documents(matrix.store)
        for result in matrix.results().cells:
            said = stored[result.cell.evaluation.digest]
            limits = {name: [vars(one) for one in several] for name, several in result.intervals.items()}
            assert (limits, result.cautions, result.warnings) == (
                said["intervals"],
                said["cautions"],
                said["warnings"],
            )


def test_a_pack_that_is_not_what_its_name_says_is_warned_of(packed):
    (warning,) = packed.results().cell("Real", "pack", 3).warnings
    assert f"{PACK}: 40 pairs, LFW has 6000" in warning


def test_the_interval_of_a_metric_is_the_first_one(packed):
    result = packed.results().cell("Real", "pack", 3)
    _, tar = result.metrics
    assert [one.population for one in result.intervals[tar]] == ["pairs", "false accepts", "genuine pairs"]
    assert result.interval(tar) == result.intervals[tar][0]
    assert result.interval("unheard of") is None
    assert packed.results().cell("Real", "bare", 3).interval("auc/flip-sum") is None


def test_notes_on_which_the_cells_of_a_benchmark_differ_are_not_shared(finished):
    results = finished.results()
    shared = results.shared_notes("pairs")
    assert (shared["pairs"], shared["interval_population"], len(shared["sha256"])) == (180, "identities", 64)
    assert "fold_std (this protocol)" in results.cell("Real", "pairs", 0).notes
    assert "fold_std (this protocol)" not in shared
    assert results.shared_notes("lowres")["probe_size"] == 6


def test_failed_cells_have_no_say_in_what_is_shared(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    results = finished.results(store)
    assert len(results.evaluated("pairs")) == len(METHODS) * len(SEEDS) - 1
    assert results.shared_notes("pairs") == finished.results().shared_notes("pairs")


def test_nothing_is_shared_where_nothing_has_run(finished, tmp_path):
    assert finished.results(tmp_path / "empty").shared_notes("pairs") == {}


def test_replicates_are_the_stored_ones_by_metric(finished):
    results = finished.results()
    digest = finished.stage(LOST).digest
    stored = np.load(finished.store / "artifacts" / "evaluation" / digest / "scores" / "replicates.npy")
    drawn = results.replicates(results.cell("Blend + real", "pairs", 7).cell)
    assert stored.shape == (1000, 3)
    assert tuple(drawn) == tuple(metric for benchmark, metric in COLUMNS if benchmark == "pairs")
    for column, of_metric in enumerate(drawn.values()):
        np.testing.assert_array_equal(of_metric, stored[:, column])


def test_a_cell_that_failed_or_keeps_none_has_no_replicates(finished, packed, store, monkeypatch):
    break_stage(finished.stage(LOST), store, "out of luck")
    results, bare = finished.results(store), packed.results()
    assert results.replicates(results.cell("Blend + real", "pairs", 7).cell) == {}
    cell = bare.cell("Real", "bare", 3).cell
    assert {len(of_metric) for of_metric in bare.replicates(cell).values()} == {0}
    without = dataclasses.replace(bare.evaluation(cell), scores={})
    monkeypatch.setattr(type(bare), "evaluation", lambda self, cell: without)
    assert bare.replicates(cell) == {}


def test_columns_are_the_announced_metrics_of_each_benchmark_in_order(finished):
    assert tuple(finished.results().columns()) == COLUMNS


def test_a_finished_matrix_has_no_failures(finished):
    assert finished.results().failures() == []


def test_an_empty_store_has_cells_that_are_not_run(finished, tmp_path):
    results = finished.results(tmp_path / "empty")
    assert {(r.failure, len(r.metrics)) for r in results.cells} == {(NOT_RUN, 0)}


def test_a_failed_evaluation_fails_its_cell_with_the_reason_and_no_other(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    failures = finished.results(store).failures()
    assert [(r.cell.method, r.cell.benchmark, r.cell.seed) for r in failures] == [("Blend + real", "pairs", 7)]
    assert failures[0].failure == f"failed: {LOST}: out of luck"


def test_a_failed_recognizer_fails_every_cell_that_needs_it(finished, store):
    for title in (LOST, LOST.replace("pairs", "lowres")):
        forget(finished.stage(title), store)
    break_stage(finished.stage("recognizer Blend + real, seed 7"), store, "diverged")
    failures = finished.results(store).failures()
    assert {(r.cell.method, r.cell.benchmark, r.cell.seed) for r in failures} == {
        ("Blend + real", "pairs", 7),
        ("Blend + real", "lowres", 7),
    }
    assert {r.failure for r in failures} == {"failed: recognizer Blend + real, seed 7: diverged"}


def test_a_failure_that_was_made_good_is_not_reported(finished, store):
    Store.open(store).fail(finished.stage("recognizer Real, seed 0").digest, {"reason": "an old story"})
    forget(finished.stage("evaluation pairs of Real, seed 0"), store)
    assert [r.failure for r in finished.results(store).failures()] == [NOT_RUN]


def test_an_evaluation_made_from_other_features_counts_as_not_run(finished, store):
    make_stale(finished.stage(LOST), store)
    results = finished.results(store)
    assert [r.failure for r in results.failures()] == [NOT_RUN]
    assert results.evaluation(results.failures()[0].cell) is None


def make_stale(stage, store):
    """Rewrite the record as if the inputs had held other bytes."""
    path = Store.open(store).folder(stage.kind, stage.digest) / "record.json"
    record = json.loads(path.read_text())
    for source in record["inputs"].values():
        source["content"] = "0" * 64
    path.write_text(json.dumps(record))


def test_a_damaged_evaluation_is_an_error_that_names_the_file(finished, store):
    stage = finished.stage(LOST)
    (Store.open(store).folder(stage.kind, stage.digest) / "evaluation.json").write_text("{}")
    with pytest.raises(StoreError, match=r"evaluation\.json is not what was written"):
        finished.results(store)


def test_quality_is_what_the_store_holds(finished):
    results = finished.results()
    stage = finished.stage("image quality of blend, seed 7")
    stored = json.loads((finished.store / "artifacts/quality" / stage.digest / "quality.json").read_text())
    assert results.quality(results.graph.rows["Blend, alone"], 7) == stored


def test_a_real_only_method_has_no_quality_and_no_synthetic_images(finished):
    results = finished.results()
    row = results.graph.rows["Real"]
    assert (results.quality(row, 0), results.synthetic_images(row, 0)) == (None, None)


def test_synthetic_images_are_those_planned(finished):
    results = finished.results()
    images = results.synthetic_images(results.graph.rows["Blend + real"], 0)
    assert (len(images), len(images.identities), images.image_size) == (15, 3, 16)


def test_stale_images_and_qualities_are_not_shown(finished, store):
    for title in ("synthesis blend, seed 0", "image quality of blend, seed 0"):
        make_stale(finished.stage(title), store)
    results = finished.results(store)
    row = results.graph.rows["Blend + real"]
    assert (results.quality(row, 0), results.synthetic_images(row, 0)) == (None, None)


def test_a_failed_quality_is_lost_with_its_reason_and_fails_no_cell(finished, store):
    break_stage(finished.stage("image quality of blend, seed 7"), store, "no detector")
    results = finished.results(store)
    assert results.lost_qualities == ["failed: image quality of blend, seed 7: no detector"]
    assert results.failures() == []


def test_a_quality_that_was_not_run_is_not_lost(finished, tmp_path):
    assert finished.results(tmp_path / "empty").lost_qualities == []


def test_costs_are_of_every_finished_stage_once(finished, store):
    forget(finished.stage(LOST), store)
    titles = [stage.title for stage, _ in finished.results(store).costs()]
    assert sorted([*titles, LOST]) == sorted(stage.title for stage in finished.graph.stages.values())


def test_evaluations_come_with_their_scores_and_curves(finished):
    results = finished.results()
    evaluation = results.evaluation(results.cell("Real", "lowres", 0).cell)
    assert set(evaluation.curves) == {"cmc"}
    assert evaluation.metrics["rank:1/cosine/flip-sum"] == (evaluation.scores["rank-flip-sum"] == 1).mean()
