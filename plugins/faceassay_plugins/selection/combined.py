"""Own the choice by two distances at once: close conditions and distant embeddings. Ranks all pairs exactly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import IntArray
from faceassay_plugins.selection.capping import require_pairs, walk_capped
from faceassay_plugins.selection.distances import Metric, all_distances, checked_rows
from faceassay_plugins.selection.numbering import first_numbers, pair_count, pairs_numbered

Sums = NDArray[np.signedinteger[Any]]

PIECE = 2**21
"""Pairs sorted together, about."""


def select_combined(
    embeddings: NDArray[Any],
    conditions: NDArray[Any],
    count: int,
    *,
    order: Literal["top", "worst"] = "top",
    metric: Metric = "cosine",
    max_uses: int | None = None,
) -> IntArray:
    """Return the ``count`` pairs with the closest conditions and the farthest embeddings together (ScoreMix, table 2).

    The paper does not say how it combines the two. Here a pair's place among all pairs, the closest conditions first,
    and its place, the farthest embeddings (cosine) first, are added up; ``top`` takes the smallest sums and ``worst``
    the largest, equal sums by (i, j). Equal distances are placed by (i, j) too, so every place is taken once.

    All pairs are ranked: 16 bytes a pair (0.8 GB for 10,000 classes), more where most pairs are equally far apart.

    Args:
        embeddings: class centres E, [L, d_E].
        conditions: condition vectors C, [L, d_C].
        count: number of pairs, at most L (L - 1) / 2.
        order: which sums come first.
        metric: the distance of conditions.
        max_uses: a class is in at most so many pairs: pairs are taken greedily in the order.

    Returns:
        int64 [count, 2] with i < j, in the order asked for.

    Raises:
        ValueError: when the two have different numbers of classes, there are too few pairs, the greedy choice gets
            stuck, a row is not finite, or zero under ``cosine``.
    """
    if order not in ("top", "worst"):
        raise ValueError(f"order must be 'top' or 'worst' (got {order!r})")
    if len(embeddings) != len(conditions):
        raise ValueError(f"{len(embeddings)} embeddings and {len(conditions)} conditions: give one of each per class")
    classes = len(embeddings)
    require_pairs(classes, count, max_uses)
    sums = _rank_sums(embeddings, conditions, metric)
    if order == "worst":
        np.negative(sums, out=sums)
    if max_uses is None:
        return pairs_numbered(_smallest(sums, count), classes)

    def ranking(remaining: IntArray, ahead: int) -> IntArray:
        _close(sums, np.setdiff1d(np.arange(classes), remaining), classes)
        return pairs_numbered(_smallest(sums, ahead), classes)

    return walk_capped(ranking, classes, count, max_uses)


def _rank_sums(embeddings: NDArray[Any], conditions: NDArray[Any], metric: Metric) -> Sums:
    rows = checked_rows(embeddings, "cosine"), checked_rows(conditions, metric)
    pairs = pair_count(len(embeddings))
    sums: Sums = np.zeros(pairs, dtype=np.int32 if 2 * pairs < 2**31 else np.int64)
    _add_ranks(sums, all_distances(rows[1], metric))
    apart = all_distances(rows[0], "cosine")
    _add_ranks(sums, np.negative(apart, out=apart))
    return sums


def _add_ranks(sums: Sums, values: NDArray[np.float64]) -> None:
    """Add to each of ``sums`` the place of its value, 0 for the smallest; equal values are placed by index."""
    placed = 0
    for low, high in _pieces(values):
        inside = np.flatnonzero((values >= low) & (values < high))
        in_order = inside[np.argsort(values[inside], kind="stable")]
        sums[in_order] += np.arange(placed, placed + len(in_order), dtype=sums.dtype)
        placed += len(in_order)


def _pieces(values: NDArray[np.float64]) -> Iterator[tuple[float, float]]:
    """Yield half-open ranges that hold all values, about ``PIECE`` of them each; equal values are never parted."""
    sample = np.sort(values[:: max(1, len(values) // 2**16)])
    inner = sample[:: max(1, round(len(sample) * PIECE / max(1, len(values))))][1:]
    limits = [-np.inf, *np.unique(inner), np.inf]
    yield from itertools.pairwise(limits)


def _smallest(sums: Sums, count: int) -> IntArray:
    """Return where the ``count`` smallest are, in order; equal ones by index."""
    if count == 0:
        return np.empty(0, np.int64)
    limit = np.partition(sums, count - 1)[count - 1]
    candidates = np.flatnonzero(sums <= limit)
    in_order: IntArray = candidates[np.argsort(sums[candidates], kind="stable")]
    return in_order[:count]


def _close(sums: Sums, closed: IntArray, classes: int) -> None:
    """Put every pair of a ``closed`` class behind all others."""
    numbers, last = first_numbers(classes), np.iinfo(sums.dtype).max
    for k in closed:
        sums[numbers[:k] + k] = last
        sums[numbers[k] + k + 1 : numbers[k] + classes] = last
