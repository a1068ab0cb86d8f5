"""Own work on long arrays piece by piece, in a few threads where pieces are independent. Knows nothing of faces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

SORTED_IN_ONE_PIECE = 2**20


def blocks(stop: int, size: int, start: int = 0) -> Iterator[slice]:
    """Cut ``start`` to ``stop`` into consecutive slices of ``size``, the last one shorter."""
    for begin in range(start, stop, size):
        yield slice(begin, min(begin + size, stop))


def for_each(parts: Iterable[slice], work: Callable[[slice], object]) -> None:
    """Call ``work`` on every part, on as many threads as there are processors; parts must not write to one place.

    numpy lets other threads run while it works on an array, so blocks of some 10,000 numbers gain.

    Raises:
        Exception: what ``work`` raises, for the first such part.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(work, parts):
            pass


def ascending(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return ``values`` [N] sorted, as ``np.sort``: a long array is parted in the middle and both halves are sorted."""
    middle = len(values) // 2
    if middle < SORTED_IN_ONE_PIECE:
        return np.sort(values)
    ordered = np.partition(values, middle)
    for_each((slice(0, middle), slice(middle, None)), lambda half: ordered[half].sort())
    return ordered
