"""A synthesis in several real processes: the same bytes, whatever dies."""

import os
import shutil
import signal
from collections import Counter

import pytest

import tiny_matrix as tiny
import tiny_plugins
from faceassay.contracts import Resources
from faceassay.execute import Order
from faceassay.given import DataInput
from faceassay.graph import Stage
from faceassay.shards import block_is_complete
from faceassay.store import Store
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.generators.edm2.plugin import Edm2

BLOCKS = 40
DENOISER = {
    "channels": 8,
    "channel_multipliers": (1, 1),
    "blocks": 1,
    "attention_resolutions": (8,),
    "head_channels": 8,
}


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def stages_of(augmentation, generator=None):
    """Return plan and synthesis of an augmentation, and the generator stage where it needs one."""
    real = DataInput.of("train", tiny_plugins.TinyFaces(), None)
    sources, trained = {"real": real}, None
    if generator:
        trained = Stage("generator", generator, {"real": real}, {}, 3, 1, "generator", 8, "training images")
        sources["generator"] = trained
    plan = Stage("plan", augmentation, sources, {"seed": 0}, 5, 1, "plan", 10, "rows")
    synthesis = Stage(
        "synthesis", augmentation, {**sources, "plan": plan}, {"seed": 0}, 7, 1, "synthesis", 10, "images"
    )
    return trained, plan, synthesis


def blended(blocks=BLOCKS):
    return stages_of(tiny_plugins.TinyBlend(images=2 * blocks))[1:]


def order(stage, store, workers=1, **options):
    return Order(stage, store.root, Resources(workers=workers), **options)()


def rendered():
    """Return how often each block was begun."""
    return Counter(int(index) for index, _ in tiny_plugins.events("render"))


def complete_blocks(stage, store):
    """Return the numbers of the blocks that were finished."""
    paths = (store.staging(stage.digest) / "blocks").glob("block-*.tar")
    return {int(path.stem.removeprefix("block-")) for path in paths if block_is_complete(path)}


@pytest.fixture(scope="module")
def denoising(tmp_path_factory):
    """Train a real EDM2 for two steps and plan a ScoreMix synthesis of five blocks with it."""
    store = Store.open(tmp_path_factory.mktemp("trained") / "store")
    augmentation = ScoreMix(pairs=5, images_per_pair=2, block_size=2, steps=2, guidance=1.3, mixing=(0.25, 0.5))
    generator, plan, synthesis = stages_of(augmentation, Edm2(images=8, batch_size=4, **DENOISER))
    assert [order(stage, store).error for stage in (generator, plan)] == [None, None]
    return synthesis, store


@pytest.fixture(scope="module")
def alone(denoising, tmp_path_factory):
    """Return the record of that synthesis made by one process."""
    return denoised(denoising, tmp_path_factory.mktemp("alone") / "store", 1)


def denoised(denoising, root, workers):
    synthesis, trained = denoising
    shutil.copytree(trained.root, root)
    outcome = order(synthesis, Store.open(root), workers)
    assert outcome.error is None
    return outcome.record


@pytest.mark.parametrize("workers", [2, 5])
def test_any_number_of_workers_makes_the_same_bytes_and_counts_the_same_evaluations(
    denoising, alone, tmp_path, workers
):
    record = denoised(denoising, tmp_path / "store", workers)
    assert record["files"] == alone["files"]
    assert record["content"] == alone["content"]
    assert record["cost"]["workers"] == workers
    assert record["cost"]["network_evaluations"] == alone["cost"]["network_evaluations"]


