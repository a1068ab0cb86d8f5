"""A whole matrix: what runs, in which order, what a failure costs, who watches, two processes at once."""

import shutil
import threading
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from pydantic import PrivateAttr

import tiny_matrix as tiny
import tiny_plugins
from faceassay.contracts import Executor, Observer, StoreError
from faceassay.run import Watchers
from faceassay.serial import SerialExecutor
from faceassay.states import State, state_of
from faceassay.store import Store

PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
QUALITY = "image quality of tiny-blend, seed 0"
ROWS = ("Real", "Blend + real", "Blend")
TWO_SEEDS = tiny.MATRIX.replace("seeds: [0]", "seeds: [0, 1]")


def of_row(row):
    return [f"recognizer {row}, seed 0", f"features near of {row}, seed 0", f"evaluation near of {row}, seed 0"]


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


@pytest.fixture
def matrix():
    return tiny.graph_of()[0]


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


class Diary(Observer):
    """Write down what an observer is told."""

    name = "diary"
    version = "1"
    summary = "remembers"

    _told: list = PrivateAttr(default_factory=list)

    def run_started(self, stages, estimates):
        self._told.append(("run", [stage.title for stage in stages], estimates))

    def stage_started(self, stage):
        self._told.append(("started", stage.title))

    def stage_progressed(self, stage, done, total):
        self._told.append(("progressed", stage.title, done, total))

    def stage_finished(self, stage, outcome):
        self._told.append(("finished", stage.title, outcome))

    def told(self, event):
        return [entry[1] for entry in self._told if entry[0] == event]

    def outcomes(self):
        return {entry[1]: entry[2] for entry in self._told if entry[0] == "finished"}


class Grumbler(Observer):
    """Fail at an event."""

    name = "grumbler"
    version = "1"
    summary = "fails"

    event: str = "stage_started"
    _asked: list = PrivateAttr(default_factory=list)

    def model_post_init(self, context):
        def fail(*facts):
            self._asked.append(facts)
            raise RuntimeError("no\nspace on the screen")

        object.__setattr__(self, self.event, fail)


class Threads(Executor):
    """Run three stages at a time in threads."""

    name = "threads"
    version = "1"
    summary = "threads"

    _pool: ThreadPoolExecutor = PrivateAttr(default_factory=lambda: ThreadPoolExecutor(3))

    def slots(self):
        return 3

    def submit(self, order):
        return self._pool.submit(order)


class LastFirst(Executor):
    """Run what was submitted last first."""

    name = "last-first"
    version = "1"
    summary = "another order"

    _stack: list = PrivateAttr(default_factory=list)
    _pool: ThreadPoolExecutor = PrivateAttr(default_factory=lambda: ThreadPoolExecutor(1))

    def slots(self):
        return 100

    def submit(self, order):
        future = Future()
        self._stack.append((order, future))
        self._pool.submit(self._run_last)
        return future

    def _run_last(self):
        threading.Event().wait(0.05)
        order, future = self._stack.pop()
        future.set_result(order())


class OneProcess(Executor):
    """Run each stage in another process."""

    name = "one-process"
    version = "1"
    summary = "another process"

    _pool: ProcessPoolExecutor = PrivateAttr(
        default_factory=lambda: ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    )

    def submit(self, order):
        return self._pool.submit(order)

    def close(self):
        self._pool.shutdown()


def fits():
    """Return how often each training began."""
    return Counter(digest for digest, *_ in tiny_plugins.events("fit"))


def test_equal_keys_are_one_stage(graph):
    kinds = Counter(stage.kind for stage in graph.stages.values())
    assert kinds == {"plan": 1, "synthesis": 1, "quality": 1, "recognizer": 3, "features": 3, "evaluation": 3}


def test_shared_stages_run_once(graph, store):
    assert tiny.run(graph, store) == {}
    assert len(tiny_plugins.events("plan")) == 1
    assert sorted(int(index) for index, _ in tiny_plugins.events("render")) == [0, 1, 2, 3, 4, 5]
    assert sorted(fits().values()) == [1, 1, 1]


def test_every_stage_is_made(graph, store):
    tiny.run(graph, store)
    assert {state_of(stage, store) for stage in graph.stages.values()} == {State.DONE}


def test_inputs_run_before_what_needs_them(graph, store):
    diary = Diary()
    tiny.run(graph, store, observers=[diary])
    place = {title: i for i, title in enumerate(diary.told("started"))}
    for stage in graph.stages.values():
        assert all(place[source.title] < place[stage.title] for source in stage.stages().values())


