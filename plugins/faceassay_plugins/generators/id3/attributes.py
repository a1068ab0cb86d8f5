"""Own the scale of attributes: raw units to numbers without unit, by the mean and the spread of the training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay import Attribute, AttributeTable, DataError, FloatArray


@dataclass(frozen=True, eq=False)
class AttributeScale:
    """Standardise attributes.

    Attributes:
        columns: the A attributes.
        means: of the training images, in their units, [A].
        deviations: likewise, all above 0.
    """

    columns: tuple[Attribute, ...]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @classmethod
    def of(cls, table: AttributeTable, log: Callable[[str], None]) -> AttributeScale:
        """Return the scale of the known values; ``log`` is told of an attribute without spread, whose deviation is 1.

        Raises:
            DataError: when an attribute is not known of any image.
        """
        values = table.values.astype(np.float64)
        columns = zip(table.columns, values.T, strict=True)
        unknown = [column.name for column, of_images in columns if np.isnan(of_images).all()]
        if unknown:
            raise DataError(f"no training image has a known value of {', '.join(unknown)}: leave its predictor out")
        varies = np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
        for name in (column.name for column, moves in zip(table.columns, varies, strict=True) if not moves):
            log(f"the attribute {name} is the same for all training images: it tells the generator nothing")
        return cls(table.columns, np.nanmean(values, axis=0), np.where(varies, np.nanstd(values, axis=0), 1.0))

    def standardised(self, values: FloatArray) -> FloatArray:
        """Return (s - mean) / deviation, float32 [B, A], and 0 for what is NaN: a row of NaN is an image without any.

        Args:
            values: in the units of the columns, float32 [B, A].

        Raises:
            DataError: when the width is not A, or a value is infinite or out of the range of its column.
        """
        AttributeTable(self.columns, values)
        if np.isinf(values).any():
            raise DataError("an attribute is infinite: NaN stands for an unknown one")
        scaled: FloatArray = np.nan_to_num((values - self.means) / self.deviations).astype(np.float32)
        return scaled

    def document(self) -> list[dict[str, Any]]:
        """Return the scale as JSON holds it, one entry for each attribute."""
        entries = zip(self.columns, self.means.tolist(), self.deviations.tolist(), strict=True)
        return [{**asdict(column), "mean": mean, "deviation": deviation} for column, mean, deviation in entries]

    @classmethod
    def read(cls, document: Sequence[Mapping[str, Any]]) -> AttributeScale:
        """Return the scale that ``document`` wrote."""
        columns = tuple(Attribute(*(entry[key] for key in ("name", "unit", "low", "high"))) for entry in document)
        return cls(columns, *(np.array([entry[key] for entry in document]) for key in ("mean", "deviation")))
