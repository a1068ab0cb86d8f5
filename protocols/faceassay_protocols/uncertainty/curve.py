"""Own the metrics of a ROC curve on weighted pairs: TAR at an FPR, and the area. Unweighted: see `roc`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import IntArray
from faceassay_protocols.roc import Rule
from faceassay_protocols.uncertainty.weights import PairScores, Ranked, Values, Weights

HEADROOM = 1.5
"""Share of the different pairs that is looked at, in targets: resampled people move the target among them."""

LEAST = 1000
"""Different pairs that are looked at besides."""


@dataclass(frozen=True)
class AucMetric:
    """Measure the area under the ROC curve: the chance that a same pair scores above a different one, ties half."""

    def on(self, scores: PairScores) -> Callable[[Weights], Values]:
        """Return the measure of ``scores``; reads every pair in each replicate."""
        same, different = scores.same, scores.different
        below = np.searchsorted(different.values, same.values, side="left")
        not_above = np.searchsorted(different.values, same.values, side="right")

        def measure(weights: Weights) -> Values:
            passed, accepted = weights.running(different), weights.of(same.pairs)
            doubled = (accepted * (passed[:, below] + passed[:, not_above])).sum(axis=1)
            return share(doubled, 2 * accepted.sum(axis=1) * passed[:, -1])

        return measure


@dataclass(frozen=True)
class TarMetric:
    """Measure the true accept rate at a target false positive rate.

    Rule ``nearest`` is read as ``nearest_exact``, on the full curve: which points scikit-learn would leave out of a
    weighted curve is nowhere defined, and the replicates are there to show a spread.

    Attributes:
        fpr: the target, above 0 and up to 1.
        rule: which point of the curve stands for it, see `roc.tar_at_fpr`.

    Raises:
        ValueError: when the rule is unknown or the target is outside (0, 1].
    """

    fpr: float
    rule: Rule = "nearest"

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"unknown rule {self.rule!r}: use one of {', '.join(get_args(Rule))}")
        if not 0 < self.fpr <= 1:
            raise ValueError(f"target FPR must be above 0 and at most 1 (got {self.fpr})")

    def on(self, scores: PairScores) -> Callable[[Weights], Values]:
        """Return the measure of ``scores``; reads the same pairs and only the highest of the different ones."""
        same = scores.same
        usual = _Highest(scores.different, math.ceil(HEADROOM * self.fpr * len(scores.different.pairs)) + LEAST)

        def measure(weights: Weights) -> Values:
            rejected, whole = weights.running(same), weights.different > 0
            at = np.searchsorted(same.values, self._threshold(usual, weights), side="right")
            accepted = rejected[:, -1] - rejected[np.arange(len(at)), at]
            return np.where(whole, share(accepted, rejected[:, -1]), np.nan)

        return measure

    def _threshold(self, highest: _Highest, weights: Weights) -> Values:
        """Return the score above which pairs are accepted, float64 [B], after looking as far down as it takes."""
        accepted = weights.running(highest.falling)[:, highest.ends]
        fpr = accepted / np.maximum(weights.different, 1)[:, None]
        point = self._last_point(fpr)
        if highest.is_all or (point < len(highest.ends) - 1).all():
            return highest.next_score[point]
        return self._threshold(_Highest(highest.different, 2 * highest.size), weights)

    def _last_point(self, fpr: Values) -> NDArray[np.intp]:
        """Return the point of each row of ``fpr``, rising, that the rule takes: of equal ones the last."""
        if self.rule == "at_most":
            return np.asarray(np.count_nonzero(fpr <= self.fpr, axis=1) - 1)
        return np.asarray(fpr.shape[1] - 1 - np.argmin(np.abs(fpr - self.fpr)[:, ::-1], axis=1))


@dataclass(frozen=True, eq=False)
class _Highest:
    """Show the highest-scoring ``size`` of the different pairs and all that tie with them."""

    different: Ranked
    size: int

    @property
    def is_all(self) -> bool:
        return self.size >= len(self.different.pairs)

    @cached_property
    def falling(self) -> Ranked:
        values = self.different.values
        start = 0 if self.is_all else np.searchsorted(values, values[-self.size], side="left")
        return Ranked(self.different.pairs[start:][::-1], values[start:][::-1])

    @cached_property
    def ends(self) -> IntArray:
        """How many pairs are accepted with none accepted and at each distinct score downwards, int64 [m + 1]."""
        return np.append(0, np.flatnonzero(np.diff(self.falling.values, append=-np.inf)) + 1)

    @cached_property
    def next_score(self) -> Values:
        """The highest score that is not accepted at each of ``ends``; minus infinity at the last."""
        return np.append(self.falling.values[self.ends[:-1]], -np.inf)


def share(part: IntArray, whole: IntArray) -> Values:
    """Return ``part / whole`` (both [...]), NaN where the whole is 0."""
    shares: Values = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares
