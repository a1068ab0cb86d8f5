"""Own the search of the nearest embedding by cosine, in blocks: the reader says what the vectors are of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray, IntArray

QUERIES = 4096
REFERENCES = 8192
"""Vectors compared at a time: 128 MiB of cosines."""


class Nearest(NamedTuple):
    """Hold the nearest reference of each of N vectors.

    Attributes:
        cosines: float32 [N], NaN where there is no reference.
        rows: which reference it is, the first of equally near ones, int64 [N]; -1 where there is none.
    """

    cosines: FloatArray
    rows: IntArray


def nearest(
    vectors: FloatArray,
    references: FloatArray,
    groups: IntArray | None = None,
    reference_groups: IntArray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Nearest:
    """Return the nearest reference of each vector, never one of the vector's own group.

    Args:
        vectors: unit rows, float32 [N, d]; may be memory-mapped.
        references: unit rows, float32 [M, d]; may be memory-mapped.
        groups, reference_groups: group of each, int64 [N] and [M]; without them every reference counts.
        progress: called with vectors done and N.
    """
    cosines, rows = np.full(len(vectors), -np.inf, np.float32), np.full(len(vectors), -1)
    for start in range(0, len(vectors), QUERIES):
        part = slice(start, start + QUERIES)
        block = np.asarray(vectors[part])
        for first in range(0, len(references), REFERENCES):
            there = slice(first, first + REFERENCES)
            similar = block @ np.asarray(references[there]).T
            if groups is not None and reference_groups is not None:
                similar[groups[part, None] == reference_groups[there]] = -np.inf
            best = similar.argmax(1)
            value = similar[np.arange(len(block)), best]
            nearer = value > cosines[part]
            cosines[part][nearer] = value[nearer]
            rows[part][nearer] = best[nearer] + first
        progress(min(start + QUERIES, len(vectors)), len(vectors))
    return Nearest(np.where(rows < 0, np.nan, np.minimum(cosines, 1)).astype(np.float32), rows)


def closest(cosines: FloatArray, count: int) -> IntArray:
    """Return the rows of the ``count`` largest cosines, largest first, the first of equal ones first, int64 [count]."""
    known = np.flatnonzero(np.isfinite(cosines))
    return known[np.argsort(-cosines[known], kind="stable")[:count]]


def shared_rows(digests: NDArray[np.uint8], others: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return (row, first row of ``others``) of every row whose digest is among ``others``; both uint8 [., 32]."""
    place: dict[bytes, int] = {}
    for row, digest in enumerate(others):
        place.setdefault(digest.tobytes(), row)
    found = ((row, place.get(digest.tobytes())) for row, digest in enumerate(digests))
    return [(row, other) for row, other in found if other is not None]
