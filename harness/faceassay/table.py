"""Own the comparison table: rows of methods, columns of metrics; in each cell a mean, a spread and an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Interval
from faceassay.paired import Pairing
from faceassay.results import CellResult, Results
from faceassay.spec.reader import Benchmark
from faceassay.standings import ColumnStandings, standings
from faceassay.statistics import Summary, mean_replicates, resampled_mean, summarise

FACT_COLUMNS = ("Method", "Group", "Aux", "n_s", "n_r", "Updates")
"""Columns that are known before anything runs; n_s and n_r are numbers of synthetic and real training images."""

AVERAGE = "average"
"""What stands in place of the benchmark of a column that is an average."""


@dataclass(frozen=True)
class TableCell:
    """Hold what the table shows for one method and metric.

    Attributes:
        summary: mean and spread over the seeds that have a number, None where none has.
        values: the value of each seed, None where the cell failed.
        failure: why a seed has no number, None when all have.
        interval: of the only seed that has a number what its evaluation gives; of several, of their mean, from
            replicates that the same draws gave: it covers the test people, not seeds. None where there is none.
        letters: rows of the column that share a letter are not separable; empty where nothing can be separated.
        winner: whether it is better than every other row of the column.
    """

    summary: Summary | None
    values: tuple[float | None, ...]
    failure: str | None
    interval: Interval | None = None
    letters: str = ""
    winner: bool = False


@dataclass(frozen=True)
class TableRow:
    """Hold one method's facts and cells."""

    facts: tuple[str | int, ...]
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class Table:
    """Hold the whole table; renderers only format it.

    Attributes:
        columns: benchmark and metric identity, then `AVERAGE` and its name.
        seeds: the seeds whose values each cell holds.
        rows: one for each method, with one cell for each column.
        standings: of each column, how its rows stand to the baseline and to one another.
    """

    columns: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    rows: tuple[TableRow, ...]
    standings: tuple[ColumnStandings, ...]


def build(results: Results) -> Table:
    """Build the table of a matrix."""
    columns, seeds = tuple(results.columns()), tuple(results.matrix.spec.seeds)
    averages = results.matrix.averages
    rows = []
    for method in results.matrix.methods:
        row, entry = results.graph.rows[method.name], method.entry
        facts = (entry.name, entry.group, entry.aux, row.synthetic_images, row.real_images, row.updates)
        measured = {b.name: _measured(results, method.name, b) for b in results.matrix.benchmarks}
        cells = tuple(_cell(measured[benchmark], metric) for benchmark, metric in columns)
        rows.append(TableRow(facts, (*cells, *(_average(measured, average.members) for average in averages))))
    members = [*((column,) for column in columns), *(average.members for average in averages)]
    of_columns = _standings(results, rows, members)
    every = (*columns, *((AVERAGE, average.name) for average in averages))
    return Table(every, seeds, tuple(_marked(row, of_columns) for row in rows), of_columns)


def _standings(
    results: Results, rows: Sequence[TableRow], columns: Sequence[Sequence[tuple[str, str]]]
) -> tuple[ColumnStandings, ...]:
    """Return how the rows stand in each column, given by its members."""
    pairing, found = Pairing((results,)), []
    for place, members in enumerate(columns):
        cells = {str(row.facts[0]): row.cells[place] for row in rows}
        means = {name: cell.summary.mean for name, cell in cells.items() if cell.summary and None not in cell.values}
        found.append(standings(pairing, members, means))
    return tuple(found)


def _marked(row: TableRow, of_columns: Sequence[ColumnStandings]) -> TableRow:
    """Return a row whose cells say with which others they are tied."""
    name = str(row.facts[0])
    marks = [(column.letters.get(name, ""), column.winner == name) for column in of_columns]
    cells = zip(row.cells, marks, strict=True)
    return replace(row, cells=tuple(replace(cell, letters=of, winner=won) for cell, (of, won) in cells))


@dataclass(frozen=True)
class _Measured:
    """Hold what was measured of one method on one benchmark, seed by seed."""

    results: tuple[CellResult, ...]
    replicates: tuple[Mapping[str, NDArray[np.float64]], ...]

    @property
    def failure(self) -> str | None:
        return next((result.failure for result in self.results if result.failure), None)


def _measured(results: Results, method: str, benchmark: Benchmark) -> _Measured:
    of_seeds = tuple(results.cell(method, benchmark.name, seed) for seed in results.matrix.spec.seeds)
    return _Measured(of_seeds, tuple(results.replicates(result.cell) for result in of_seeds))


def _cell(measured: _Measured, metric: str) -> TableCell:
    values = tuple(result.metrics.get(metric) for result in measured.results)
    evaluated = [result for result in measured.results if result.failure is None]
    shown = next((result.interval(metric) for result in evaluated), None)
    if len(evaluated) > 1 and shown is not None:
        replicates = [of_seed.get(metric, np.empty(0)) for of_seed in measured.replicates if of_seed]
        shown = _interval(replicates, len(evaluated), shown)
    return TableCell(_summary(values), values, measured.failure, shown)


def _average(measured: Mapping[str, _Measured], members: Sequence[tuple[str, str]]) -> TableCell:
    """Return the mean of several metrics: seed by seed, and draw by draw where all of them keep replicates."""
    parts = [_cell(measured[benchmark], metric) for benchmark, metric in members]
    values = tuple(_mean(of_seed) for of_seed in zip(*(part.values for part in parts), strict=True))
    failure = next((part.failure for part in parts if part.failure), None)
    shown = [part.interval for part in parts if part.interval is not None]
    seeds = [seed for seed, value in enumerate(values) if value is not None]
    replicates = [_replicates(measured, members, seed) for seed in seeds]
    alike = len(shown) == len(parts) and len({interval.level for interval in shown}) == 1
    if not alike or not replicates:
        return TableCell(_summary(values), values, failure)
    population = " and ".join(dict.fromkeys(interval.population for interval in shown))
    interval = _interval(replicates, len(seeds), replace(shown[0], population=population))
    return TableCell(_summary(values), values, failure, interval)


def _replicates(
    measured: Mapping[str, _Measured], members: Sequence[tuple[str, str]], seed: int
) -> NDArray[np.float64]:
    """Return the replicates of the mean of ``members`` at one seed, float64 [R]; benchmarks were drawn apart."""
    groups: dict[str, list[NDArray[np.float64]]] = {}
    for benchmark, metric in members:
        kept = measured[benchmark].replicates[seed].get(metric, np.empty(0))
        groups.setdefault(benchmark, []).append(kept)
    return mean_replicates(list(groups.values()))


def _summary(values: Sequence[float | None]) -> Summary | None:
    known = [value for value in values if value is not None]
    return summarise(known) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _interval(replicates: Sequence[NDArray[np.float64]], seeds: int, shown: Interval) -> Interval | None:
    limits = resampled_mean(replicates, shown.level) if len(replicates) == seeds else None
    if limits is None:
        return None
    count = f"{limits.drawn}" if limits.used == limits.drawn else f"{limits.used} of {limits.drawn}"
    method = f"percentile bootstrap, {count} replicates" + (f", mean of {seeds} seeds" if seeds > 1 else "")
    return Interval(limits.low, limits.high, shown.population, method, shown.level)
