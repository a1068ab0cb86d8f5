"""One stage at a time: what its record says, how it fails, is interrupted, and goes on."""

import hashlib
import json
import pickle
import shutil
import threading
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import torch

import tiny_matrix as tiny
import tiny_plugins
from faceassay.contracts import Resources
from faceassay.execute import Order, explain
from faceassay.inputs import open_artifact
from faceassay.progress import ProgressDisplay
from faceassay.registry import load_plugins
from faceassay.run import Watchers
from faceassay.store import Store
from faceassay.torching import torch_settings

PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
REAL, MIXED = "recognizer Real, seed 0", "recognizer Blend + real, seed 0"
EVALUATION = "evaluation near of Real, seed 0"


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def stages(graph):
    return tiny.by_title(graph)


def order(stage, store, **options):
    return Order(stage, store.root, **options)()


def made(stage, store):
    """Make a stage and all that it needs."""
    for source in stage.stages().values():
        made(source, store)
    outcome = order(stage, store)
    assert outcome.error is None
    return outcome.record


def interrupted(stage, store, **options):
    with pytest.raises(KeyboardInterrupt):
        order(stage, store, **options)


def test_the_record_holds_the_sha256_of_every_file(stages, store):
    record = made(stages[REAL], store)
    folder = store.folder("recognizer", stages[REAL].digest)
    content = (folder / "sub" / "mean.npy").read_bytes()
    assert {name: file["sha256"] for name, file in record["files"].items()} == {
        "sub/mean.npy": hashlib.sha256(content).hexdigest()
    }


