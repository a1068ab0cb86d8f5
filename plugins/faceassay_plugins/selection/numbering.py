"""Own the numbering of pairs: (0, 1), (0, 2), ..., (1, 2), ... Nothing lists them: 200,000 classes make 20 billion."""

from __future__ import annotations

import numpy as np

from faceassay.contracts import IntArray


def pair_count(classes: int) -> int:
    """Return how many pairs ``classes`` classes make."""
    return classes * (classes - 1) // 2


def first_numbers(classes: int) -> IntArray:
    """Return for each class i the number that the pair (i, i) would have, so that (i, j) has that plus j: int64 [L]."""
    i = np.arange(classes, dtype=np.int64)
    return i * (2 * classes - i - 1) // 2 - i - 1


def pairs_numbered(numbers: IntArray, classes: int) -> IntArray:
    """Return the pairs of these numbers, int64 [N, 2] with i < j in each row."""
    ends = np.cumsum(np.arange(classes - 1, 0, -1, dtype=np.int64))
    first = np.searchsorted(ends, numbers, side="right")
    return np.stack([first, numbers - ends[first] + classes], axis=1).astype(np.int64)
