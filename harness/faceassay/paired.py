"""Own the way from stored scores to differences between rows: paired by seed and by draw. Runs and words nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from faceassay.graph import Graph
from faceassay.inference import FEWEST_SEEDS, Effect, estimate, too_few
from faceassay.results import CellResult, Results
from faceassay.spec import MatrixSpec
from faceassay.statistics import mean_replicates

NO_REPLICATES = "no replicates"
"""Why nothing can be concluded where a benchmark keeps none: nothing tells how a difference varies over people."""


@dataclass(frozen=True)
class Difference:
    """Hold how much more one row reaches than another.

    Attributes:
        method, against: the rows; the difference is the first minus the second, a fraction.
        column: what is compared: benchmark and metric of each member.
        values: of each seed, None where a number is missing.
        effect: the difference with its variance; None where nothing can be concluded.
        reason: why not; empty where there is one.
        estimate: ``effect``, or what two seeds give: a plan can go by it, a verdict cannot rest on it.
    """

    method: str
    against: str
    column: str
    values: tuple[float | None, ...]
    effect: Effect | None
    reason: str
    estimate: Effect | None = None


@dataclass(frozen=True)
class _Scored:
    """Hold a cell and the replicates of its metrics, float64 [R]."""

    result: CellResult
    replicates: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class _OfSeed:
    """Hold the difference of one seed: its value, and replicates float64 [R]; or why it has no value."""

    value: float | None
    replicates: NDArray[np.float64]
    failure: str


@dataclass(frozen=True)
class Pairing:
    """Compare rows of one matrix, or of several profiles of it that are cross-fitted; each cell is read once.

    Attributes:
        parts: results with the same rows, seeds and columns, each trained on and tested on people of its own.

    Raises:
        ValueError: when there is none, or their seeds differ.
    """

    parts: tuple[Results, ...]
    _read: dict[tuple[int, str, str, int], _Scored] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len({tuple(part.matrix.spec.seeds) for part in self.parts}) != 1:
            raise ValueError(f"{len(self.parts)} parts: they are paired by seed, so give some that have the same seeds")

    def difference(self, method: str, against: str, members: Sequence[tuple[str, str]]) -> Difference:
        """Return ``method`` minus ``against`` in the mean of ``members``, (benchmark, metric) each.

        The value of a seed is the mean over parts and members, each with its own threshold. Draws of different parts
        and of different benchmarks are independent (see `statistics.mean_replicates`). One cell without a number leaves
        the difference inconclusive, however many seeds have one: what fails does not fail at random.
        """
        seeds = self.parts[0].matrix.spec.seeds
        of_seeds = [self._of_seed(method, against, members, seed) for seed in seeds]
        read = (generators_read(part.matrix, part.graph, method, against) for part in self.parts)
        found, reason = _estimated(of_seeds, next(filter(None, read), None))
        effect = found if found and found.seeds_used >= FEWEST_SEEDS else None
        values = tuple(one.value for one in of_seeds)
        return Difference(method, against, column_name(members), values, effect, reason, found)

    def _of_seed(self, method: str, against: str, members: Sequence[tuple[str, str]], seed: int) -> _OfSeed:
        values: list[float | None] = []
        groups: list[list[NDArray[np.float64]]] = []
        failures: list[str] = []
        for part in range(len(self.parts)):
            of_benchmarks: dict[str, list[NDArray[np.float64]]] = {}
            for benchmark, metric in members:
                ours, theirs = (self._scored(part, row, benchmark, seed) for row in (method, against))
                lacking = [scored.result for scored in (ours, theirs) if metric not in scored.result.metrics]
                failures += [result.failure or f"no number of {benchmark}/{metric}" for result in lacking]
                values += [None] if lacking else [ours.result.metrics[metric] - theirs.result.metrics[metric]]
                of_benchmarks.setdefault(benchmark, []).append(_subtracted(ours, theirs, metric))
            groups += list(of_benchmarks.values())
        known = [value for value in values if value is not None]
        value = fmean(known) if len(known) == len(values) else None
        return _OfSeed(value, mean_replicates(groups), next(iter(failures), ""))

    def _scored(self, part: int, method: str, benchmark: str, seed: int) -> _Scored:
        place = (part, method, benchmark, seed)
        if place not in self._read:
            result = self.parts[part].cell(method, benchmark, seed)
            self._read[place] = _Scored(result, self.parts[part].replicates(result.cell))
        return self._read[place]


def difference(parts: Sequence[Results], method: str, against: str, members: Sequence[tuple[str, str]]) -> Difference:
    """Return ``method`` minus ``against`` in the mean of ``members``; of many, `Pairing` reads each cell once.

    Raises:
        ValueError: when there is no part, or their seeds differ.
    """
    return Pairing(tuple(parts)).difference(method, against, members)


def column_name(members: Sequence[tuple[str, str]]) -> str:
    """Return the name of what is compared: ``lfw/accuracy:10fold``, of several with commas."""
    return ", ".join("/".join(member) for member in members)


def generators_read(matrix: MatrixSpec, graph: Graph, method: str, against: str) -> tuple[int, ...] | None:
    """Return which generator each seed of a difference reads, None where neither row reads any."""
    seeds, rows = matrix.spec.seeds, [graph.rows[name] for name in (method, against)]
    read = [stage.kind for row in rows for stage in graph.ancestors(row.recognizers[seeds[0]])]
    return tuple(map(matrix.generator_seed_of, seeds)) if "generator" in read else None


def _subtracted(ours: _Scored, theirs: _Scored, metric: str) -> NDArray[np.float64]:
    """Return the difference in each draw, float64 [R]; empty where one row keeps none or was not drawn as often."""
    one, other = (scored.replicates.get(metric, np.empty(0)) for scored in (ours, theirs))
    return one - other if one.shape == other.shape else np.empty(0)


def _estimated(of_seeds: Sequence[_OfSeed], generators: tuple[int, ...] | None) -> tuple[Effect | None, str]:
    """Return what the seeds give together, and why it allows no conclusion."""
    values = [one.value for one in of_seeds if one.value is not None]
    if len(values) < len(of_seeds):
        return None, next(one.failure for one in of_seeds if one.failure)
    few = "" if len(values) >= FEWEST_SEEDS else too_few(len(values))
    if not all(len(one.replicates) for one in of_seeds):
        return None, few or NO_REPLICATES
    try:
        return estimate(values, [one.replicates for one in of_seeds], generators), few
    except ValueError as error:
        return None, few or str(error)
