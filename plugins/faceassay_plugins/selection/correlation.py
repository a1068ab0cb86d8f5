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
Measure = Callable[[IntArray], tuple[Numbers, Numbers]]

QUANTILES = (0.005, 0.025, 0.5, 0.975, 0.995)
WHOLE_TABLE = 4096
"""So many classes, or fewer, have tables of their distances and ranks in memory, 128 MB each, and use all pairs."""
DRAWN = 100_000
"""Pairs that are drawn of more classes."""


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
    pairs: int | None = None,
    permutations: int = 199,
    seed: int = 0,
) -> DistanceCorrelation:
    """Correlate the distances of classes in two spaces, with a permutation null (ScoreMix, algorithm 2, figures 7, 8).

    The null permutes the classes of ``c``: pairs share classes, so their number says nothing of significance.

    Args:
        e, c: vectors of the same L classes, [L, d_E] and [L, d_C].
        metric_e, metric_c: their distances.
        pairs: where there are more, so many are drawn without replacement. None: all pairs of up to 4,096 classes,
            100,000 of more.
        permutations: number of permutations; the smallest p-value is 1 / (permutations + 1).
        seed: of the permutations and the drawing.

    Raises:
        ValueError: when the spaces have different numbers of classes or fewer than three, a row is not finite, or zero
            under ``cosine``, or all distances of a space are equal.
    """
    if len(e) != len(c) or len(e) < 3:
        raise ValueError(f"{len(e)} and {len(c)} classes: give the same classes in both spaces, at least three")
    rows_e, rows_c, classes = checked_rows(e, metric_e), checked_rows(c, metric_c), len(e)
    wanted = pairs or (pair_count(classes) if classes <= WHOLE_TABLE else DRAWN)
    sampled = pair_count(classes) > wanted
    chosen = random_pairs(classes, wanted, seed) if sampled else _all_pairs(classes)
    near_e = pair_distances(rows_e, chosen, metric_e) if sampled else all_distances(rows_e, metric_e)
    standard_e, measure = (_standard(near_e), _standard(_ranks(near_e))), _measure(rows_c, metric_c, sampled)
    vectors = _aligned(e), _aligned(c)

    def statistics(order: IntArray) -> list[float]:
        near_c = map(_standard, measure(order[chosen]))
        correlations = [float(one @ other) for one, other in zip(standard_e, near_c, strict=True)]
        return [*correlations, float(np.linalg.norm(vectors[0].T @ vectors[1][order]) ** 2)]

    found = statistics(np.arange(classes))
    rng = generator(seed, 1)
    null = np.array([statistics(rng.permutation(classes)) for _ in range(permutations)]).reshape(-1, 3)
    names = ("pearson", "spearman", "cka")
    made = {name: _statistic(found[k], null[:, k], two_sided=name != "cka") for k, name in enumerate(names)}
    return DistanceCorrelation(**made, pairs=len(chosen), sampled=sampled, permutations=permutations)


def _all_pairs(classes: int) -> IntArray:
    return pairs_numbered(np.arange(pair_count(classes)), classes)


def _measure(rows: Rows, metric: Metric, sampled: bool) -> Measure:
    """Return what gives the distances of pairs and their ranks; looked up in tables where these are small."""
    if sampled or len(rows) > WHOLE_TABLE:
        return lambda pairs: _with_ranks(pair_distances(rows, pairs, metric))
    tables = [_table(values, len(rows)) for values in _with_ranks(all_distances(rows, metric))]
    return lambda pairs: (tables[0][pairs[:, 0], pairs[:, 1]], tables[1][pairs[:, 0], pairs[:, 1]])


def _with_ranks(values: Numbers) -> tuple[Numbers, Numbers]:
    return values, _ranks(values)


def _table(values: Numbers, classes: int) -> Numbers:
    table = np.zeros((classes, classes))
    table[np.triu_indices(classes, 1)] = values
    table += table.T
    return table


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


def _aligned(vectors: NDArray[Any]) -> Numbers:
    """Return ``vectors`` centred and scaled so that linear CKA (Kornblith et al. 2019) of two is |x'y|^2."""
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    scaled: Numbers = centred / (np.sqrt(np.linalg.norm(centred.T @ centred)) or 1.0)
    return scaled


def _statistic(value: float, null: Numbers, *, two_sided: bool) -> Statistic:
    extreme = np.abs(null) >= abs(value) if two_sided else null >= value
    levels: Sequence[float] = np.quantile(null, QUANTILES).tolist() if len(null) else []
    return Statistic(value, (1 + int(extreme.sum())) / (1 + len(null)), dict(zip(QUANTILES, levels, strict=False)))