def test_a_second_run_runs_nothing(graph, store):
    tiny.run(graph, store)
    before, diary = tiny_plugins.events(), Diary()
    tiny.run(graph, store, observers=[diary])
    assert tiny_plugins.events() == before
    assert (diary.told("run"), diary.told("started")) == ([[]], [])


def test_another_run_of_the_same_matrix_in_another_store_makes_the_same_bytes(graph, store, tmp_path):
    other = Store.open(tmp_path / "other")
    tiny.run(graph, store)
    tiny.run(graph, other)
    assert tiny.contents(graph, store) == tiny.contents(graph, other)


def test_only_what_is_missing_runs(graph, store):
    tiny.run(graph, store)
    stage = tiny.by_title(graph)["features near of Blend, seed 0"]
    shutil.rmtree(store.folder(stage.kind, stage.digest))
    evaluation = tiny.by_title(graph)["evaluation near of Blend, seed 0"]
    shutil.rmtree(store.folder(evaluation.kind, evaluation.digest))
    diary = Diary()
    tiny.run(graph, store, observers=[diary])
    assert diary.told("started") == [stage.title, evaluation.title]


def test_a_further_seed_runs_only_what_depends_on_it(graph, store):
    tiny.run(graph, store)
    wider, diary = tiny.graph_of(TWO_SEEDS)[1], Diary()
    tiny.run(wider, store, observers=[diary])
    assert diary.told("started")
    assert all(title.endswith("seed 1") for title in diary.told("started"))


def test_a_further_row_changes_no_number_of_the_others(matrix, graph, store):
    tiny.run(graph, store)
    before = tiny.table(matrix, graph, store).splitlines()
    row = "  - {name: More, group: FR_mix, augmentation: {plugin: tiny-blend, images: 20}}\nbenchmarks:"
    wider_matrix, wider = tiny.graph_of(tiny.MATRIX.replace("benchmarks:", row))
    tiny.run(wider, store)
    assert tiny.table(wider_matrix, wider, store).splitlines()[:4] == before[:4]


def test_the_observer_learns_what_will_run_and_an_estimate_from_recorded_costs(graph, store):
    first, second = Diary(), Diary()
    tiny.run(graph, store, observers=[first])
    tiny.run(tiny.graph_of(TWO_SEEDS)[1], store, observers=[second])
    assert set(first._told[0][2].values()) == {None}
    assert all(seconds is not None for seconds in second._told[0][2].values())


def test_the_observer_learns_progress_and_outcomes(graph, store):
    diary = Diary()
    tiny.run(graph, store, observers=[diary])
    steps = [entry[2:] for entry in diary._told if entry[:2] == ("progressed", of_row("Real")[0])]
    assert steps == [(step, 20) for step in range(1, 21)]
    assert all(outcome.record["digest"] == outcome.digest for outcome in diary.outcomes().values())


@pytest.mark.parametrize("event", ["run_started", "stage_started", "stage_progressed", "stage_finished"])
def test_an_observer_that_fails_is_dropped_with_one_warning_and_the_run_goes_on(graph, store, event):
    warnings, grumbler, diary = [], Grumbler(event=event), Diary()
    assert tiny.run(graph, store, observers=[grumbler, diary], warn=warnings.append) == {}
    assert warnings == ["observer 'grumbler' failed and is left out from here on: RuntimeError: no space on the screen"]
    assert len(grumbler._asked) == 1
    assert len(diary.told("finished")) == len(graph.stages)


def test_an_observer_that_fails_in_several_threads_at_once_is_dropped_once(graph, store):
    warnings, both_in = [], threading.Barrier(2)

    class Late(Observer):
        name = "late"
        version = "1"
        summary = "fails late"

        def stage_progressed(self, stage, done, total):
            both_in.wait(5)
            raise RuntimeError("late")

    watchers = Watchers([Late()], warnings.append)
    stage = next(iter(graph.stages.values()))
    with ThreadPoolExecutor(2) as pool:
        for told in [pool.submit(watchers.tell, "stage_progressed", stage, 1, 2) for _ in range(2)]:
            told.result()
    assert (len(warnings), watchers.observers) == (1, [])


