"""Own the contract of face attributes: images to named columns with units and ranges. Estimators belong to plugins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from faceassay.contracts.errors import DataError
from faceassay.contracts.faces import FloatArray, ImageBatch
from faceassay.contracts.plugin import Trainable

NAMED = 10
"""Values out of range that a message names."""


@dataclass(frozen=True)
class Attribute:
    """Describe one attribute: an identity-irrelevant property of a face image (ID3, section 3.2.2).

    Attributes:
        name: such as ``yaw``.
        unit: such as ``degrees``.
        low, high: the range that its values must lie in, both ends included.
    """

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class AttributeTable:
    """Hold the attributes of N images.

    Attributes:
        columns: the A attributes.
        values: float32 [N, A], NaN where an image's is unknown.

    Raises:
        DataError: when the shape does not fit, two columns have one name, or a value is out of its range.
    """

    columns: tuple[Attribute, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.columns):
            raise DataError(f"attributes {self.values.shape} must be [N, {len(self.columns)}], one column each")
        names = [column.name for column in self.columns]
        if len({*names}) < len(names):
            raise DataError(f"two attributes have one name: {', '.join(names)}")
        wrong = [
            problem
            for column, values in zip(self.columns, self.values.T, strict=True)
            for problem in _outside(column, values)
        ]
        if wrong:
            raise DataError("; ".join(wrong))

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def joined(cls, tables: Sequence[AttributeTable]) -> AttributeTable:
        """Return the columns of several tables of the same images side by side.

        Raises:
            DataError: when the numbers of images differ or two columns have one name.
        """
        if len({len(table) for table in tables}) > 1:
            raise DataError(f"attributes of {' and '.join(str(len(table)) for table in tables)} images are of one set")
        columns = tuple(column for table in tables for column in table.columns)
        return cls(columns, np.concatenate([table.values for table in tables], axis=1))


class AttributePredictor(Trainable):
    """Tell attributes of face images; no seed changes what they are."""

    seeded: ClassVar[bool] = False

    @abstractmethod
    def columns(self) -> tuple[Attribute, ...]:
        """Return the attributes, in the order of the columns of ``predict``."""

    def check_items(self, item_ids: Sequence[str]) -> None:
        """Check, before any stage runs, that the images named ``item_ids`` can be told attributes of.

        Raises:
            DataError: naming all that cannot.
        """

    @abstractmethod
    def predict(self, images: ImageBatch, item_ids: Sequence[str]) -> FloatArray:
        """Return the attributes of images. What is told of an image is the same in every batch, but for rounding.

        Args:
            images: uint8 [B, H, W, 3] RGB.
            item_ids: their names in the dataset they are from.

        Returns:
            float32 [B, A], each value in the range of its column, NaN where it cannot be told.
        """


def _outside(column: Attribute, values: FloatArray) -> list[str]:
    with np.errstate(over="ignore"):  # a range may be wider than float32
        rows = np.flatnonzero((values < column.low) | (values > column.high) | np.isinf(values))
    named = ", ".join(f"{values[row]:g} (image {row})" for row in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    limits = f"outside {column.low:g} to {column.high:g} {column.unit}"
    return [f"{column.name}: {named}{more} {limits}"] if len(rows) else []
