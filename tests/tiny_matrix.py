"""Matrices of the tiny plugins: read, expand, run in this process or in another one, killed or not."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import tiny_plugins
from faceassay.checkpoints import FolderCheckpoints
from faceassay.contracts import Resources
from faceassay.execute import Order
from faceassay.expand import expand
from faceassay.registry import Origin, Registry
from faceassay.report.text import table_csv
from faceassay.results import collect
from faceassay.run import Surroundings, Watchers, run_graph
from faceassay.serial import SerialExecutor
from faceassay.spec import read_matrix
from faceassay.store import Store, write_atomically
from faceassay.table import build

MATRIX = """
schema: 1
name: tiny
seeds: [0]
threads: 1
data:
  train: {plugin: tiny-faces, prefix: a}
  test: {plugin: tiny-faces, prefix: b, seed: 1}
train: train
recognizer: {plugin: tiny-recognizer}
methods:
  - {name: Real, group: FR_real}
  - {name: Blend + real, group: FR_mix, augmentation: {plugin: tiny-blend}}
  - {name: Blend, group: FR_syn, augmentation: {plugin: tiny-blend}}
benchmarks:
  - {name: near, data: test, protocol: {plugin: tiny-protocol}}
"""
"""12 stages: plan, synthesis and quality once for two rows; recognizer, features and evaluation for each of three."""

PLUGINS = {
    "attribute": tiny_plugins.TinyAttribute,
    "dataset": tiny_plugins.TinyFaces,
    "generator": tiny_plugins.TinyGenerator,
    "augmentation": tiny_plugins.TinyBlend,
    "recognizer": tiny_plugins.TinyRecognizer,
    "protocol": tiny_plugins.TinyProtocol,
}


def registry():
    """Return the tiny plugins as if a distribution had brought them."""
    classes = {(kind, cls.name): cls for kind, cls in PLUGINS.items()}
    return Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))


@lru_cache
def graph_of(text=MATRIX):
    """Return the matrix and its graph; both are read only, so every test of a process may share them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.yaml"
        path.write_text(text)
        matrix = read_matrix(path, registry())
    return matrix, expand(matrix)


def by_title(graph):
    """Return the stages by title."""
    return {stage.title: stage for stage in graph.stages.values()}


def run(graph, store, *, executor=None, observers=(), workers=1, interval=1e9, warn=lambda text: None):
    """Run a graph and return the failures by title."""
    about = Surroundings(store, executor or SerialExecutor(), Resources(workers=workers), interval)
    failures = run_graph(graph, about, Watchers(list(observers), warn))
    return {graph.stages[key].title: reason for key, reason in failures.items()}


def table(matrix, graph, store):
    """Return table.csv."""
    return table_csv(build(collect(matrix, graph, store)))


def contents(graph, store):
    """Return the content hash of every artifact by title, None where there is none."""
    records = {stage.title: store.record(stage.kind, stage.digest) for stage in graph.stages.values()}
    return {title: record and record["content"] for title, record in records.items()}


def run_stage(stage, root, workers=1, interval=1e9):
    """Run one stage; meant for a process that is to be killed."""
    Order(stage, root, Resources(workers=workers), interval)()


def run_whole(folder, root, start):
    """Run the matrix and write ``folder``/table.csv; meant for a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    matrix, graph = graph_of()
    store = Store.open(root)
    start.wait(300)
    failures = run(graph, store)
    (folder / "table.csv").write_text(table(matrix, graph, store) + repr(failures))


def hold_lock(root, key, held):
    """Hold a lock until killed; touch ``held`` once it is held."""
    with Store.open(root).lock(key):
        held.touch()
        time.sleep(600)


def open_stores(roots, barrier):
    """Open each store at the moment when another process opens it too."""
    for root in roots:
        barrier.wait(300)
        Store.open(root)


def save_forever(folder, reported):
    """Save one checkpoint after the other and report each, until killed."""
    import torch

    checkpoints, step = FolderCheckpoints(folder), 0
    while True:
        step += 1
        checkpoints.save(step, {"weights": torch.full((1000,), float(step))}, {"step": step})
        write_atomically(reported, str(step))


def process(target, *arguments):
    """Start ``target`` in a fresh interpreter."""
    started = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    started.start()
    return started


def ended(started, seconds=300):
    """Wait for a process and return its exit code."""
    started.join(seconds)
    if started.is_alive():
        started.kill()
        raise AssertionError(f"the process did not end within {seconds} s")
    return started.exitcode


def wait_until(condition, seconds=300, what="it"):
    """Poll ``condition`` and return what it says once that is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)
    return result


def is_alive(pid):
    """Tell whether a process that is not our child still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
