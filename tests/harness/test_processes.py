"""Stages side by side in processes: the same bytes, never more than agreed, no orphans."""

from __future__ import annotations

import time

import pytest

import tiny_matrix as tiny
import tiny_plugins
from faceassay import run as running
from faceassay.contracts import Observer
from faceassay.processes import ProcessExecutor
from faceassay.store import Store


class Diary(Observer):
    """Remember what was told."""

    name = "diary"
    version = "1"
    summary = "remembers"

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "lines", [])

    def stage_started(self, stage):
        self.lines.append(("start", stage.title))

    def stage_progressed(self, stage, done, total):
        self.lines.append(("progress", stage.title, done, total))

    def stage_finished(self, stage, outcome):
        self.lines.append(("end", stage.title))

    def most_at_once(self):
        under_way, most = 0, 0
        for kind, *_ in self.lines:
            under_way += {"start": 1, "end": -1}.get(kind, 0)
            most = max(most, under_way)
        return most


@pytest.fixture(autouse=True)
def events(tmp_path, monkeypatch):
    folder = tmp_path / "events"
    folder.mkdir()
    monkeypatch.setenv("TINY_EVENTS", str(folder))


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def wait_for(what, *start, seconds=60):
    end = time.monotonic() + seconds
    while not tiny_plugins.events(*start):
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.05)


def steps_go_on(seconds=1.5):
    before = len(tiny_plugins.events("step"))
    time.sleep(seconds)
    return len(tiny_plugins.events("step")) > before


def run_side_by_side(root):
    """Run the matrix in two processes; meant for a process that is to be killed."""
    tiny.run(tiny.graph_of()[1], Store.open(root), executor=ProcessExecutor(processes=2))


def test_two_processes_make_the_bytes_of_one(graph, store, tmp_path):
    serial = Store.open(tmp_path / "serial")
    tiny.run(graph, serial)
    assert tiny.run(graph, store, executor=ProcessExecutor(processes=2)) == {}
    assert tiny.contents(graph, store) == tiny.contents(graph, serial)


def test_as_many_stages_are_under_way_as_agreed_and_no_more(graph, store):
    tiny_plugins.switch("wait-step", 0.02)
    diary = Diary()
    tiny.run(graph, store, executor=ProcessExecutor(processes=2), observers=[diary])
    assert diary.most_at_once() == 2


def test_a_serial_run_has_one_stage_under_way(graph, store):
    diary = Diary()
    tiny.run(graph, store, observers=[diary])
    assert diary.most_at_once() == 1


def test_progress_comes_from_other_processes(graph, store, monkeypatch):
    monkeypatch.setattr(running, "POLL_SECONDS", 0.1)
    tiny_plugins.switch("wait-step", 0.15)  # 20 steps: longer than the 2 s between two notes of a stage
    diary = Diary()
    tiny.run(graph, store, executor=ProcessExecutor(processes=2), observers=[diary])
    told = [line[2:] for line in diary.lines if line[0] == "progress" and line[1].startswith("recognizer")]
    assert told
    assert all(0 < done <= total == 20 for done, total in told)


def test_a_failing_stage_fails_its_row_alone(graph, store):
    tiny_plugins.switch("fail-fit-24")
    failures = tiny.run(graph, store, executor=ProcessExecutor(processes=2))
    assert failures
    assert any("tiny-recognizer" in reason for reason in failures.values())
    assert len(failures) < len(graph.stages)


def test_an_interrupted_run_leaves_no_process_behind_and_goes_on(graph, store):
    class Interrupting(Diary):
        name = "interrupting"

        def stage_finished(self, stage, outcome):
            raise KeyboardInterrupt

    tiny_plugins.switch("wait-step", 0.2)
    with pytest.raises(KeyboardInterrupt):
        tiny.run(graph, store, executor=ProcessExecutor(processes=2), observers=[Interrupting()])
    assert not steps_go_on()
    tiny_plugins.off("wait-step")
    assert tiny.run(graph, store) == {}


def test_processes_end_when_their_parent_is_killed(graph, store):
    tiny_plugins.switch("wait-step", 0.2)
    parent = tiny.process(run_side_by_side, store.root)
    wait_for("step", "step")
    parent.kill()
    parent.join()
    time.sleep(0.5)  # a step under way may still be noted
    assert not steps_go_on()
    tiny_plugins.off("wait-step")
    assert tiny.run(graph, store) == {}


def test_an_executor_that_was_closed_starts_anew(graph, store, tmp_path):
    executor = ProcessExecutor(processes=1)
    assert tiny.run(graph, store, executor=executor) == {}
    assert tiny.run(graph, Store.open(tmp_path / "other"), executor=executor) == {}
