"""Own the exact choice of the closest or farthest pairs. Searches in float32, decides in float64, lists no whole table.

Cosine distances order pairs as squared distances of unit rows do, |a - b|^2 = 2 - 2 a.b, and both metrics are searched
alike: rows are centred, which changes no distance and leaves float32 only what tells them apart, and scaled to length
one at most by a power of two. The score 2 a.b - |a|^2 - |b|^2 is one product of rows of k = d + 2 numbers.

The bound. Let u = 2^-24. The product in float32, whatever the order of its sums and with fused operations or without,
is off by at most gamma_k T with gamma_k = k u / (1 - k u) (Higham 2002, section 3.1), where T is the sum of the
absolute terms, and rounding each number by a factor 1 + e, |e| <= u, by at most (2 u + u^2) T. Since 2 sum |a_n b_n| is
at most |a|^2 + |b|^2, T is at most twice that (and the rounded rows' (1 + u)^2 times more), so the error is at most

    2 rate (|a|^2 + |b|^2),    rate = gamma_k (1 + u)^2 + 2 u + u^2,

a share for each row. What float64 rounds is at most (2 k + 64) 2^-53 of T, what float32 underflows at most k 2^-123,
and what float64 rounds in 1 - a.b and in the unit lengths at most (4 d + 64) 2^-53 of the squared scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray, IntArray
from faceassay_plugins.selection.capping import require_pairs, walk_capped
from faceassay_plugins.selection.distances import Metric, Rows, checked_rows, pair_distances

Order = Literal["closest", "farthest"]

HEIGHT, WIDTH = 512, 2048
"""Rows and columns of the table of products that are looked at together."""
LEAST = -5.0
"""Less than any score: rows are no longer than one."""
SPARE = 2**16
"""Candidates that may wait, beyond four times those asked for, before they are sifted."""


def select_pairs(
    centres: NDArray[Any],
    count: int,
    *,
    order: Order = "farthest",
    metric: Metric = "cosine",
    max_uses: int | None = None,
) -> IntArray:
    """Return the ``count`` pairs of classes that are closest or farthest (ScoreMix, section 4.3).

    Exact: pairs are ordered by their distance in float64, equal distances by (i, j). Takes little longer than the
    products of all pairs in float32 and little memory beyond a float64 copy of ``centres``; where very many pairs are
    closer to one another than float32 can tell, more time.

    Args:
        centres: one vector for each class, [L, d], class centres or condition vectors.
        count: number of pairs, at most L (L - 1) / 2.
        order: which come first.
        metric: cosine distance 1 - cos, or Euclidean distance.
        max_uses: a class is in at most so many pairs: pairs are taken greedily in the order. None, as in the paper: no
            limit.

    Returns:
        int64 [count, 2] with i < j, in the order asked for.

    Raises:
        ValueError: when there are too few pairs or the greedy choice gets stuck, a row is not finite, or zero under
            ``cosine``.
    """
    if order not in ("closest", "farthest"):
        raise ValueError(f"order must be 'closest' or 'farthest' (got {order!r})")
    rows = checked_rows(centres, metric)
    require_pairs(len(rows), count, max_uses)
    if max_uses is None:
        return _extremes(rows, count, order, metric)

    def ranking(remaining: IntArray, ahead: int) -> IntArray:
        return remaining[_extremes(rows[remaining], ahead, order, metric)]

    return walk_capped(ranking, len(rows), count, max_uses)


@dataclass(frozen=True)
class _Scores:
    """float32 rows whose product left_i . right_j is the score of a pair to within slack_i + slack_j; high is first."""

    left: FloatArray
    right: FloatArray
    slack: NDArray[np.float64]


def _scores(rows: Rows, order: Order, metric: Metric) -> _Scores:
    apart = rows - rows.mean(0)
    scale = 2.0 ** -np.ceil(np.log2(max(np.linalg.norm(apart, axis=1).max(initial=0), 2.0**-500)))
    apart *= scale
    squares, one = np.einsum("nd,nd->n", apart, apart), np.ones(len(rows))
    left = np.column_stack([2 * apart, -squares, -one]) * (1.0 if order == "closest" else -1.0)
    right = np.column_stack([apart, one, squares])
    slack = 2 * _rate(left.shape[1]) * squares + left.shape[1] * 2.0**-123
    if metric == "cosine":
        slack += (2 * rows.shape[1] + 32) * 2.0**-53 * scale**2
    return _Scores(left.astype(np.float32), right.astype(np.float32), slack)


def _rate(numbers: int) -> float:
    u = 2.0**-24
    gamma = numbers * u / (1 - numbers * u)
    return float(gamma * (1 + u) ** 2 + 2 * u + u * u + (2 * numbers + 64) * 2.0**-53)


def _extremes(rows: Rows, count: int, order: Order, metric: Metric) -> IntArray:
    scores, limit = _scores(rows, order, metric), 4 * count + SPARE
    found, bound = _Candidates.none(), LEAST
    for block, columns in _upper_triangle(len(rows)):
        product = scores.left[block] @ scores.right[columns].T
        floor = max(bound - scores.slack[block].max() - scores.slack[columns].max(), LEAST)
        hits = np.flatnonzero(product >= np.nextafter(np.float32(floor), np.float32(-np.inf)))
        pairs = np.stack([hits // product.shape[1] + block.start, hits % product.shape[1] + columns.start], axis=1)
        found = found.joined(pairs, product.ravel()[hits], scores.slack)
        if len(found.pairs) > limit:
            bound, found = found.sifted(bound, count)
        if len(found.pairs) > limit:
            found = found.at(_first(rows, found.pairs, count, order, metric))
    if len(found.pairs) > count:
        found = found.sifted(bound, count)[1]
    return found.pairs[_first(rows, found.pairs, count, order, metric)]


def _first(rows: Rows, pairs: IntArray, count: int, order: Order, metric: Metric) -> IntArray:
    """Return where the first ``count`` of ``pairs`` are, in order; decided in float64."""
    distances = pair_distances(rows, pairs, metric)
    placed: IntArray = np.lexsort((pairs[:, 1], pairs[:, 0], distances if order == "closest" else -distances))
    return placed[:count]


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be among the first, int64 [N, 2], and the limits of their scores, float64 [N]."""

    pairs: IntArray
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def none(cls) -> _Candidates:
        return cls(np.empty((0, 2), np.int64), np.empty(0), np.empty(0))

    def at(self, index: NDArray[Any]) -> _Candidates:
        return _Candidates(self.pairs[index], self.low[index], self.high[index])

    def joined(self, pairs: IntArray, products: FloatArray, slack: NDArray[np.float64]) -> _Candidates:
        upper = pairs[:, 0] < pairs[:, 1]
        pairs, scores = pairs[upper], products[upper].astype(np.float64)
        off = slack[pairs].sum(1)
        parts = zip((self.pairs, self.low, self.high), (pairs, scores - off, scores + off), strict=True)
        return _Candidates(*map(np.concatenate, parts))

    def sifted(self, bound: float, count: int) -> tuple[float, _Candidates]:
        """Leave out pairs that ``count`` others are surely before; return the score that surely so many reach."""
        place = len(self.low) - count
        bound = max(bound, np.partition(self.low, place)[place]) if count else np.inf
        return bound, self.at(self.high >= bound)


def _upper_triangle(classes: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, classes, HEIGHT):
        for left in range(top, classes, WIDTH):
            yield slice(top, min(top + HEIGHT, classes)), slice(left, min(left + WIDTH, classes))
