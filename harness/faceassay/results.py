"""Own what a store says about a matrix: the numbers of every cell, failures, qualities, costs. Renders nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Chosen, Evaluation, FaceDataset, Fact, Interval
from faceassay.graph import Cell, Graph, Row, Stage
from faceassay.inputs import open_artifact
from faceassay.spec import MatrixSpec
from faceassay.spec.averages import column_labels
from faceassay.stages.recognizer import chosen_in
from faceassay.states import settled_stages
from faceassay.store import Record, Store

NOT_RUN = "not run"
"""The reason of a cell that nobody tried to compute."""
ABSENT = "absent"
"""How the reason of a cell begins whose data is not there."""


@dataclass(frozen=True)
class CellResult:
    """Hold the metrics of one (method, benchmark, seed) and what is said of them, or why there are none."""

    cell: Cell
    metrics: Mapping[str, float]
    notes: Mapping[str, Fact]
    failure: str | None
    intervals: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    cautions: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def absent(self) -> bool:
        """Whether there are no metrics because data is not there."""
        return bool(self.cell.evaluation.absent)

    def interval(self, metric: str) -> Interval | None:
        """Return the interval of ``metric`` that is to be shown first, None where there is none."""
        return next(iter(self.intervals.get(metric, ())), None)


@dataclass(frozen=True)
class Results:
    """Answer every question a table, a page or a tracker asks of a matrix; reads the store, writes nothing."""

    matrix: MatrixSpec
    graph: Graph
    store: Store
    settled: Collection[str]
    cells: tuple[CellResult, ...]

    @property
    def lost_qualities(self) -> list[str]:
        """Why the qualities of synthetic images that could not be measured were not, each reason once."""
        stages = [stage for row in self.graph.rows.values() for stage in row.qualities.values()]
        lost = [stage for stage in stages if stage.digest not in self.settled and not stage.absent]
        reasons = [_reason(stage, self.graph, self.store) for stage in lost]
        return [reason for reason in dict.fromkeys(reasons) if reason != NOT_RUN]

    def cell(self, method: str, benchmark: str, seed: int) -> CellResult:
        """Return the result of one cell."""
        wanted = (method, benchmark, seed)
        return next(r for r in self.cells if (r.cell.method, r.cell.benchmark, r.cell.seed) == wanted)

    def evaluated(self, benchmark: str) -> list[CellResult]:
        """Return the cells of a benchmark that have numbers."""
        return [result for result in self.cells if result.cell.benchmark == benchmark and result.failure is None]

    def shared_notes(self, benchmark: str) -> dict[str, Fact]:
        """Return the notes on which all cells of a benchmark agree; what differs is no fact about the benchmark."""
        noted = [result.notes for result in self.evaluated(benchmark)]
        first = noted[0] if noted else {}
        return {name: value for name, value in first.items() if all(other.get(name) == value for other in noted)}

    def columns(self) -> list[tuple[str, str]]:
        """Return (benchmark, metric identity) of every column, in order."""
        return [(b.name, metric) for b in self.matrix.benchmarks for metric in b.protocol.metric_ids()]

    def labels(self) -> list[str]:
        """Return the headings of these columns."""
        return [label for b in self.matrix.benchmarks for label in column_labels(b.name, b.protocol.metric_ids())]

    def failures(self) -> list[CellResult]:
        """Return the cells without numbers, those left out whose data is not there."""
        return [result for result in self.cells if result.failure is not None and not result.absent]

    def absent(self) -> list[CellResult]:
        """Return the cells whose data is not there."""
        return [result for result in self.cells if result.absent]

    def record(self, stage: Stage) -> Record | None:
        """Return the record of a stage, None while it is not done."""
        return self.store.record(stage.kind, stage.digest)

    def chosen(self, recognizer: Stage) -> Chosen | None:
        """Return which state of its training a recognizer is; None where it is the last one, or not trained yet."""
        if recognizer.digest not in self.settled:
            return None
        return chosen_in(self.store.verified(recognizer.kind, recognizer.digest))

    def quality(self, row: Row, seed: int) -> Mapping[str, Any] | None:
        """Return what was measured on the synthetic images of a row, None where there are none."""
        stage = row.qualities.get(seed)
        if stage is None or stage.digest not in self.settled:
            return None
        measured: Mapping[str, Any] = open_artifact(stage, self.store)
        return measured

    def synthetic_images(self, row: Row, seed: int) -> FaceDataset | None:
        """Return the synthetic images of a row, None where there are none (any more)."""
        stage = row.syntheses.get(seed)
        if stage is None or stage.digest not in self.settled:
            return None
        images: FaceDataset = open_artifact(stage, self.store)
        return images

    def evaluation(self, cell: Cell) -> Evaluation | None:
        """Return the evaluation of a cell with its scores and curves, None where there is none."""
        if cell.evaluation.digest not in self.settled:
            return None
        evaluation: Evaluation = open_artifact(cell.evaluation, self.store)
        return evaluation

    def replicates(self, cell: Cell) -> Mapping[str, NDArray[np.float64]]:
        """Return the bootstrap replicates of each metric of a cell, float64 [R]; empty where it keeps none.

        Entry r of a metric comes from draw r, the same for every cell of a benchmark. No other scores are read.
        """
        evaluation = self.evaluation(cell)
        if evaluation is None or "replicates" not in evaluation.scores:
            return {}
        drawn = np.array(evaluation.scores["replicates"], dtype=np.float64)
        return dict(zip(evaluation.metrics, drawn.T, strict=True))

    def costs(self) -> Iterator[tuple[Stage, Record]]:
        """Yield every finished stage of the matrix with its record."""
        for stage in self.graph.stages.values():
            record = self.record(stage)
            if record is not None:
                yield stage, record


def collect(matrix: MatrixSpec, graph: Graph, store: Store) -> Results:
    """Read the results of ``matrix`` from ``store``.

    Raises:
        StoreError: when an evaluation is damaged.
    """
    settled = settled_stages(graph, store)
    cells = tuple(_cell_result(cell, settled, graph, store) for cell in graph.cells)
    return Results(matrix, graph, store, settled, cells)


def _cell_result(cell: Cell, settled: Collection[str], graph: Graph, store: Store) -> CellResult:
    stage = cell.evaluation
    if stage.digest not in settled:
        return CellResult(cell, {}, {}, _reason(stage, graph, store))
    told: Evaluation = open_artifact(stage, store)
    return CellResult(cell, told.metrics, told.notes, None, told.intervals, told.cautions, told.warnings)


def _reason(stage: Stage, graph: Graph, store: Store) -> str:
    if stage.absent:
        return f"{ABSENT}: {'; '.join(stage.absent)}"
    for candidate in [*graph.ancestors(stage), stage]:
        failure = store.failure(candidate.digest)
        if failure is not None and store.record(candidate.kind, candidate.digest) is None:
            return f"failed: {candidate.title}: {failure['reason']}"
    return NOT_RUN