def test_a_failure_costs_only_the_rows_that_need_the_stage(graph, store):
    tiny_plugins.switch("fail-fit-12", "not on only twelve")
    failures = tiny.run(graph, store)
    assert set(failures) == set(of_row("Blend"))
    done = {stage.title for stage in graph.stages.values() if state_of(stage, store) is State.DONE}
    assert done == {PLAN, SYNTHESIS, QUALITY, *of_row("Real"), *of_row("Blend + real")}


def test_what_needs_a_failed_stage_is_told_so_and_not_started(graph, store):
    tiny_plugins.switch("fail-render")
    diary = Diary()
    failures = tiny.run(graph, store, observers=[diary])
    assert failures[f"recognizer {ROWS[1]}, seed 0"] == f"needs {SYNTHESIS}, which failed"
    assert set(diary.told("started")) == {PLAN, SYNTHESIS, *of_row("Real")}
    assert {title for title, outcome in diary.outcomes().items() if outcome.error} == set(failures)


def test_the_table_shows_the_failed_cells_with_the_reason(matrix, graph, store):
    tiny_plugins.switch("fail-render", "out of paint")
    tiny.run(graph, store)
    real, mixed, blend = tiny.table(matrix, graph, store).splitlines()[1:4]
    assert "failed" not in real
    for row in (mixed, blend):
        assert f"failed: {SYNTHESIS}" in row
        assert "ArithmeticError: out of paint" in row


def test_a_second_run_tries_the_failed_stages_again_and_only_those(matrix, graph, store, tmp_path):
    tiny_plugins.switch("fail-fit-12")
    tiny.run(graph, store)
    tiny_plugins.off("fail-fit-12")
    diary = Diary()
    assert tiny.run(graph, store, observers=[diary]) == {}
    assert diary.told("started") == of_row("Blend")
    whole = Store.open(tmp_path / "other")
    tiny.run(graph, whole)
    assert tiny.table(matrix, graph, store) == tiny.table(matrix, graph, whole)


def test_an_interrupted_run_goes_on_where_it_was(matrix, graph, store, tmp_path):
    tiny_plugins.switch("interrupt-render", 4)
    with pytest.raises(KeyboardInterrupt):
        tiny.run(graph, store)
    tiny_plugins.off("interrupt-render")
    before = fits()
    assert tiny.run(graph, store) == {}
    assert max(fits().values()) == 1
    assert set(before) < set(fits())
    assert Counter(int(index) for index, _ in tiny_plugins.events("render")) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 1}
    whole = Store.open(tmp_path / "other")
    tiny.run(graph, whole)
    assert tiny.table(matrix, graph, store) == tiny.table(matrix, graph, whole)


@pytest.mark.parametrize("executor", [Threads, LastFirst])
def test_the_order_and_the_threads_of_an_executor_change_no_byte(graph, store, tmp_path, executor):
    serial = Store.open(tmp_path / "serial")
    tiny.run(graph, serial)
    assert tiny.run(graph, store, executor=executor()) == {}
    assert tiny.contents(graph, store) == tiny.contents(graph, serial)


def test_an_executor_in_threads_keeps_the_threads_of_every_stage(graph, store):
    tiny_plugins.switch("wait-step", 0.005)
    tiny.run(graph, store, executor=Threads())
    assert {tuple(settings) for _, *settings in tiny_plugins.events("fit")} == {("1", "True")}


def test_an_executor_in_another_process_changes_no_byte(graph, store, tmp_path):
    serial, executor, diary = Store.open(tmp_path / "serial"), OneProcess(), Diary()
    tiny.run(graph, serial)
    assert tiny.run(graph, store, executor=executor, observers=[diary]) == {}
    executor.close()
    assert tiny.contents(graph, store) == tiny.contents(graph, serial)


def test_a_stage_whose_process_dies_fails_alone(matrix, graph, store):
    class Lossy(SerialExecutor):
        name = "lossy"

        def submit(self, order):
            if order.stage.title != SYNTHESIS:
                return super().submit(order)
            lost = Future()
            lost.set_exception(RuntimeError("the machine\nis gone"))
            return lost

    failures = tiny.run(graph, store, executor=Lossy())
    assert failures[SYNTHESIS] == "executor 'lossy' lost the stage: RuntimeError: the machine is gone"
    assert not set(failures) & set(of_row("Real"))
    assert "the machine is gone" in tiny.table(matrix, graph, store).splitlines()[2]


