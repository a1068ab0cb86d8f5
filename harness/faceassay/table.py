"""Own the comparison table: rows of methods, columns of metrics, a mean and a spread in each cell."""

from __future__ import annotations

from dataclasses import dataclass

from faceassay.results import CellResult, Results
from faceassay.statistics import Summary, summarise

FACT_COLUMNS = ("Method", "Group", "Aux", "n_s", "n_r", "Updates")
"""Columns that are known before anything runs; n_s and n_r are numbers of synthetic and real training images."""


@dataclass(frozen=True)
class TableCell:
    """Hold what the table shows for one method and metric.

    Attributes:
        summary: mean and spread over the seeds that have a number, None where none has.
        values: the value of each seed, None where the cell failed.
        failure: why a seed has no number, None when all have.
    """

    summary: Summary | None
    values: tuple[float | None, ...]
    failure: str | None


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
        cells = tuple(_cell([results.cell(method.name, b, seed) for seed in seeds], metric) for b, metric in columns)
        rows.append(TableRow(facts, cells))
    return Table(columns, seeds, tuple(rows))


def _cell(of_seeds: list[CellResult], metric: str) -> TableCell:
    values = tuple(result.metrics.get(metric) for result in of_seeds)
    present = [value for value in values if value is not None]
    failure = next((result.failure for result in of_seeds if result.failure), None)
    return TableCell(summarise(present) if present else None, values, failure)
