"""Own TAR over all pairs of a pack's images, of which there are millions where its list has thousands.

Only the highest-scoring different pairs are kept; how many there are follows from the images of each person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray, Interval
from faceassay.statistics import poisson_interval
from faceassay_protocols.blockwise import blocks
from faceassay_protocols.uncertainty.draws import identity_draws
from faceassay_protocols.uncertainty.intervals import FEW

Values = NDArray[np.float64]

ROWS_AT_A_TIME = 512
WEIGHTS_AT_A_TIME = 2**22
"""Weights held at once: 32 MiB of int64."""
HEADROOM = 4
LEAST = 1000
"""Different pairs kept: four times those that the highest rate accepts, and at least so many; replicates need more."""


@dataclass(frozen=True, eq=False)
class AllPairs:
    """Hold the scores of all same pairs and of the highest different pairs.

    Attributes:
        same: cosines of the same pairs, float64 [S].
        same_person: who it is, int64 [S].
        highest: cosines of the highest different pairs, falling, float64 [K].
        first_person, second_person: of these, int64 [K] each.
        images: number of images of each person, int64 [L].
    """

    same: Values
    same_person: IntArray
    highest: Values
    first_person: IntArray
    second_person: IntArray
    images: IntArray

    @property
    def impostors(self) -> int:
        """Number of different pairs, listed or not."""
        return int(self.different_weight(self._everyone)[0])

    def different_weight(self, draws: IntArray) -> IntArray:
        """Return the weight of all different pairs where each person counts as ``draws`` (int64 [R, L]) says."""
        drawn = draws * self.images
        weight: IntArray = (drawn.sum(axis=1) ** 2 - (drawn**2).sum(axis=1)) // 2
        return weight

    def tar(self, fpr: float, draws: IntArray) -> Values:
        """Return the largest TAR whose FPR is at most ``fpr``, where people count as ``draws`` says, float64 [R].

        A same pair weighs what its person was drawn, a different pair the product of both. NaN where no same pair or
        no different pair has weight, or where the highest pairs do not reach down to the rate.
        """
        threshold, reached = self._thresholds(fpr, draws)
        weight = draws[:, self.same_person]
        true_accepts = (weight * (self.same > threshold[:, None])).sum(axis=1)
        known = reached & (weight.sum(axis=1) > 0)
        tar: Values = np.divide(true_accepts, weight.sum(axis=1), out=np.full(len(draws), np.nan), where=known)
        return tar

    def false_accept_interval(self, fpr: float, level: float = 0.95) -> list[Interval]:
        """Return TAR where the exact Poisson limits of the false accepts at ``fpr`` are accepted; none for many."""
        [threshold], _ = self._thresholds(fpr, self._everyone)
        accepted = int(np.count_nonzero(self.highest > threshold))
        fewest, most = poisson_interval(accepted, level)
        falling = np.append(self.highest, -np.inf)
        with_ties = np.count_nonzero(self.highest >= self.highest[: math.ceil(most)][-1])
        low, high = (float(np.mean(self.same > falling[at])) for at in (math.floor(fewest), with_ties))
        method = f"exact Poisson, {accepted} false accepts: {fewest:.1f} to {most:.1f}"
        return [Interval(low, high, "false accepts", method, level)] if accepted < FEW else []

    @property
    def _everyone(self) -> IntArray:
        return np.ones((1, len(self.images)), dtype=np.int64)

    def _thresholds(self, fpr: float, draws: IntArray) -> tuple[Values, NDArray[np.bool_]]:
        """Return the highest score that would be one false accept too many, and whether there is one, [R] each."""
        accepted = np.cumsum(draws[:, self.first_person] * draws[:, self.second_person], axis=1)
        too_many = accepted / np.maximum(self.different_weight(draws), 1)[:, None] > fpr
        return self.highest[np.argmax(too_many, axis=1)], too_many[:, -1]


def compare_all(unit: Values, identity: IntArray, people: int, fprs: Sequence[float]) -> AllPairs:
    """Compare every image with every other one.

    Args:
        unit: embeddings of length one, float64 [N, d].
        identity: person of each image, 0 to L-1, int64 [N].
        people: their number, L.
        fprs: rates at which TAR will be read; they decide how many different pairs are kept.

    Raises:
        DataError: when there are no same or no different pairs.
    """
    images = np.bincount(identity, minlength=people)
    pairs = AllPairs(*(np.empty(0),) * 5, images)  # type: ignore[arg-type]  # only to count
    same_pairs = int((images * (images - 1) // 2).sum())
    if not same_pairs or not pairs.impostors:
        raise DataError(f"{len(identity)} images of {np.count_nonzero(images)} people: all pairs need both classes")
    count = min(pairs.impostors, math.ceil(HEADROOM * max(fprs) * pairs.impostors) + LEAST)
    same, highest = [], _Highest(count)
    for rows in blocks(len(unit), ROWS_AT_A_TIME):
        scores = unit[rows] @ unit[rows.start :].T
        first, second = np.triu_indices(len(scores), 1, scores.shape[1])
        alike = identity[rows.start + first] == identity[rows.start + second]
        values = scores[first, second]
        same.append((values[alike], identity[rows.start + first[alike]]))
        highest.add(values[~alike], rows.start + first[~alike], rows.start + second[~alike])
    scores_of_same, person = map(np.concatenate, zip(*same, strict=True))
    values, first, second = highest.sorted()
    return AllPairs(scores_of_same, person, values, identity[first], identity[second], images)


def replicated(pairs: AllPairs, fprs: Sequence[float], replicates: int) -> Values:
    """Return TAR at each rate with people resampled, float64 [R, number of rates]; see `AllPairs.tar`."""
    draws = identity_draws(len(pairs.images), replicates)
    size = max(1, WEIGHTS_AT_A_TIME // max(len(pairs.highest), len(pairs.same)))
    parts = [np.column_stack([pairs.tar(rate, draws[part]) for rate in fprs]) for part in blocks(replicates, size)]
    return np.concatenate([np.empty((0, len(fprs))), *parts])


class _Highest:
    """Keep the highest ``count`` of values that come in parts, with their rows."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.parts: list[tuple[Values, IntArray, IntArray]] = []
        self.cut = -np.inf

    def add(self, values: Values, first: IntArray, second: IntArray) -> None:
        kept = values >= self.cut
        self.parts.append((values[kept], first[kept], second[kept]))
        if sum(len(part[0]) for part in self.parts) > 2 * self.count:
            self._trim()

    def _trim(self) -> None:
        values, first, second = map(np.concatenate, zip(*self.parts, strict=True))
        kept = np.argpartition(values, len(values) - self.count)[len(values) - self.count :]
        self.parts, self.cut = [(values[kept], first[kept], second[kept])], values[kept].min()

    def sorted(self) -> tuple[Values, IntArray, IntArray]:
        values, first, second = map(np.concatenate, zip(*self.parts, strict=True))
        order = np.argsort(-values, kind="stable")[: self.count]
        return values[order], first[order], second[order]
