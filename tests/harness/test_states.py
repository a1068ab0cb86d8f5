"""Where stages stand, and which of them a run must make."""

import shutil

import pytest

import tiny_matrix as tiny
from faceassay.states import State, required_stages, state_of
from faceassay.store import Store


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def stages(graph):
    return tiny.by_title(graph)


def make(stage, store, content=b"bytes"):
    """Commit an artifact as a run would, from whatever inputs the store holds now."""
    work = store.staging(stage.digest) / "work"
    work.mkdir(parents=True)
    (work / "file").write_bytes(content)
    present = {name: store.record(source.kind, source.digest) for name, source in stage.stages().items()}
    inputs = {name: {"content": record["content"] if record else "gone"} for name, record in present.items()}
    store.commit(stage.kind, stage.digest, work, {"inputs": inputs})


def make_all(graph, store):
    for stage in graph.stages.values():
        make(stage, store)


def remove(stage, store):
    shutil.rmtree(store.folder(stage.kind, stage.digest))


def titles(graph, store):
    return {stage.title for stage in required_stages(graph, store)}


PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
REAL = {"recognizer Real, seed 0", "features near of Real, seed 0", "evaluation near of Real, seed 0"}


def test_a_stage_that_never_ran_is_missing(stages, store):
    assert state_of(stages[PLAN], store) is State.MISSING


def test_a_stage_with_its_artifact_is_done(stages, store):
    make(stages[PLAN], store)
    assert state_of(stages[PLAN], store) is State.DONE


def test_a_stage_that_failed_is_failed_until_it_is_made(stages, store):
    store.fail(stages[PLAN].digest, {"reason": "no"})
    before = state_of(stages[PLAN], store)
    make(stages[PLAN], store)
    assert (before, state_of(stages[PLAN], store)) == (State.FAILED, State.DONE)


def test_a_stage_that_another_process_works_on_is_running_until_that_is_killed(stages, store, tmp_path):
    other = tiny.process(tiny.hold_lock, store.root, stages[PLAN].digest, tmp_path / "held")
    tiny.wait_until((tmp_path / "held").exists, what="the lock")
    during = state_of(stages[PLAN], store)
    other.kill()
    other.join()
    assert (during, state_of(stages[PLAN], store)) == (State.RUNNING, State.MISSING)


def test_a_failed_stage_that_is_tried_again_is_running(stages, store):
    store.fail(stages[PLAN].digest, {"reason": "no"})
    with store.lock(stages[PLAN].digest):
        assert state_of(stages[PLAN], store) is State.RUNNING


def test_a_finished_stage_is_done_also_while_somebody_looks_at_it(stages, store):
    make(stages[PLAN], store)
    with store.lock(stages[PLAN].digest):
        assert state_of(stages[PLAN], store) is State.DONE


def test_a_stage_is_stale_when_an_input_of_the_same_key_has_other_bytes(stages, store):
    make(stages[PLAN], store)
    make(stages[SYNTHESIS], store)
    make(stages[PLAN], store, b"made on another machine")
    assert state_of(stages[PLAN], store) is State.DONE
    assert state_of(stages[SYNTHESIS], store) is State.STALE


def test_a_stage_is_not_stale_when_an_input_was_made_again_with_the_same_bytes(stages, store):
    make(stages[PLAN], store)
    make(stages[SYNTHESIS], store)
    make(stages[PLAN], store)
    assert state_of(stages[SYNTHESIS], store) is State.DONE


def test_an_input_that_is_gone_does_not_make_a_stage_stale(stages, store):
    make(stages[PLAN], store)
    make(stages[SYNTHESIS], store)
    remove(stages[PLAN], store)
    assert state_of(stages[SYNTHESIS], store) is State.DONE


def test_a_stale_stage_that_is_made_again_is_done(stages, store):
    make(stages[PLAN], store)
    make(stages[SYNTHESIS], store)
    make(stages[PLAN], store, b"other")
    make(stages[SYNTHESIS], store)
    assert state_of(stages[SYNTHESIS], store) is State.DONE


def test_on_an_empty_store_every_stage_is_required_once(graph, store):
    assert required_stages(graph, store) == list(graph.stages.values())


def test_inputs_come_before_what_needs_them(graph, store):
    done = set()
    for stage in required_stages(graph, store):
        assert {source.digest for source in stage.stages().values()} <= done
        done.add(stage.digest)


def test_nothing_is_required_when_all_is_done(graph, store):
    make_all(graph, store)
    assert required_stages(graph, store) == []


def test_only_what_is_missing_is_required(graph, store, stages):
    make_all(graph, store)
    remove(stages["evaluation near of Blend, seed 0"], store)
    assert titles(graph, store) == {"evaluation near of Blend, seed 0"}


def test_what_a_missing_target_needs_is_required_as_far_as_it_is_missing(graph, store, stages):
    make_all(graph, store)
    for title in ("evaluation near of Blend, seed 0", "features near of Blend, seed 0", SYNTHESIS):
        remove(stages[title], store)
    assert titles(graph, store) == {"evaluation near of Blend, seed 0", "features near of Blend, seed 0"}


def test_weights_and_images_that_were_removed_are_not_required_for_finished_targets(graph, store, stages):
    make_all(graph, store)
    for stage in stages.values():
        if stage.kind in ("plan", "synthesis", "recognizer", "features"):
            remove(stage, store)
    assert required_stages(graph, store) == []


def test_a_lock_on_a_finished_target_requires_nothing(graph, store, stages):
    make_all(graph, store)
    remove(stages["features near of Real, seed 0"], store)
    with store.lock(stages["evaluation near of Real, seed 0"].digest):
        assert required_stages(graph, store) == []


def test_everything_downstream_of_a_stale_stage_is_required_and_nothing_else(graph, store, stages):
    make_all(graph, store)
    make(stages[PLAN], store, b"other")
    assert titles(graph, store) == set(stages) - REAL - {PLAN}


def test_everything_downstream_of_a_stale_stage_that_another_process_makes_again_is_required(graph, store, stages):
    make_all(graph, store)
    make(stages[PLAN], store, b"other")
    with store.lock(stages[SYNTHESIS].digest):
        assert titles(graph, store) == set(stages) - REAL - {PLAN}


def test_a_failed_stage_and_what_needs_it_are_required_again(graph, store, stages):
    make_all(graph, store)
    for title in REAL:
        remove(stages[title], store)
    store.fail(stages["recognizer Real, seed 0"].digest, {"reason": "no"})
    assert titles(graph, store) == REAL