def test_the_record_holds_the_key_document_that_its_digest_is_of(stages, store):
    record = made(stages[REAL], store)
    text = json.dumps(record["key"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == record["digest"] == stages[REAL].digest


def test_the_record_holds_key_and_content_of_every_input(graph, stages, store):
    plan = made(stages[PLAN], store)
    record = made(stages[SYNTHESIS], store)
    assert record["inputs"] == {
        "real": {"name": "train", "fingerprint": graph.data["train"].fingerprint},
        "plan": {"key": stages[PLAN].digest, "content": plan["content"]},
    }


def test_the_record_tells_the_cost(stages, store):
    cost = made(stages[REAL], store)["cost"]
    assert (cost["attempts"], cost["device"], cost["threads"], cost["workers"]) == (1, "cpu", 1, 1)
    assert (cost["work"], cost["unit"], cost["network_evaluations"]) == (20, "training images", 20 * 8)
    assert cost["seconds"] > 0
    assert cost["peak_memory_bytes"] > 10 * 2**20


def test_the_record_tells_environment_and_log(stages, store):
    record = made(stages[REAL], store)
    assert record["environment"]["packages"]["torch"] == torch.__version__
    assert record["environment"]["packages"]["faceassay"] == version("faceassay")
    assert record["log"] == ["starts after 0 steps"]


def test_the_record_of_a_stage_survives_in_the_store(stages, store):
    assert made(stages[REAL], store) == Store.open(store.root).record("recognizer", stages[REAL].digest)


def test_a_stage_that_is_there_is_not_run_again(stages, store):
    made(stages[REAL], store)
    outcome = order(stages[REAL], store)
    assert (outcome.reused, outcome.error) == (True, None)
    assert len(tiny_plugins.events("fit")) == 1


def test_a_stage_that_another_process_finishes_meanwhile_is_reused(stages, store):
    tiny_plugins.switch("wait-fit-24", 1)
    other = tiny.process(tiny.run_stage, stages[REAL], store.root)
    tiny.wait_until(lambda: tiny_plugins.events("fit"), what="the other process")
    outcome = order(stages[REAL], store)
    assert tiny.ended(other) == 0
    assert outcome.reused
    assert len(tiny_plugins.events("fit")) == 1


def test_a_stage_whose_input_changed_is_run_again(stages, store):
    made(stages[SYNTHESIS], store)
    replan(stages[PLAN], store)
    outcome = order(stages[SYNTHESIS], store)
    assert not outcome.reused
    assert outcome.record["inputs"]["plan"]["content"] == store.record("plan", stages[PLAN].digest)["content"]


def replan(stage, store):
    """Commit another plan under the same key, as another machine might have made it."""
    work = store.staging(stage.digest) / "work"
    shutil.copytree(store.folder("plan", stage.digest), work)
    record = json.loads((work / "record.json").read_text())
    (work / "record.json").unlink()
    table = pd.read_parquet(work / "plan.parquet")
    table["weights"] = [[1.0, 0.0]] * len(table)
    table.to_parquet(work / "plan.parquet", index=False)
    store.commit("plan", stage.digest, work, {name: record[name] for name in ("title", "key", "inputs", "cost", "log")})


def test_what_an_interrupted_stage_made_from_other_inputs_is_not_mixed_in(stages, store, tmp_path):
    made(stages[PLAN], store)
    tiny_plugins.switch("interrupt-render", 3)
    interrupted(stages[SYNTHESIS], store)
    tiny_plugins.off("interrupt-render")
    replan(stages[PLAN], store)
    resumed = order(stages[SYNTHESIS], store).record
    elsewhere = Store.open(tmp_path / "elsewhere")
    made(stages[PLAN], elsewhere)
    replan(stages[PLAN], elsewhere)
    assert resumed["content"] == order(stages[SYNTHESIS], elsewhere).record["content"]


def test_a_checkpoint_of_a_training_on_other_inputs_is_not_taken_up(stages, store):
    made(stages[SYNTHESIS], store)
    tiny_plugins.switch("interrupt-step", 12)
    interrupted(stages[MIXED], store, checkpoint_interval=0.0)
    tiny_plugins.off("interrupt-step")
    replan(stages[PLAN], store)
    made(stages[SYNTHESIS], store)
    assert order(stages[MIXED], store).record["log"] == ["starts after 0 steps"]


def test_an_interruption_is_passed_on_and_frees_the_lock(stages, store):
    tiny_plugins.switch("interrupt-step", 5)
    interrupted(stages[REAL], store)
    assert not store.is_locked(stages[REAL].digest)
    assert store.record("recognizer", stages[REAL].digest) is None
    assert store.failure(stages[REAL].digest) is None


def test_an_interrupted_training_goes_on_after_its_last_checkpoint(stages, store):
    tiny_plugins.switch("interrupt-step", 12)
    interrupted(stages[REAL], store, checkpoint_interval=0.0)
    tiny_plugins.off("interrupt-step")
    record = order(stages[REAL], store).record
    assert record["log"] == ["starts after 11 steps"]
    assert len(tiny_plugins.events("step")) == 20 + 1


def test_an_interrupted_training_ends_in_the_same_bytes(stages, store, tmp_path):
    tiny_plugins.switch("interrupt-step", 12)
    interrupted(stages[REAL], store, checkpoint_interval=0.0)
    tiny_plugins.off("interrupt-step")
    whole = made(stages[REAL], Store.open(tmp_path / "other"))
    assert order(stages[REAL], store).record["content"] == whole["content"]


def test_an_interrupted_synthesis_renders_each_finished_block_once(stages, store):
    made(stages[PLAN], store)
    tiny_plugins.switch("interrupt-render", 3)
    interrupted(stages[SYNTHESIS], store)
    tiny_plugins.off("interrupt-render")
    order(stages[SYNTHESIS], store)
    rendered = [int(index) for index, _ in tiny_plugins.events("render")]
    assert rendered == [0, 1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize("damage", ["image", "facts"])
def test_a_damaged_block_of_an_interrupted_synthesis_is_rendered_again(stages, store, tmp_path, damage):
    made(stages[PLAN], store)
    tiny_plugins.switch("interrupt-render", 3)
    interrupted(stages[SYNTHESIS], store)
    tiny_plugins.off("interrupt-render")
    path = store.staging(stages[SYNTHESIS].digest) / "blocks" / "block-000001"
    if damage == "image":
        content = bytearray(path.with_suffix(".tar").read_bytes())
        content[len(content) // 2] ^= 1
        path.with_suffix(".tar").write_bytes(content)
    else:
        path.with_suffix(".json").write_bytes(b"")
    whole = made(stages[SYNTHESIS], Store.open(tmp_path / "other"))
    assert order(stages[SYNTHESIS], store).record["content"] == whole["content"]


def test_attempts_and_seconds_add_up_over_interruptions_and_failures(stages, store):
    tiny_plugins.switch("wait-fit-24", 0.2)
    noted = store.staging(stages[REAL].digest) / "cost.json"
    tiny_plugins.switch("interrupt-step", 5)
    interrupted(stages[REAL], store)
    first = json.loads(noted.read_text())
    tiny_plugins.off("interrupt-step")
    tiny_plugins.switch("fail-fit-24")
    order(stages[REAL], store)
    second = json.loads(noted.read_text())
    tiny_plugins.off("fail-fit-24")
    cost = order(stages[REAL], store).record["cost"]
    assert [first["attempts"], second["attempts"], cost["attempts"]] == [1, 2, 3]
    assert first["seconds"] >= 0.2
    assert second["seconds"] >= first["seconds"] + 0.2
    assert cost["seconds"] >= round(second["seconds"], 3) + 0.2


def test_an_attempt_that_is_killed_before_it_reports_anything_counts(stages, store):
    tiny_plugins.switch("wait-fit-24", 60)
    killed = tiny.process(tiny.run_stage, stages[REAL], store.root)
    tiny.wait_until(lambda: tiny_plugins.events("fit"), what="the attempt")
    killed.kill()
    killed.join()
    tiny_plugins.off("wait-fit-24")
    assert order(stages[REAL], store).record["cost"]["attempts"] == 2


def test_a_failure_names_stage_plugin_version_and_origin_in_one_line(stages, store):
    tiny_plugins.switch("fail-fit-24")
    assert order(stages[REAL], store).error == (
        "recognizer plugin 'tiny-recognizer' 3 (module tiny_plugins): ArithmeticError: the fit-24 was told to fail"
    )


@pytest.mark.parametrize(("kind", "name"), [("recognizer", "iresnet"), ("protocol", "pair-verification")])
def test_a_failure_of_a_bundled_plugin_names_its_distribution_however_it_is_installed(stages, store, kind, name):
    stage = replace(stages[REAL], plugin=load_plugins().get(kind, name)())
    said = f"recognizer plugin '{name}' {stage.plugin.version} (faceassay {version('faceassay')}): ArithmeticError: no"
    assert explain(ArithmeticError("no"), stage, store) == said


def test_a_failure_keeps_the_traceback_and_the_key(stages, store):
    tiny_plugins.switch("fail-fit-24")
    outcome = order(stages[REAL], store)
    failure = Store.open(store.root).failure(stages[REAL].digest)
    assert 'in fit\n    _obey(f"fit-{len(data)}")' in failure["traceback"]
    assert (failure["reason"], failure["key"]) == (outcome.error, stages[REAL].key.document)


def test_a_failed_stage_leaves_no_artifact_and_no_lock(stages, store):
    tiny_plugins.switch("fail-fit-24")
    order(stages[REAL], store)
    assert store.record("recognizer", stages[REAL].digest) is None
    assert not store.is_locked(stages[REAL].digest)


def test_a_stage_that_failed_goes_on_from_its_checkpoint(stages, store):
    tiny_plugins.switch("interrupt-step", 12)
    interrupted(stages[REAL], store, checkpoint_interval=0.0)
    tiny_plugins.off("interrupt-step")
    tiny_plugins.switch("fail-fit-24")
    order(stages[REAL], store)
    tiny_plugins.off("fail-fit-24")
    assert order(stages[REAL], store).record["log"] == ["starts after 11 steps"]


def test_a_success_removes_the_failure(stages, store):
    tiny_plugins.switch("fail-fit-24")
    order(stages[REAL], store)
    tiny_plugins.off("fail-fit-24")
    order(stages[REAL], store)
    assert store.failure(stages[REAL].digest) is None


def test_a_full_disk_is_called_so(stages, store):
    tiny_plugins.switch("full-fit-24")
    assert order(stages[REAL], store).error == (
        f"no space left for the store {store.root}: finished stages are kept; free space and run again"
    )


def test_a_damaged_input_fails_the_stage_and_is_named(stages, store):
    made(stages[SYNTHESIS], store)
    shard = store.folder("synthesis", stages[SYNTHESIS].digest) / "shard-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x01")
    assert f"{shard} is not what was written" in order(stages[MIXED], store).error
    assert tiny_plugins.events("fit") == []


def test_an_input_that_is_not_there_fails_the_stage(stages, store):
    assert "plan " in (error := order(stages[SYNTHESIS], store).error)
    assert "is not in the store" in error


def test_an_undeclared_input_is_refused_naming_needs(store):
    text = tiny.MATRIX.replace("plugin: tiny-blend}", "plugin: tiny-blend, reads: generator}")
    stages = tiny.by_title(tiny.graph_of(text)[1])
    made(stages[PLAN], store)
    assert "the plugin's needs() must name 'generator'" in order(stages[SYNTHESIS], store).error


def test_a_stage_that_does_not_keep_its_word_about_metrics_fails(stages, store, monkeypatch):
    made(stages["features near of Real, seed 0"], store)
    monkeypatch.setattr(tiny_plugins.TinyProtocol, "metric_ids", lambda self: ("accuracy",))
    assert "announced accuracy but computed distance:1" in order(stages[EVALUATION], store).error


def test_an_artifact_can_be_opened_by_its_stage(stages, store):
    made(stages[EVALUATION], store)
    evaluation = open_artifact(stages[EVALUATION], store)
    assert evaluation.metrics["distance:1"] == pytest.approx(np.mean(evaluation.scores["distances"]))


def test_the_blocks_of_a_synthesis_count_its_network_evaluations(stages, store):
    assert made(stages[SYNTHESIS], store)["cost"]["network_evaluations"] == 0


def test_an_order_can_be_sent_to_another_process_whatever_watches_the_run(stages, store):
    watchers = Watchers([ProgressDisplay()])
    sent = Order(
        stages[REAL], store.root, Resources("cpu", 3), 7.0,
        progress=lambda done, total: watchers.tell("stage_progressed", stages[REAL], done, total),
    )  # fmt: skip
    received = pickle.loads(pickle.dumps(sent))
    assert (received.stage.digest, received.store) == (stages[REAL].digest, store.root)
    assert (received.resources, received.checkpoint_interval) == (Resources("cpu", 3), 7.0)
    assert received().error is None


def test_a_stage_computes_with_the_threads_of_its_key_and_deterministically(stages, store):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    made(stages[REAL], store)
    assert tiny_plugins.events("fit") == [[stages[REAL].digest, "1", "True"]]
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_torch_settings_of_two_threads_do_not_disturb_each_other():
    before, seen = torch.get_num_threads(), []

    def compute(threads, seconds):
        with torch_settings(threads):
            pause.wait(seconds)
            seen.append((threads, torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))

    pause = threading.Event()
    workers = [threading.Thread(target=compute, args=arguments) for arguments in ((3, 0.1), (1, 0.3), (2, 0.2))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(seen) == [(1, 1, True), (2, 2, True), (3, 3, True)]
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (before, False)
