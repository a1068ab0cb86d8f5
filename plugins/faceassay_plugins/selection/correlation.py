"""Own the question whether two spaces agree on which classes are close (ScoreMix, algorithm 2), with a null for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import IntArray
from faceassay.seeds import generator
from faceassay_plugins.selection.distances import Metric, Rows, all_distances, checked_rows, pair_distances
from faceassay_plugins.selection.drawing import random_pairs
from faceassay_plugins.selection.numbering import pair_count, pairs_numbered

Numbers = NDArray[np.float64]
Measure = Callable[[IntArray], Numbers]

QUANTILES = (0.005, 0.025, 0.5, 0.975, 0.995)
WHOLE_TABLE = 4096
"""So many classes, or fewer, have the table of their distances in memory (128 MB)."""


@dataclass(frozen=True)
class Statistic:
    """Hold a statistic and what it would be if the classes of the two spaces had nothing to do with each other.

    Attributes:
        value: the statistic.
        p_value: share of the permutations that are at least as extreme, the data counted as one more: two-sided for the
            correlations, one-sided for CKA.
        null: quantiles of the permutations' values, by probability.
    """

    value: float
    p_value: float
    null: dict[float, float]


@dataclass(frozen=True)
class DistanceCorrelation:
    """Hold how far two spaces agree on the distances of classes.

    Attributes:
        pearson: correlation of the distances.
        spearman: correlation of their ranks, equal distances sharing the mean rank.
        cka: linear centred kernel alignment of the vectors themselves; needs no pairs.
        pairs: number of pairs behind the correlations.
        sampled: whether these are a random sample; otherwise they are all pairs.
        permutations: number of permutations behind the null.
    """

    pearson: Statistic
    spearman: Statistic
    cka: Statistic
    pairs: int
    sampled: bool
    permutations: int


def distance_correlation(
    e: NDArray[Any],
    c: NDArray[Any],
    *,
    metric_e: Metric = "cosine",
    metric_c: Metric = "cosine",
    pairs: int = 500_000,
    permutations: int = 199,
    seed: int = 0,
) -> DistanceCorrelation:
    """Correlate the distances of classes in two spaces, with a permutation null (ScoreMix, algorithm 2, figures 7, 8).

    The null permutes the classes of ``c``: pairs share classes, so their number says nothing of significance.

    Args:
        e, c: vectors of the same L classes, [L, d_E] and [L, d_C].
        metric_e, metric_c: their distances.
        pairs: up to so many pairs all are used; of more, so many are drawn without replacement.
        permutations: number of permutations; the smallest p-value is 1 / (permutations + 1).
        seed: of the permutations and the drawing.

    Raises:
        ValueError: when the spaces have different numbers of classes or fewer than three, a row is not finite, or zero
            under ``cosine``, or all distances of a space are equal.
    """
    if len(e) != len(c) or len(e) < 3:
        raise ValueError(f"{len(e)} and {len(c)} classes: give the same classes in both spaces, at least three")
    rows_e, rows_c = checked_rows(e, metric_e), checked_rows(c, metric_c)
    classes, sampled = len(e), pair_count(len(e)) > pairs
    chosen = random_pairs(classes, pairs, seed) if sampled else _all_pairs(classes)
    near_e, measure = _measure(rows_e, metric_e)(chosen), _measure(rows_c, metric_c)
    vectors = _centred(e), _centred(c)
    ranks_e = _standard(_ranks(near_e))
    near_e = _standard(near_e)

    def statistics(order: IntArray) -> tuple[float, float, float]:
        near_c = measure(order[chosen])
        spearman = float(ranks_e @ _standard(_ranks(near_c)))
        return float(near_e @ _standard(near_c)), spearman, _alignment(vectors[0], vectors[1][order])

    found = statistics(np.arange(classes))
    rng = generator(seed, 1)
    null = np.array([statistics(rng.permutation(classes)) for _ in range(permutations)]).reshape(-1, 3)
    names = ("pearson", "spearman", "cka")
    made = {name: _statistic(found[k], null[:, k], two_sided=name != "cka") for k, name in enumerate(names)}
    return DistanceCorrelation(**made, pairs=len(chosen), sampled=sampled, permutations=permutations)


def _all_pairs(classes: int) -> IntArray:
    return pairs_numbered(np.arange(pair_count(classes)), classes)


def _measure(rows: Rows, metric: Metric) -> Measure:
    """Return what gives the distances of pairs in any order: looked up in a table where that is small."""
    classes = len(rows)
    if classes > WHOLE_TABLE:
        return lambda pairs: pair_distances(rows, pairs, metric)
    table = np.zeros((classes, classes))
    table[np.triu_indices(classes, 1)] = all_distances(rows, metric)
    table += table.T
    return lambda pairs: table[pairs[:, 0], pairs[:, 1]]


def _ranks(values: Numbers) -> Numbers:
    from scipy.stats import rankdata

    ranks: Numbers = rankdata(values)
    return ranks


def _standard(values: Numbers) -> Numbers:
    """Return ``values`` with mean 0 and length 1, so that a product of two is their correlation."""
    apart = values - values.mean()
    length = np.linalg.norm(apart)
    if length <= 1e-12 * np.abs(values).max():
        raise ValueError("all distances of a space are equal: there is nothing to correlate")
    standard: Numbers = apart / length
    return standard


def _centred(vectors: NDArray[Any]) -> Numbers:
    centred: Numbers = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    return centred


def _alignment(x: Numbers, y: Numbers) -> float:
    """Return linear CKA of centred x and y (Kornblith et al. 2019): |x'y|^2 / (|x'x| |y'y|)."""
    return float(np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _statistic(value: float, null: Numbers, *, two_sided: bool) -> Statistic:
    extreme = np.abs(null) >= abs(value) if two_sided else null >= value
    levels: Sequence[float] = np.quantile(null, QUANTILES).tolist() if len(null) else []
    return Statistic(value, (1 + int(extreme.sum())) / (1 + len(null)), dict(zip(QUANTILES, levels, strict=False)))
