"""Own attributes that the user computed with other means, such as an age estimator, and brings as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceassay import Attribute, AttributePredictor, DataError, DataPath, FloatArray, ImageBatch, parameter
from faceassay_plugins.attributes.table_files import Row, number_in, read_rows

NAMED = 10
"""Images or cells that a message names of each kind of fault."""


class Column(BaseModel):
    """Name a column of the table and say what its values are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    unit: str
    low: float
    high: float

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high (got {self.low:g} and {self.high:g})")
        return self


class Table(AttributePredictor):
    """Read attributes that you computed yourself from a CSV or parquet file: one row for each image, found by name.

    An example, ages by an estimator of your choice::

        attributes:
          - plugin: table
            path: ages.csv
            key: image
            values: [{name: age, unit: years, low: 0, high: 100}]

    A CSV file is UTF-8 with a header and commas. Names are compared as text: ``001`` is not ``1``. Rows about other
    images are ignored. What the table says of every image is checked before anything runs, and the content of the file
    is part of the keys.
    """

    name: ClassVar[str] = "table"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "attributes that you computed yourself, from a CSV or parquet file"

    path: DataPath = parameter(description="CSV or parquet file")
    key: str = parameter(
        min_length=1,
        description="column of the names of images; datasets folder and orl name an image by its path within the "
        "dataset, IDENTITY/FILE, such as s1/1.pgm",
    )
    values: tuple[Column, ...] = parameter(
        min_length=1, description="columns of the values; each becomes an attribute of that name"
    )
    missing: Literal["refuse", "drop"] = parameter(
        "refuse", description="an image without row or value is refused, or its attribute is dropped (NaN)"
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [column.name for column in self.values]
        if len({*names, self.key}) <= len(names):
            raise ValueError(f"key and values must be different columns (got {self.key}, {', '.join(names)})")
        return self

    def columns(self) -> tuple[Attribute, ...]:
        """Return what ``values`` lists."""
        return tuple(Attribute(column.name, column.unit, column.low, column.high) for column in self.values)

    def check(self, image_size: int, identities: int) -> None:
        """Check that the file is a table with these columns.

        Raises:
            DataError: when it is not.
        """
        next(self.rows(), None)

    def check_items(self, item_ids: Sequence[str]) -> None:
        """Check what the table says of the images, all of them; memory grows with their number, not with the table's.

        Raises:
            DataError: naming the images without row or value (unless ``missing: drop``), those with several rows, and
                the values that are no finite numbers or out of range; of each kind a few, and how many there are.
        """
        scan = _Scan(self, {*item_ids})
        if self.missing == "refuse":
            for name in item_ids:
                if name not in scan.values:
                    scan.note("no row for", name)
        if scan.counts:
            remedy = ", or drop what is missing with 'missing: drop'" if self.missing == "refuse" else ""
            raise DataError(f"{self.path}: {'; '.join(scan.described())}: correct the table{remedy}")

    def predict(self, images: ImageBatch, item_ids: Sequence[str]) -> FloatArray:
        """Return the values of the images by their names, float32 [B, A]; the table is read once and kept.

        Raises:
            DataError: as ``check_items``.
        """
        stat = self.path.stat()
        known = _whole(self, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
        unknown = (self.missing == "refuse") and any(name not in known.values for name in item_ids)
        if unknown or not known.faulty.isdisjoint(item_ids):
            self.check_items(item_ids)
        dropped = (math.nan,) * len(self.values)
        return np.array([known.values.get(name, dropped) for name in item_ids]).astype(np.float32)

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the file."""
        return read_rows(self.path, self.key, [column.name for column in self.values])


@dataclass
class _Scan:
    """Read what a table says of some names.

    Attributes:
        table: the plugin.
        wanted: the names, None for all.
        values: by name; NaN where a cell is empty or holds no number.
        faulty: the names that something is wrong with.
        counts: how often each kind of fault was found.
        named: the first few of each kind.
    """

    table: Table
    wanted: Container[str] | None
    values: dict[str, tuple[float, ...]] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.table.rows():
            if self.wanted is None or row.name in self.wanted:
                self._take(row)

    def note(self, fault: str, what: str) -> None:
        """Note a fault of some kind."""
        self.counts[fault] += 1
        if self.counts[fault] <= NAMED:
            self.named.setdefault(fault, []).append(what)

    def described(self) -> Iterator[str]:
        """Yield each kind of fault with the first few and how many more there are."""
        for fault, named in self.named.items():
            more = self.counts[fault] - len(named)
            yield f"{fault} {', '.join(named)}" + (f" and {more} more" if more else "")

    def _take(self, row: Row) -> None:
        if row.name in self.values:
            self._refuse(row, "more than one row for", f"{row.name} (row {row.number})")
        cells = zip(self.table.values, row.values, strict=True)
        self.values[row.name] = tuple(self._number(row, column, cell) for column, cell in cells)

    def _number(self, row: Row, column: Column, cell: str | float | None) -> float:
        if cell is None:
            if self.table.missing == "refuse":
                self._refuse(row, f"no {column.name} for", row.name)
            return math.nan
        value, said = number_in(cell), f"{cell} ({row.name}, row {row.number})"
        if math.isnan(value):
            self._refuse(row, f"no finite number as {column.name}:", said)
        elif not column.low <= value <= column.high:
            self._refuse(row, f"{column.name} outside {column.low:g} to {column.high:g} {column.unit}:", said)
        return value

    def _refuse(self, row: Row, fault: str, what: str) -> None:
        self.faulty.add(row.name)
        self.note(fault, what)


@lru_cache(maxsize=1)
def _whole(table: Table, stamp: tuple[int, ...]) -> _Scan:
    """Read all of a table, once for the many batches of a stage; ``stamp`` changes when the file does."""
    return _Scan(table, None)
