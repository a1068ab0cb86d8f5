"""Own labelled scores of pairs and what each pair weighs in a bootstrap replicate. Computes no metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.scores import labelled
from faceassay_protocols.uncertainty.draws import draw_blocks

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Hold some pairs in the order of their scores: ``pairs`` (int64 [n]) and their ``values``, float64 [n]."""

    pairs: IntArray
    values: Values


@dataclass(frozen=True, eq=False)
class PairScores:
    """Hold the scores of labelled pairs with what a bootstrap must know about them.

    Attributes:
        similarities: float64 [P], higher is more alike; of squared distances give the negatives.
        is_same: bool [P].
        fold: the protocol's fold of each pair, int64 [P]; None where there are no folds.
        first_person, second_person: identity of the two images of each pair, any whole numbers, int64 [P]; both None
            where nobody knows.

    Raises:
        DataError: when lengths differ, a label is not boolean, a score is not finite, or one person is missing.
    """

    similarities: Values
    is_same: NDArray[np.bool_]
    fold: IntArray | None = None
    first_person: IntArray | None = None
    second_person: IntArray | None = None

    def __post_init__(self) -> None:
        labelled(self.similarities, self.is_same)
        for name in ("fold", "first_person", "second_person"):
            given = getattr(self, name)
            if given is not None and given.shape != self.is_same.shape:
                raise DataError(f"{name} {given.shape} of {len(self.is_same)} pairs: give one to each")
        if (self.first_person is None) != (self.second_person is None):
            raise DataError("the person of one image of each pair is known: give both or none")

    @cached_property
    def same(self) -> Ranked:
        """The pairs of one person."""
        return self.ranked(self.is_same)

    @cached_property
    def different(self) -> Ranked:
        """The pairs of two people."""
        return self.ranked(~self.is_same)

    def ranked(self, chosen: NDArray[np.bool_]) -> Ranked:
        """Return the pairs at which ``chosen``, bool [P], is True, in the order of their scores."""
        pairs = np.flatnonzero(chosen)
        values = self.similarities[pairs]
        order = np.argsort(values, kind="stable")
        return Ranked(pairs[order], values[order])


@dataclass(frozen=True, eq=False)
class Weights:
    """Hold what every pair weighs in B replicates, as a product of two factors that is formed where it is needed.

    Attributes:
        factors: int64 [B, U + 1]: how often each unit was drawn, and a column of ones.
        first, second: columns of the two factors of each pair, int32 [P].
        different: weight of all pairs of two people together, int64 [B].
    """

    factors: IntArray
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    different: IntArray

    def of(self, pairs: IntArray) -> IntArray:
        """Return the weights of ``pairs`` (int64 [n]), int64 [B, n]."""
        weights: IntArray = self.factors.take(self.first[pairs], axis=1)
        weights *= self.factors.take(self.second[pairs], axis=1)
        return weights

    def running(self, ranked: Ranked) -> IntArray:
        """Return the weight of the first k of the pairs in their order for k = 0 to n, int64 [B, n + 1]."""
        total = np.zeros((len(self.factors), len(ranked.pairs) + 1), dtype=np.int64)
        np.cumsum(self.of(ranked.pairs), axis=1, out=total[:, 1:])
        return total


class PairMetric(Protocol):
    """Measure weighted pairs. With all weights 1 it is the metric itself; whole weights are repetitions of pairs."""

    def on(self, scores: PairScores) -> Callable[[Weights], Values]:
        """Return what computes the metric of ``scores`` under B sets of weights, float64 [B], NaN where undefined."""


def weight_blocks(scores: PairScores, replicates: int, size: int) -> Iterator[Weights]:
    """Yield the weights of the pairs in blocks of ``size`` replicates; they depend on the structure of the pairs only.

    People are resampled: a pair of one person weighs what the person was drawn, a pair of two the product of both.
    Where nobody knows the people, pairs are resampled within each fold and class, which keeps folds balanced.
    """
    first, second, strata = _units(scores)
    counts = _count_matrix(first[~scores.is_same], second[~scores.is_same], len(strata))
    for draws in draw_blocks(strata, replicates, size):
        factors = np.pad(draws, ((0, 0), (0, 1)), constant_values=1)
        yield Weights(factors, first, second, ((draws @ counts) * factors).sum(axis=1))


def _units(scores: PairScores) -> tuple[NDArray[np.int32], NDArray[np.int32], IntArray]:
    """Return the two factors of each pair, the second being the column of ones for a single unit, and the strata."""
    if scores.first_person is None or scores.second_person is None:
        pairs = len(scores.is_same)
        fold = np.zeros(pairs, np.int64) if scores.fold is None else scores.fold
        return np.arange(pairs, dtype=np.int32), np.full(pairs, pairs, np.int32), 2 * fold + scores.is_same
    people = np.union1d(np.unique(scores.first_person), np.unique(scores.second_person))
    first = np.searchsorted(people, scores.first_person).astype(np.int32)
    second = np.searchsorted(people, scores.second_person).astype(np.int32)
    second[first == second] = len(people)
    return first, second, np.zeros(len(people), np.int64)


def _count_matrix(first: NDArray[np.int32], second: NDArray[np.int32], units: int) -> Any:
    """Count the pairs of each two factors, sparse int64 [U, U + 1]."""
    from scipy.sparse import coo_array

    ones = np.ones(len(first), dtype=np.int64)
    return coo_array((ones, (first, second)), shape=(units, units + 1)).tocsr()
