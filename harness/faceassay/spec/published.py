"""Own the file of published numbers that stands beside a matrix: what papers print, row by row. Compares nothing."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from faceassay.spec.identities import JOINED
from faceassay.spec.model import PublishedEntry
from faceassay.spec.near import near
from faceassay.spec.yaml import Place, Problem

COLUMNS = ("row", "column", "metric", "value", "unit", "source", "note")
NOT_STATED = "not stated"
"""What stands in place of a metric identity where a paper does not say how its metric is defined."""
UNITS: Mapping[str, Decimal] = {"percent": Decimal("0.01"), "fraction": Decimal(1)}


@dataclass(frozen=True)
class PublishedValue:
    """Hold one printed number.

    Attributes:
        row, column: name of the method and heading of the column that it is printed for.
        metric: the identity of the metric as its paper states it, that of an average as `joined_identity` gives it;
            None where the paper leaves open how it is defined.
        printed: the number as a fraction, with the digits that are printed.
        source: paper and table; several may print a number for one row and column.
        note: what its reader must know.
    """

    row: str
    column: str
    metric: str | None
    printed: Decimal
    source: str
    note: str

    @property
    def value(self) -> float:
        """The number as a fraction."""
        return float(self.printed)

    @property
    def rounding(self) -> float:
        """How far the unrounded number may lie from the printed one, as a fraction."""
        return float(Decimal((0, (5,), int(self.printed.as_tuple().exponent) - 1)))


@dataclass(frozen=True)
class Published:
    """Hold all numbers of the file, and where they may be compared with ours."""

    entry: PublishedEntry
    values: tuple[PublishedValue, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, in the order of the file."""
        return tuple(dict.fromkeys(value.source for value in self.values))


@dataclass(frozen=True)
class Known:
    """Hold the names that a file may use.

    Attributes:
        rows, columns: of the matrix; rows that the profile leaves out count too.
        metrics: identities that the metric of each column can have, whatever settings its benchmark is given; none
            for a column that the profile leaves out, of which nothing is known.
        beginnings: how headings begin of columns that the profile leaves out.
    """

    rows: Collection[str]
    columns: Collection[str]
    metrics: Mapping[str, Collection[str]] = field(default_factory=dict)
    beginnings: tuple[str, ...] = ()


def read_published(file: Path, known: Known) -> tuple[list[PublishedValue], list[Problem]]:
    """Read a file of published numbers: CSV with the columns of ``COLUMNS``.

    A source prints one number for a row and column; other sources may print theirs beside it.

    Returns:
        The values, and what is wrong with the file, each problem at its line.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [Problem(Place(str(file), 1, 1), f"cannot be read: {' '.join(str(error).split())}")]
    if not lines or tuple(lines[0][1]) != COLUMNS:
        return [], [Problem(Place(str(file), 1, 1), f"the first line must be {','.join(COLUMNS)}")]
    values: dict[tuple[str, str, str], PublishedValue] = {}
    problems: list[Problem] = []
    for number, cells in lines[1:]:
        faults = list(_faults(cells, known, values))
        problems += [Problem(Place(str(file), number, 1), fault) for fault in faults]
        if not faults:
            row, column, metric, value, unit, source, note = cells
            stated, printed = None if metric == NOT_STATED else metric, Decimal(value) * UNITS[unit]
            values[row, column, source] = PublishedValue(row, column, stated, printed, source, note)
    return list(values.values()), problems


def _faults(cells: Sequence[str], known: Known, before: Collection[tuple[str, str, str]]) -> Iterator[str]:
    if len(cells) != len(COLUMNS):
        yield f"{len(cells)} values, {len(COLUMNS)} are needed: {', '.join(COLUMNS)}"
        return
    row, column, metric, value, unit, source, _ = cells
    if row not in known.rows:
        yield f"no row of the matrix is called {row!r}{near(row, known.rows)}"
    if column not in known.columns and not column.startswith(known.beginnings):
        yield f"no column of the table is called {column!r}{near(column, known.columns)}"
    yield from _unknown_metric(metric, known.metrics.get(column, ()))
    if (row, column, source) in before:
        yield f"row {row!r}, column {column!r} is given twice for one source"
    if unit not in UNITS:
        yield f"unit {unit!r} must be {' or '.join(UNITS)}"
    if not source:
        yield "a number needs its source: paper and table"
    if not _is_number(value):
        yield f"{value!r} is no number"


def _unknown_metric(metric: str, possible: Collection[str]) -> Iterator[str]:
    if not metric:
        yield f"metric must be its identity as the paper states it, or {NOT_STATED!r}"
    elif metric != NOT_STATED and possible and not {*metric.split(JOINED)} <= {*possible}:
        unknown = next(part for part in metric.split(JOINED) if part not in possible)
        yield f"no setting of the benchmark gives a metric {unknown!r}{near(unknown, [*possible, NOT_STATED])}"


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
