"""Own how the attributes of synthetic images are drawn from those of the real ones. Predicts none."""

from __future__ import annotations

from typing import Literal

import numpy as np

from faceassay.contracts import AttributeTable, DataError, FloatArray
from faceassay.seeds import generator

Drawing = Literal["bootstrap", "widened", "none"]
STREAM = 2
"""Which of an anchor's streams of random numbers the attributes are drawn from."""


def drawn_attributes(table: AttributeTable, widening: float, anchors: int, images: int, seed: int) -> FloatArray:
    """Draw the attributes of real images with replacement, independently of identity.

    The paper says that different attributes are generated and not how (ID3, algorithm 3). Here whole rows are drawn, so
    that columns keep their dependence; rows with an unknown value are left out. Row (i, j) depends on the seed, i and j
    alone.

    Args:
        table: attributes of the real images.
        widening: what the deviation from the mean of a column is multiplied by; values are then clipped to the range
            of their column. 1 changes nothing.
        anchors, images: how many identities, and images of each.
        seed: of the randomness.

    Returns:
        float32 [anchors x images, A], the images of an identity in a row.

    Raises:
        DataError: when no real image has all attributes.
    """
    known = table.values[~np.isnan(table.values).any(axis=1)]
    if not len(known):
        raise DataError(
            f"no real image has all of {', '.join(column.name for column in table.columns)}: leave out a predictor, or "
            "set attributes to none"
        )
    means = known.mean(axis=0, dtype=np.float64)
    low, high = ([getattr(column, end) for column in table.columns] for end in ("low", "high"))
    wide = known if widening == 1 else (means + widening * (known - means)).clip(low, high).astype(np.float32)
    rows = [generator(seed, anchor, STREAM).integers(0, len(known), images) for anchor in range(anchors)]
    drawn: FloatArray = wide[np.concatenate(rows)]
    return drawn
