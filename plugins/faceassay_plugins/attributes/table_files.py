"""Own the reading of tables of numbers by name, CSV or parquet, row by row. What a dataset needs of one is not here."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from faceassay import DataError

PARQUET = b"PAR1"
"""First bytes of a parquet file."""
BATCH = 8192
"""Rows of a parquet file in memory together."""
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE | re.ASCII)
"""A number as CSV files hold it; what else Python's float takes (``nan``, ``inf``, ``1_000``) is none."""


class Row(NamedTuple):
    """Hold what a table says of one name.

    Attributes:
        number: of the row: the line of a CSV file on which it ends, the row of a parquet file, both from 1.
        name: the key.
        values: as they stand in the file; None where a cell is empty.
    """

    number: int
    name: str
    values: tuple[str | float | None, ...]


def read_rows(path: Path, key: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table, few of which are in memory at a time; keys stay text.

    Args:
        path: CSV in UTF-8 with a header, or parquet; which of them is told by the first bytes.
        key: the column of the names.
        columns: the columns of the values.

    Raises:
        DataError: when the file is neither, lacks a column, or holds text for numbers or numbers for text in parquet.
    """
    reading = _parquet_rows if _is_parquet(path) else _csv_rows
    return reading(path, key, columns)


def number_in(cell: str | float) -> float:
    """Return the number in a cell, NaN where it holds none that is finite."""
    value = math.nan if isinstance(cell, str) and not NUMBER.fullmatch(cell) else float(cell)
    return value if math.isfinite(value) else math.nan


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET)) == PARQUET
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}: give a CSV or parquet file") from error


def _csv_rows(path: Path, key: str, columns: Sequence[str]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            places = _places(path, header, (key, *columns))
            for row in filter(None, rows):
                if len(row) != len(header):
                    raise DataError(f"{path}:{rows.line_num}: {len(row)} cells where the header has {len(header)}")
                name, *values = (row[place] for place in places)
                yield Row(rows.line_num, name, tuple(value if value.strip() else None for value in values))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is neither CSV in UTF-8 nor parquet: {error}") from error


def _parquet_rows(path: Path, key: str, columns: Sequence[str]) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            _places(path, schema.names, (key, *columns))
            _refuse_other_types(path, schema, key, columns)
            number = 0
            for batch in file.iter_batches(BATCH, columns=[key, *columns]):
                cells = [batch.column(name).to_pylist() for name in (key, *columns)]
                for name, *values in zip(*cells, strict=True):
                    number += 1
                    yield Row(number, name or "", tuple(map(_kept, values)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no intact parquet file: {' '.join(str(error).split())}") from error


def _kept(value: Any) -> float | None:
    """Return a number of a parquet file; NaN is how many writers leave a cell empty."""
    return None if value is None or value != value else float(value)


def _places(path: Path, header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    lacking = [name for name in wanted if name not in header]
    if lacking:
        known = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
        raise DataError(f"{path} has no column {', '.join(map(repr, lacking))} (it has: {known or 'none'})")
    twice = [name for name in wanted if list(header).count(name) > 1]
    if twice:
        raise DataError(f"{path} has more than one column {', '.join(map(repr, twice))}")
    return [list(header).index(name) for name in wanted]


def _refuse_other_types(path: Path, schema: Any, key: str, columns: Sequence[str]) -> None:
    from pyarrow import types

    texts = (types.is_string, types.is_large_string)
    numbers = (types.is_integer, types.is_floating, types.is_decimal)
    expected = {key: (texts, "text"), **dict.fromkeys(columns, (numbers, "numbers"))}
    wrong = [
        f"{name!r} is {schema.field(name).type}, must be {what}"
        for name, (kinds, what) in expected.items()
        if not any(is_of_kind(schema.field(name).type) for is_of_kind in kinds)
    ]
    if wrong:
        raise DataError(f"{path}: column {'; column '.join(wrong)}")
