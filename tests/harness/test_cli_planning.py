"""``faceassay plan``: what is there, what will run, what it will take."""

import dataclasses
import os
import re
from types import SimpleNamespace

import pytest

from faceassay.cli.planning import plan_lines, unread_lines
from faceassay.fingerprints import path_fingerprint
from faceassay.graph import Graph
from faceassay.store import Store
from faceassay_plugins.datasets.folder import Folder
from finished_matrix import break_stage, command, finished_matrix, forget

STAGES = 36
"""For each of two seeds: 3 recognizers, a plan, a synthesis and its quality; 6 features and 6 evaluations."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture
def store(finished, tmp_path):
    return finished.copy_of_store(tmp_path / "store")


@pytest.fixture
def nowhere(tmp_path):
    return tmp_path / "no-cost.csv"


def plan(finished, store, cost_table):
    return list(plan_lines(finished.graph, Store.open(store), cost_table))


def grid(lines):
    """Return the rows of the plan's table as dictionaries."""
    head, rule, *rows = lines[0].splitlines()
    places = [match.span() for match in re.finditer("-+", rule)]
    names = [head[start:end].strip() for start, end in places]
    return [dict(zip(names, (row[start:end].strip() for start, end in places), strict=True)) for row in rows]


def test_there_is_a_row_for_each_stage_with_state_key_and_work(finished, store, nowhere):
    rows = grid(plan(finished, store, nowhere))
    assert [(row["state"], row["stage"], row["key"], row["work"]) for row in rows] == [
        ("done", stage.title, digest[:12], f"{stage.work} {stage.unit}")
        for digest, stage in finished.graph.stages.items()
    ]


def test_after_a_run_everything_is_done_and_nothing_is_to_run(finished, store, nowhere):
    lines = plan(finished, store, nowhere)
    assert lines[1:] == ["", f"{STAGES} stages: {STAGES} done", "nothing to run"]
    assert {row["estimate"] for row in grid(lines)} == {""}


def test_in_an_empty_store_everything_is_missing_and_no_time_is_made_up(finished, tmp_path, nowhere):
    lines = plan(finished, tmp_path / "empty", nowhere)
    assert lines[2:4] == [
        f"{STAGES} stages: {STAGES} missing",
        f"to run: {STAGES} stages, time unknown: none like them has run with this store yet",
    ]
    assert {row["estimate"] for row in grid(lines)} == {"unknown"}


def test_what_is_gone_is_missing_and_estimated_from_its_like(finished, store, nowhere):
    gone = finished.stage("evaluation pairs of Real, seed 0")
    forget(gone, store)
    lines = plan(finished, store, nowhere)
    row = next(row for row in grid(lines) if row["stage"] == gone.title)
    assert (row["state"], row["estimate"]) == ("missing", "about 0 s")
    assert lines[2:4] == [f"{STAGES} stages: {STAGES - 1} done, 1 missing", "to run: 1 stage, about 0 s"]


def test_what_failed_is_shown_and_runs_again(finished, store, nowhere):
    break_stage(finished.stage("evaluation pairs of Real, seed 0"), store, "burst")
    lines = plan(finished, store, nowhere)
    assert lines[2] == f"{STAGES} stages: {STAGES - 1} done, 1 failed"
    assert lines[3].startswith("to run: 1 stage, ")


def test_known_and_unknown_times_are_told_apart(finished, tmp_path):
    costs = tmp_path / "cost.csv"
    costs.write_text("kind,plugin,seconds,work\nevaluation,pair-verification,60,1\n")
    lines = plan(finished, tmp_path / "empty", costs)
    known = [
        s for s in finished.graph.stages.values() if (s.kind, s.plugin.name) == ("evaluation", "pair-verification")
    ]
    hours, minutes = divmod(sum(stage.work for stage in known), 60)
    expected = f"about {hours} h {minutes:02d} min for 6 of them; none like the other 30 has run yet"
    assert lines[3] == f"to run: {STAGES} stages, {expected}"


def test_artifacts_that_only_a_finished_stage_needed_are_not_to_run(finished, store, nowhere):
    """Weights may be removed to save space."""
    forget(finished.stage("recognizer Real, seed 0"), store)
    lines = plan(finished, store, nowhere)
    assert lines[2:] == [f"{STAGES} stages: {STAGES - 1} done, 1 missing", "nothing to run"]


def test_disk_space_is_said(finished, tmp_path, nowhere):
    embedded = sum(stage.work for stage in finished.graph.stages.values() if stage.kind == "features")
    wanted = 256 + embedded * 2 * 512 * 4 / 2**20
    assert plan(finished, tmp_path / "empty", nowhere)[5] == f"disk: at most {wanted:.0f} MiB"


def test_network_evaluations_are_those_of_the_syntheses_to_run(finished, tmp_path, nowhere):
    assert plan(finished, tmp_path / "empty", nowhere)[4] == "network evaluations of sampling: 0"


def test_network_evaluations_are_images_times_those_of_one_image(finished, tmp_path, nowhere):
    """ScoreMix guided in every step: computed by the plugin, multiplied by the plan."""
    from faceassay_plugins.augmentations.scoremix import ScoreMix

    blend = finished.stage("synthesis blend, seed 0")
    plugin = ScoreMix(pairs=3, images_per_pair=5, steps=4)
    mixed = dataclasses.replace(blend, plugin=plugin, inputs=dict(blend.inputs))
    quality = dataclasses.replace(finished.stage("image quality of blend, seed 0"), inputs={"synthesis": mixed})
    graph = Graph()
    for stage in (mixed.stages()["plan"], mixed, quality):
        graph.add(stage)
    lines = list(plan_lines(graph, Store.open(tmp_path / "empty"), nowhere))
    assert lines[4] == f"network evaluations of sampling: {15 * plugin.evaluations_per_image()}"
    assert plugin.evaluations_per_image() > 0


def test_the_command_prints_the_plan(finished):
    planned = command("plan", finished.matrix, "--store", finished.store)
    assert planned.exit_code == 0
    assert f"\n{STAGES} stages: {STAGES} done\nnothing to run\nstatistics: 2 seeds" in planned.output


def test_the_command_plans_a_profile_from_what_is_there(finished):
    """Another number of updates makes other recognizers and shares the blended images."""
    planned = command("plan", finished.matrix, "--profile", "longer", "--store", finished.store).output
    assert "36 stages: 6 done, 30 missing" in planned
    assert "to run: 30 stages, about" in planned


def test_planning_runs_nothing(finished, tmp_path):
    command("plan", finished.matrix, "--store", tmp_path / "store")
    assert not (tmp_path / "store" / "artifacts").exists()


def test_what_must_be_read_first_is_said_until_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "faces" / "s1").mkdir(parents=True)
    file = tmp_path / "faces" / "s1" / "1.png"
    file.write_bytes(b"0" * 2**20)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    faces = SimpleNamespace(plugin=Folder.model_construct(path=tmp_path / "faces"))
    absent = SimpleNamespace(plugin=Folder.model_construct(path=tmp_path / "nothing"))
    matrix = SimpleNamespace(data={"train": faces, "other": absent}, benchmarks=[])
    assert list(unread_lines(matrix)) == [
        "data 'train': 1.0 MiB in 1 file must be read first, once, to be fingerprinted"
    ]
    path_fingerprint(tmp_path / "faces")
    assert list(unread_lines(matrix)) == []
