"""A matrix of the tiny plugins whose cells hold made-up numbers: nothing has run, every case is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceassay.results import CellResult, Results
from faceassay.store import Store
from tiny_matrix import graph_of

ROWS = ("Real", "Blend + real", "Blend")
NEAR, FAR = ("near", "distance:1"), ("far", "distance:2")
MATRIX = """
schema: 1
name: scored
seeds: SEEDS
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
  - {name: far, data: test, protocol: {plugin: tiny-protocol, stride: 2}}
averages:
  - {name: both, of: [{benchmark: near, metric: "distance:1"}, {benchmark: far, metric: "distance:2"}]}
"""
WITH_GENERATOR = MATRIX.replace("recognizer:", "generator: {plugin: tiny-generator}\nrecognizer:", 1).replace(
    "FR_syn, augmentation: {plugin: tiny-blend}", "FR_syn, augmentation: {plugin: tiny-blend, wants: [generator]}"
)
"""The same with a generator, which only the last row reads."""


@dataclass(frozen=True)
class Scored(Results):
    """Results whose replicates are given."""

    drawn: Mapping[tuple[str, str, int], NDArray[np.float64]] = field(default_factory=dict)

    def replicates(self, cell):
        """Return the given replicates of the only metric."""
        found = self.drawn.get((cell.method, cell.benchmark, cell.seed))
        metric = NEAR[1] if cell.benchmark == NEAR[0] else FAR[1]
        return {} if found is None else {metric: found}


def scored(store, values, drawn, *, seeds=3, text=MATRIX):
    """Return results with the numbers that are given.

    Args:
        store: a folder, may be empty.
        values: of each (row, benchmark): a number, or why there is none, for each seed.
        drawn: replicates of each (row, benchmark) around the values of its seeds, float [R], NaN where undefined; a
            cell that is not named keeps none.
        seeds: how many, from 0.
        text: the matrix, with SEEDS where the seeds stand.
    """
    matrix, graph = graph_of(text.replace("SEEDS", str(list(range(seeds)))))
    cells = tuple(_cell(cell, values[cell.method, cell.benchmark][cell.seed]) for cell in graph.cells)
    kept = {
        (method, benchmark, seed): value + np.asarray(around)
        for (method, benchmark), around in drawn.items()
        for seed, value in enumerate(values[method, benchmark])
        if not isinstance(value, str)
    }
    return Scored(matrix, graph, Store.open(store), frozenset(), cells, kept)


def _cell(cell, value):
    if isinstance(value, str):
        return CellResult(cell, {}, {}, value)
    return CellResult(cell, {NEAR[1] if cell.benchmark == NEAR[0] else FAR[1]: value}, {}, None)


def steady(seeds=3):
    """Return values and draws of a column each, in which 'Blend + real' is clearly best and the others are tied."""
    spread = np.linspace(-0.01, 0.01, seeds)
    random = np.random.default_rng(0)
    draws = random.normal(0, 0.01, (2, 200))
    values, drawn = {}, {}
    for benchmark, shared in zip(("near", "far"), draws, strict=True):
        for row, mean, twist in (("Real", 0.5, 0), ("Blend + real", 0.7, 1), ("Blend", 0.501, -1)):
            values[row, benchmark] = [
                float(mean + step + 0.002 * twist * (seed % 2)) for seed, step in enumerate(spread)
            ]
            drawn[row, benchmark] = shared + 0.003 * random.normal(size=200)
    return values, drawn