def test_the_evaluations_are_those_of_heun_two_classes_and_a_guide(alone):
    assert alone["cost"]["network_evaluations"] == 10 * (2 * 2 - 1) * 2 * 2


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """SIGKILL the parent of two workers that are in the middle of a block; return what is left behind."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TINY_EVENTS", str(folder))
        store, (plan, synthesis) = Store.open(folder / "store"), blended()
        order(plan, store)
        tiny_plugins.switch("wait-render", 0.1)
        parent = tiny.process(tiny.run_stage, synthesis, store.root, 2)
        try:
            tiny.wait_until(lambda: len(complete_blocks(synthesis, store)) >= 4, what="four blocks")
            tiny_plugins.switch("wait-render", 3600)
            tiny.wait_until(lambda: in_the_middle(synthesis, store) == 2, what="two begun blocks")
        finally:
            parent.kill()
            parent.join()
        yield store, synthesis, worker_pids()
        for pid in filter(tiny.is_alive, worker_pids()):
            os.kill(pid, signal.SIGKILL)


def in_the_middle(synthesis, store):
    """Return how many blocks were begun and not finished."""
    return rendered().total() - len(complete_blocks(synthesis, store))


def worker_pids():
    return {int(pid) for _, pid in tiny_plugins.events("render")}


def test_orphans_end_when_their_parent_is_killed_in_the_middle_of_a_block(killed):
    _, _, pids = killed
    assert len(pids) == 2
    tiny.wait_until(lambda: not any(map(tiny.is_alive, pids)), what="the end of the orphans")


def test_after_a_kill_each_worker_has_lost_one_block_at_most(killed, tmp_path):
    store, synthesis, _ = killed
    shutil.copytree(store.root, tmp_path / "store")
    copy, whole = Store.open(tmp_path / "store"), Store.open(tmp_path / "whole")
    finished = complete_blocks(synthesis, copy)
    assert 4 <= len(finished) < BLOCKS
    resumed = order(synthesis, copy)
    assert set(rendered()) == set(range(BLOCKS)) - finished
    order(synthesis.stages()["plan"], whole)
    assert resumed.record["content"] == order(synthesis, whole).record["content"]


def test_an_error_in_a_worker_is_the_failure_of_the_stage_and_ends_it_soon(store):
    plan, synthesis = blended()
    order(plan, store)
    tiny_plugins.switch("wait-render", 0.2)
    tiny_plugins.switch("fail-render", "no paint left")
    outcome = order(synthesis, store, 2)
    assert outcome.error == "synthesis plugin 'tiny-blend' 2.5 (module tiny_plugins): ArithmeticError: no paint left"
    assert "in render" in store.failure(synthesis.digest)["traceback"]
    assert len(rendered()) < BLOCKS / 2


def test_a_worker_that_dies_fails_the_stage_and_costs_no_finished_block(store):
    plan, synthesis = blended(2)
    order(plan, store)
    tiny_plugins.switch("interrupt-render", 1)
    with pytest.raises(KeyboardInterrupt):
        order(synthesis, store)
    tiny_plugins.off("interrupt-render")
    tiny_plugins.switch("exit-render", 1)
    assert order(synthesis, store, 2).error == (
        "synthesis plugin 'tiny-blend' 2.5 (module tiny_plugins): a worker process died, perhaps for lack of memory: "
        "finished blocks are kept; run again, perhaps with fewer --workers"
    )
    tiny_plugins.off("exit-render")
    assert order(synthesis, store).error is None
    assert rendered() == {0: 1, 1: 3}


def test_an_interruption_of_the_parent_ends_the_workers_soon(store):
    plan, synthesis = blended()
    order(plan, store)

    tiny_plugins.switch("wait-render", 0.2)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        order(synthesis, store, 2, progress=interrupt)
    assert len(rendered()) < BLOCKS / 2
    assert not any(map(tiny.is_alive, worker_pids() - {os.getpid()}))


def test_workers_are_not_started_when_every_block_is_there(store, monkeypatch):
    plan, synthesis = blended(2)
    order(plan, store)
    with monkeypatch.context() as patched:
        patched.setattr("faceassay.stages.synthesis.assemble", lambda *arguments: 1 / 0)
        assert "ZeroDivisionError" in order(synthesis, store).error
    monkeypatch.setattr("faceassay.workers.ProcessPoolExecutor", None)
    assert order(synthesis, store, 5).error is None
    assert rendered() == {0: 1, 1: 1}
