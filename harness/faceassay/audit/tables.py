"""Own published tables as CSV files hold them: rows by name, each number with its rounding. Judges none."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from faceassay.audit.model import TableEntry
from faceassay.audit.rounded import Rounded, rounded
from faceassay.spec.yaml import Place, Problem

FACTORS: Mapping[str, Fraction] = {"percent": Fraction(1), "fraction": Fraction(100)}


@dataclass(frozen=True)
class Row:
    """Hold one row of a table.

    Attributes:
        table, name: where it is.
        texts: every cell of the CSV file as it stands.
        numbers: in percent; averages under the name that all tables share.
        spreads: standard deviations in percentage points, where there are any.
        printed: the digits of each of ``numbers``, moved by two places where fractions are printed.
    """

    table: str
    name: str
    texts: Mapping[str, str]
    numbers: Mapping[str, Rounded]
    spreads: Mapping[str, Rounded] = field(default_factory=dict)
    printed: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.table}: {self.name}"


@dataclass(frozen=True)
class Table:
    """Hold one table: what the spec says of it, its rows by name, and the metrics that it has."""

    entry: TableEntry
    rows: Mapping[str, Row]
    metrics: tuple[str, ...]


def read_lines(file: Path, needed: Sequence[str]) -> tuple[list[dict[str, str]], list[Problem]]:
    """Return the lines of a CSV file that has at least the columns ``needed``, or what is wrong with it."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="", restval="", strict=True)
            lines, header = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [Problem(Place(str(file), 1, 1), f"cannot be read: {' '.join(str(error).split())}")]
    missing = [name for name in needed if name not in header]
    if missing:
        return [], [Problem(Place(str(file), 1, 1), f"has no column {', '.join(missing)}; it has {', '.join(header)}")]
    return [{name: text.strip() for name, text in line.items() if name} for line in lines], []


def read_table(entry: TableEntry, folder: Path, metrics: Sequence[str]) -> tuple[Table, list[Problem]]:
    """Read a table; columns that ``metrics`` names are numbers, those that it does not know are left alone."""
    averages = {average.column: average.name or average.column for average in entry.averages}
    file = folder / entry.file
    needed = [*entry.rows, *entry.where, *averages, *(gap.column for gap in entry.gaps)]
    lines, problems = read_lines(file, needed)
    shown = [name for name in metrics if lines and name in lines[0]]
    columns = {**{name: name for name in shown}, **averages}
    rows: dict[str, Row] = {}
    for line in lines:
        if any(line[name] != text for name, text in entry.where.items()):
            continue
        row = _row(entry, line, columns)
        if row.name in rows:
            problems.append(Problem(Place(str(file), 1, 1), f"two rows are called {row.name!r}: name more of 'rows'"))
        rows[row.name] = row
    if lines and not rows:
        problems.append(Problem(Place(str(file), 1, 1), f"no line has {entry.where}"))
    return Table(entry, rows, tuple(columns.values())), problems


def _row(entry: TableEntry, line: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    factor = FACTORS[entry.unit]
    name = " / ".join(line[column] for column in entry.rows if line[column] not in ("", "-"))
    numbers = dict(_numbers(line, columns, factor))
    spreads = {} if entry.spread is None else dict(_numbers(line, _suffixed(columns, entry.spread), factor))
    printed = {shared: _in_percent(line[column], entry) for column, shared in columns.items() if shared in numbers}
    return Row(entry.name, name, line, numbers, spreads, printed)


def _in_percent(text: str, entry: TableEntry) -> str:
    return f"{Decimal(text).scaleb(2):f}" if entry.unit == "fraction" else text


def _suffixed(columns: Mapping[str, str], suffix: str) -> dict[str, str]:
    return {f"{column}{suffix}": shared for column, shared in columns.items()}


def _numbers(line: Mapping[str, str], columns: Mapping[str, str], factor: Fraction) -> Iterator[tuple[str, Rounded]]:
    for column, shared in columns.items():
        number = rounded(line.get(column, ""), factor)
        if number is not None:
            yield shared, number
