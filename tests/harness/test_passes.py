"""Passes through networks beside the generator's: counted once, whoever makes them, and kept in the record."""

from __future__ import annotations

import numpy as np
import pytest

import tiny_plugins
from faceassay.contracts import Augmentation, Resources, Search
from faceassay.execute import Order
from faceassay.given import DataInput
from faceassay.graph import Stage
from faceassay.seeds import noise_keys
from faceassay.stages import synthesis
from faceassay.stages.plan import StoredPlan
from faceassay.store import Store
from fakes import Log, sources, stage_context, toy_faces
from tiny_plugins import TinyBlend, TinyFaces, TinyGenerator

IMAGES = 10


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def real():
    return DataInput.of("train", TinyFaces(), None)


def passes_of(stage, store, **resources):
    outcome = Order(stage, store.root, Resources(**resources))()
    assert outcome.error is None
    return outcome.record["cost"]["passes"]


def blended(store):
    """Make the plan of a synthesis and return its stage; every image is one pass."""
    plan = Stage("plan", TinyBlend(images=IMAGES), {"real": real()}, {}, 1, 1, "plan", IMAGES, "rows")
    assert passes_of(plan, store) == {}
    return Stage("synthesis", plan.plugin, {"real": real(), "plan": plan}, {}, 2, 1, "synthesis", IMAGES, "images")


def test_a_synthesis_counts_the_passes_of_every_block(store):
    assert passes_of(blended(store), store) == {"recognizer_forward": IMAGES}


def test_worker_processes_count_what_one_process_counts(store):
    assert passes_of(blended(store), store, workers=2) == {"recognizer_forward": IMAGES}


def test_a_synthesis_that_went_on_counts_the_blocks_of_the_first_attempt(store):
    stage = blended(store)
    tiny_plugins.switch("interrupt-render", 3)
    with pytest.raises(KeyboardInterrupt):
        Order(stage, store.root)()
    tiny_plugins.off("interrupt-render")
    assert passes_of(stage, store) == {"recognizer_forward": IMAGES}
    assert len(tiny_plugins.events("render")) == 6  # five blocks, one of them begun twice


@pytest.mark.parametrize("world", [1, 2])
def test_a_stage_counts_what_it_says_and_what_its_inputs_saw_of_the_first_process(store, world):
    stage = Stage("generator", TinyGenerator(), {"real": real()}, {}, 5, 1, "generator", 1, "images", world)
    assert passes_of(stage, store) == {"recognizer_backward": 3, "recognizer_forward": 7}


class Looking(Search):
    name = "looking"
    version = "1"
    summary = "looks through a recognizer"

    def needs(self):
        return frozenset()

    def work(self, identities):
        return 1

    def run(self, sources, run):
        sources.passes["recognizer_forward"] += 12
        return {}


def test_a_search_counts_the_passes_that_it_makes(store):
    assert passes_of(Stage("search", Looking(), {"real": real()}, {}, 5, 1, "search", 1, "images"), store) == {
        "recognizer_forward": 12
    }


class Guided(Augmentation):
    """Make passes of several names, some of them before the first block."""

    name = "guided"
    version = "1"
    summary = "counts"

    def planned_images(self, identities):
        return 7

    def plan(self, sources, run):
        raise NotImplementedError

    def render(self, sources, block, noise):
        sources.passes["recognizer_forward"] += len(block)
        if block.index == 1:
            sources.passes["denoiser_backward"] += 2
        return np.zeros((len(block), 16, 16, 3), np.uint8)


def synthesised(folder):
    made, log = Guided(), Log()
    rows = np.zeros((7, 1))
    plan = tiny_plugins.SynthesisPlan(("a",), np.zeros(7, np.int64), rows.astype(np.int64), rows, 3)
    inputs = sources(real=toy_faces(), plan=StoredPlan(plan, noise_keys(5, 0, 7)))
    synthesis.run(made, inputs, stage_context(folder, log=log))
    return inputs, log


def test_each_name_is_counted_by_itself(tmp_path):
    inputs, log = synthesised(tmp_path)
    assert log.passes == {"recognizer_forward": 7, "denoiser_backward": 2}
    assert inputs.passes == {}  # or they would be counted twice


@pytest.mark.parametrize("facts", ["{}", "[]", "null", '{"evaluations": 0}', '{"evaluations": 0, "passes": null}', "{"])
def test_a_block_whose_cost_was_not_written_is_rendered_again(tmp_path, facts):
    inputs, _ = synthesised(tmp_path)
    synthesis.block_path(tmp_path, 1).with_suffix(".json").write_text(facts)
    assert synthesis.missing_blocks(inputs.open("plan"), tmp_path) == [1]
