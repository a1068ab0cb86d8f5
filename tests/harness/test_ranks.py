"""Stages that several processes compute together: what each sees, what the parent learns, what a failure says."""

from __future__ import annotations

import json
import os
import signal

import pytest

import tiny_plugins
from faceassay.execute import Order
from faceassay.given import DataInput
from faceassay.graph import Stage
from faceassay.inputs import open_artifact
from faceassay.store import Store
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from tiny_matrix import is_alive, process, run_stage, wait_until


@pytest.fixture(autouse=True)
def told(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def stage_in(world):
    faces = DataInput.of("train", tiny_plugins.TinyFaces(), None)
    generator = tiny_plugins.TinyGenerator()
    return Stage("generator", generator, {"real": faces}, {}, 5, 1, "generator", 1, "images", world)


def test_every_process_knows_its_rank_and_they_can_add_up(store):
    stage = stage_in(2)
    assert Order(stage, store.root)().error is None
    assert open_artifact(stage, store).tolist() == [3.0, 48.0]  # ranks 1 + 2, and 24 images seen by each
    assert sorted(event[:3] for event in tiny_plugins.events("fit-rank")) == [["0", "2", "1"], ["1", "2", "1"]]
    assert len({event[3] for event in tiny_plugins.events("fit-rank")} | {str(os.getpid())}) == 3


def test_the_record_holds_what_the_first_process_said(store):
    stage, progress = stage_in(2), []
    Order(stage, store.root, progress=lambda *done: progress.append(done))()
    record = store.record("generator", stage.digest)
    assert record["log"] == ["logged by 0"]
    assert record["cost"]["network_evaluations"] == 10
    assert set(progress) <= {(1, 1)}


def test_one_process_needs_no_group(store):
    stage = stage_in(1)
    assert Order(stage, store.root)().error is None
    assert open_artifact(stage, store).tolist() == [1.0, 24.0]
    assert [event[3] for event in tiny_plugins.events("fit-rank")] == [str(os.getpid())]


def test_a_recognizer_is_trained_by_several_processes(store):
    """In processes that torchrun's launcher has started, for their gradients are summed through its group."""
    recognizer = IResNet(depth=(1, 1, 1, 1), width=4, image_size=16, embedding=8, batch_size=8, updates=2)
    faces = DataInput.of("train", tiny_plugins.TinyFaces(), None)
    stage = Stage("recognizer", recognizer, {"real": faces}, {}, 5, 1, "recognizer", 16, "training images", 2)
    assert Order(stage, store.root)().error is None
    artifact = store.verified("recognizer", stage.digest)
    assert json.loads((artifact / "config.json").read_text())["processes"] == 2
    assert open_artifact(stage, store).class_centres().shape == (4, 8)


def test_the_number_of_processes_is_part_of_the_key():
    assert stage_in(1).digest != stage_in(2).digest
    assert stage_in(2).key.document["world"] == 2


@pytest.mark.parametrize("rank", [0, 1])
def test_what_one_process_raises_is_the_reason(store, rank):
    tiny_plugins.switch(f"fail-rank-{rank}", "out of luck")
    stage = stage_in(2)
    outcome = Order(stage, store.root)()
    assert outcome.error.endswith(f"ArithmeticError: out of luck (process {rank})"), outcome.error
    assert "in _obey" in store.failure(stage.digest)["traceback"]


def test_a_process_that_dies_fails_the_stage(store):
    tiny_plugins.switch("exit-rank-1")
    outcome = Order(stage_in(2), store.root)()
    assert "process 1 died with exit code 9, perhaps for lack of memory" in outcome.error
    assert store.record("generator", stage_in(2).digest) is None


def test_handlers_of_signals_are_as_before(store):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    Order(stage_in(2), store.root)()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_the_processes_end_when_the_parent_is_killed(store):
    for rank in (0, 1):
        tiny_plugins.switch(f"wait-rank-{rank}", 300)
    parent = process(run_stage, stage_in(2), store.root)
    wait_until(lambda: len(tiny_plugins.events("fit-rank")) == 2, what="both processes")
    parent.kill()
    parent.join()
    for event in tiny_plugins.events("fit-rank"):
        wait_until(lambda event=event: not is_alive(int(event[3])), what="the end of an orphan")