def test_two_processes_do_no_stage_twice_and_end_with_the_same_table(matrix, graph, store, tmp_path):
    tiny_plugins.switch("wait-step", 0.02)
    start = get_context("spawn").Barrier(2)
    folders = [tmp_path / "first", tmp_path / "second"]
    processes = [tiny.process(tiny.run_whole, folder, store.root, start) for folder in folders]
    assert [tiny.ended(started) for started in processes] == [0, 0]
    assert sorted(fits().values()) == [1, 1, 1]
    assert len(tiny_plugins.events("plan")) == 1
    assert len(tiny_plugins.events("render")) == 6
    assert len(tiny_plugins.events("evaluate")) == 3
    first, second = ((folder / "table.csv").read_text() for folder in folders)
    assert first == second
    assert first.endswith("{}")
    tiny_plugins.off("wait-step")
    whole = Store.open(tmp_path / "other")
    tiny.run(graph, whole)
    assert tiny.contents(graph, store) == tiny.contents(graph, whole)


def remake_plan(graph, store):
    """Let the plan be made again with other bytes under the same key, as by another machine."""
    plan = tiny.by_title(graph)[PLAN]
    shutil.copytree(store.folder("plan", plan.digest), store.staging(plan.digest) / "work")
    (store.staging(plan.digest) / "work" / "record.json").unlink()
    (store.staging(plan.digest) / "work" / "columns" / "more.npy").touch()
    store.commit("plan", plan.digest, store.staging(plan.digest) / "work", {"inputs": {}})


def test_numbers_whose_inputs_changed_far_back_are_not_shown_as_results(matrix, graph, store):
    tiny.run(graph, store)
    remake_plan(graph, store)
    real, mixed, blend = tiny.table(matrix, graph, store).splitlines()[1:4]
    assert ["not run" in row for row in (real, mixed, blend)] == [False, True, True]


def test_a_damaged_artifact_stops_the_run_before_its_first_stage(graph, store):
    tiny.run(graph, store)
    stage = tiny.by_title(graph)[of_row("Real")[0]]
    damaged = store.folder(stage.kind, stage.digest) / "sub" / "mean.npy"
    damaged.write_bytes(b"\x93NUMPY of another kind")
    for title in of_row("Real")[1:]:
        missing = tiny.by_title(graph)[title]
        shutil.rmtree(store.folder(missing.kind, missing.digest))
    before = tiny_plugins.events()
    with pytest.raises(StoreError, match=str(damaged)):
        tiny.run(graph, Store.open(store.root))
    assert tiny_plugins.events() == before


def test_a_damaged_evaluation_stops_the_run_before_the_report_reads_it(graph, store):
    tiny.run(graph, store)
    stage = tiny.by_title(graph)[of_row("Real")[2]]
    damaged = store.folder(stage.kind, stage.digest) / "evaluation.json"
    damaged.write_text(damaged.read_text().replace("0", "1"))
    with pytest.raises(StoreError, match=str(damaged)):
        tiny.run(graph, Store.open(store.root))


def test_a_damaged_artifact_that_nobody_reads_stops_nothing(graph, store):
    tiny.run(graph, store)
    stage = tiny.by_title(graph)[of_row("Real")[0]]
    (store.folder(stage.kind, stage.digest) / "sub" / "mean.npy").write_bytes(b"")
    assert tiny.run(graph, Store.open(store.root)) == {}


def test_a_disk_that_is_too_full_stops_the_run_before_its_first_stage(graph, store, monkeypatch):
    monkeypatch.setattr("faceassay.run.shutil.disk_usage", lambda path: SimpleNamespace(free=3 * 2**20))
    with pytest.raises(StoreError, match=r"3 MiB free, this run may need \d+ MiB: free space or .*--store DIR"):
        tiny.run(graph, store)
    assert tiny_plugins.events() == []


def test_a_full_disk_stops_no_run_that_has_nothing_to_do(graph, store, monkeypatch):
    tiny.run(graph, store)
    monkeypatch.setattr("faceassay.run.shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    assert tiny.run(graph, store) == {}


def test_data_that_changed_while_the_matrix_runs_fails_the_stages_that_read_it(graph, store, monkeypatch):
    open_data = tiny_plugins.TinyFaces.open

    def changed(self):
        data = open_data(self)
        data.pixels = data.pixels + 1
        return data

    monkeypatch.setattr(tiny_plugins.TinyFaces, "open", changed)
    failures = tiny.run(graph, store)
    assert "data 'train' changed meanwhile: run again" in failures[PLAN]
