"""The evaluation of what a user brings: which stages it needs, and the document of its results."""

from __future__ import annotations

import hashlib
import json

import pytest

from faceassay.assay import AssayPlan, Column, results_document
from faceassay.run import Surroundings, Watchers, run_graph
from faceassay.serial import SerialExecutor
from faceassay.store import Store
from tiny_benchmarks import METRICS, GivenFeatures, GivenScale, TinyConventions, TinySize, write_pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    return write_pack(tmp_path / "pack.npz")


def column(file, name="size", cls=TinySize, **parameters):
    return Column.of(name, cls(path=file, **parameters))


def embedding(*columns, recognizer=None, check=False):
    """Return the plan that embeds the images of ``columns``."""
    plan = AssayPlan(1)
    for one in columns:
        plan.embed(one, recognizer or GivenScale(), check=check)
    return plan


def kinds(plan):
    return sorted(stage.kind for stage in plan.graph.stages.values())


def results(plan, folder):
    """Run the plan and return what its document says of each benchmark."""
    store = Store.open(folder)
    failures = run_graph(plan.graph, Surroundings(store, SerialExecutor()), Watchers())
    document = results_document(plan.parts, store, failures)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    return document["benchmarks"]


def test_a_recognizer_needs_features_and_an_evaluation(file):
    assert kinds(embedding(column(file))) == ["evaluation", "features"]


def test_its_preprocessing_is_checked_where_one_was_stated(file):
    assert kinds(embedding(column(file), check=True)) == ["evaluation", "features", "preprocessing"]


def test_embeddings_need_an_evaluation_alone(file):
    plan = AssayPlan(1)
    plan.score(column(file), GivenFeatures(0.5))
    assert kinds(plan) == ["evaluation"]


def test_one_pack_under_two_protocols_is_embedded_once(file):
    plan = embedding(column(file), column(file, "again", TinyConventions))
    assert kinds(plan) == ["evaluation", "evaluation", "features"]


def test_other_images_of_one_file_are_embedded_for_themselves(file):
    assert kinds(embedding(column(file), column(file, "half", every=2))).count("features") == 2


def test_the_document_says_what_was_measured_on_what(file, tmp_path):
    recognizer = GivenScale(2.0)
    about = results(embedding(column(file), recognizer=recognizer), tmp_path / "store")["size"]
    assert about["embedded_by"] == {"name": "scale", "brought": recognizer.document["brought"]}
    assert about["files"] == {"path": str(file)}
    assert about["pack"] == {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "spread": 1.0}
    assert about["warnings"] == ["it is small", "it was a toy"]
    assert about["protocol"]["name"] == "tiny-size"
    assert about["conventions"] == []
    first, second = (about["metrics"][name] for name in METRICS)
    value = first["value"]
    assert 0.5 < value < 1.5
    assert first == {
        "value": value,
        "intervals": [{"low": value, "high": value, "population": "images", "method": "by hand", "level": 0.95}],
        "caution": "",
    }
    assert second == {"value": value, "intervals": [], "caution": "it is a toy"}


def test_the_document_says_which_conventions_were_asked_for(file, tmp_path):
    plan = embedding(column(file, cls=TinyConventions, conventions=("two", "one")))
    assert results(plan, tmp_path / "store")["size"]["conventions"] == ["two", "one"]


def test_every_file_is_in_the_document(file, tmp_path):
    more = write_pack(tmp_path / "more.npz", seed=1)
    about = results(embedding(column(file, more=more)), tmp_path / "store")["size"]
    assert about["files"] == {"path": str(file), "more": str(more)}


def test_ready_embeddings_are_what_is_scored(file, tmp_path):
    plan = AssayPlan(1)
    plan.score(column(file), GivenFeatures(0.25))
    about = results(plan, tmp_path / "store")["size"]
    assert about["metrics"][METRICS[0]]["value"] == 0.25
    assert about["embedded_by"] == {"name": "ready.npy", "brought": {"kind": "embeddings", "value": 0.25}}


def test_a_failure_is_told_by_the_stage_that_failed_first(file, tmp_path):
    about = results(embedding(column(file), recognizer=GivenScale(fault="it is torn")), tmp_path / "store")["size"]
    assert about["failure"].startswith("features plugin 'tiny-files' 1")
    assert about["failure"].endswith(": it is torn")
    assert about["warnings"] == ["it is small"]
    assert "metrics" not in about


def test_a_failure_spoils_its_own_benchmark_alone(file, tmp_path):
    plan = embedding(column(file, "one", mode="refuse"), column(file, "other"))
    about = results(plan, tmp_path / "store")
    assert about["one"]["failure"].endswith("image item3: it is NaN")
    assert about["other"]["metrics"]


@pytest.mark.parametrize(("mode", "what"), [("no limit", f"{METRICS[0]} (interval)"), ("no fact", "spread")])
def test_what_is_no_number_fails_instead_of_being_written(file, tmp_path, mode, what):
    about = results(embedding(column(file, mode=mode)), tmp_path / "store")["size"]
    assert f"computed no finite number for {what}" in about["failure"]


def test_a_check_that_cannot_be_made_is_a_warning(file, tmp_path):
    about = results(embedding(column(file), check=True), tmp_path / "store")["size"]
    assert about["metrics"]
    assert about["warnings"][-1].startswith("the check of colour order and scaling failed: preprocessing plugin")


def test_a_finished_evaluation_is_read_from_the_store(file, tmp_path):
    recognizer = GivenScale()
    first = results(embedding(column(file), recognizer=recognizer), tmp_path / "store")
    seen = list(recognizer.seen)
    assert sum(seen) == 2 * 24
    assert results(embedding(column(file), recognizer=recognizer), tmp_path / "store") == first
    assert recognizer.seen == seen


def test_another_recognizer_is_not_taken_for_the_first(file, tmp_path):
    values = [
        results(embedding(column(file), recognizer=GivenScale(factor)), tmp_path / "store")["size"]["metrics"]
        for factor in (1.0, 2.0)
    ]
    assert values[1][METRICS[0]]["value"] == pytest.approx(2 * values[0][METRICS[0]]["value"])
