"""Own the comparison table: rows of methods, columns of metrics; in each cell a mean, a spread and an interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Interval
from faceassay.results import CellResult, Results
from faceassay.spec.reader import Benchmark
from faceassay.statistics import Summary, resampled_mean, summarise

FACT_COLUMNS = ("Method", "Group", "Aux", "n_s", "n_r", "Updates")
"""Columns that are known before anything runs; n_s and n_r are numbers of synthetic and real training images."""


@dataclass(frozen=True)
class TableCell:
    """Hold what the table shows for one method and metric.

    Attributes:
        summary: mean and spread over the seeds that have a number, None where none has.
        values: the value of each seed, None where the cell failed.
        failure: why a seed has no number, None when all have.
        interval: of the only seed that has a number what its evaluation gives; of several, of their mean, from
            replicates that the same draws gave: it covers the test people, not seeds. None where there is none.
    """

    summary: Summary | None
    values: tuple[float | None, ...]
    failure: str | None
    interval: Interval | None = None


@dataclass(frozen=True)
class TableRow:
    """Hold one method's facts and cells."""

    facts: tuple[str | int, ...]
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class Table:
    """Hold the whole table; renderers only format it."""

    columns: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    rows: tuple[TableRow, ...]


def build(results: Results) -> Table:
    """Build the table of a matrix."""
    columns, seeds = tuple(results.columns()), tuple(results.matrix.spec.seeds)
    rows = []
    for method in results.matrix.methods:
        row, entry = results.graph.rows[method.name], method.entry
        facts = (entry.name, entry.group, entry.aux, row.synthetic_images, row.real_images, row.updates)
        cells = tuple(
            cell for benchmark in results.matrix.benchmarks for cell in _cells(results, method.name, benchmark)
        )
        rows.append(TableRow(facts, cells))
    return Table(columns, seeds, tuple(rows))


def _cells(results: Results, method: str, benchmark: Benchmark) -> Iterator[TableCell]:
    of_seeds = [results.cell(method, benchmark.name, seed) for seed in results.matrix.spec.seeds]
    failure = next((result.failure for result in of_seeds if result.failure), None)
    evaluated = [result for result in of_seeds if result.failure is None]
    replicates = [results.replicates(result.cell) for result in evaluated]
    for metric in benchmark.protocol.metric_ids():
        summary = summarise([result.metrics[metric] for result in evaluated]) if evaluated else None
        values = tuple(result.metrics.get(metric) for result in of_seeds)
        yield TableCell(summary, values, failure, _interval(metric, evaluated, replicates))


def _interval(
    metric: str, evaluated: Sequence[CellResult], replicates: Sequence[Mapping[str, NDArray[np.float64]]]
) -> Interval | None:
    if len(evaluated) < 2:
        return next((result.interval(metric) for result in evaluated), None)
    shown = evaluated[0].interval(metric)
    if shown is None:
        return None
    limits = resampled_mean([of_seed.get(metric, np.empty(0)) for of_seed in replicates], shown.level)
    if limits is None:
        return None
    count = f"{limits.drawn}" if limits.used == limits.drawn else f"{limits.used} of {limits.drawn}"
    method = f"percentile bootstrap, {count} replicates, mean of {len(evaluated)} seeds"
    return Interval(limits.low, limits.high, shown.population, method, shown.level)
