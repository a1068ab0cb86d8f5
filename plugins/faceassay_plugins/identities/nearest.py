"""Own the cosine of each vector to the nearest other one, a block at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray
from faceassay.identity import unit_rows

BLOCK = 1024
"""Vectors whose cosines to all others are in memory at once."""


def nearest_cosines(vectors: NDArray[np.floating], others: NDArray[np.floating] | None = None) -> FloatArray:
    """Return the largest cosine of each vector to another one, or to any of ``others``, float32 [N].

    Args:
        vectors: [N, d] of any length above 0; at least two where there are no ``others``.
        others: [M, d], at least one.

    Raises:
        ValueError: when there is nothing to compare with or the widths differ.
        DataError: when a vector has no direction.
    """
    first = unit_rows(vectors, "vector")
    second = first if others is None else unit_rows(others, "vector")
    if first.shape[1] != second.shape[1] or len(second) < (2 if others is None else 1):
        raise ValueError(f"vectors {first.shape} have no cosines to others of {second.shape}")
    found = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), BLOCK):
        cosines = first[start : start + BLOCK] @ second.T
        if others is None:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = cosines.max(axis=1)
    return found
