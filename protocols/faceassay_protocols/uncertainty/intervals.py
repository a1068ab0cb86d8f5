"""Own intervals: percentiles of replicates, exact limits on few counts, and what a reader must know. Draws nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import DataError, Interval
from faceassay.statistics import binomial_interval, poisson_interval
from faceassay_protocols.roc import OperatingPoint, Rule, operating_points
from faceassay_protocols.scores import labelled
from faceassay_protocols.uncertainty.weights import Values
from faceassay_protocols.wording import scientific

FEW = 100
"""False accepts below which their own chance is worth an interval: at 100 it is still 20 % either way."""


def percentile_intervals(replicates: Values, population: str, level: float = 0.95) -> list[Interval]:
    """Return the percentile bootstrap interval of each metric from ``replicates``, float64 [R, M].

    Replicates in which a metric is undefined (NaN) are left out, and ``method`` says how many were used.

    Args:
        replicates: metrics of R resampled packs.
        population: what was resampled: ``identities``, ``subjects``, ``pairs``.
        level: coverage aimed at, 0 to 1.

    Raises:
        DataError: when a metric is defined in no replicate.
    """
    return [_percentiles(column, population, level) for column in replicates.T]


def extreme_intervals(
    scores: ArrayLike, is_same: ArrayLike, fprs: Sequence[float], rule: Rule, level: float = 0.95
) -> dict[float, list[Interval]]:
    """Return exact intervals of TAR at each target FPR, for rates that rest on few pairs.

    ``false accepts``, where there are fewer than 100: with k accepted impostors of N, the threshold is known no better
    than the Poisson limits of k. Both ends are read outwards: low where at most the lower limit is accepted, high
    where at least the upper limit is, as far down as it goes without a further impostor. ``genuine pairs``: binomial
    limits on the accepted same pairs with the threshold held fixed. Both take the pairs as independent; pairs that
    share people vary more.

    Args:
        scores: similarities [N].
        is_same: bool [N].
        fprs: targets, above 0 and up to 1.
        rule: which point of the curve stands for a target, see `roc.tar_at_fpr`.
        level: coverage aimed at, 0 to 1.

    Raises:
        DataError: when one class is missing, lengths differ, or a score is not finite.
        ValueError: when the rule is unknown or a target is outside (0, 1].
    """
    values, same = labelled(scores, is_same)
    genuine, impostors = np.sort(values[same]), np.sort(values[~same])
    intervals = {}
    for target, point in zip(fprs, operating_points(scores, is_same, fprs, rule=rule), strict=True):
        few = [_false_accepts(point, genuine, impostors, level)] if point.false_accepts < FEW else []
        intervals[target] = [*few, _genuine_pairs(point, level)]
    return intervals


def resolution_caution(fpr: float, impostors: int) -> str | None:
    """Say what a TAR at ``fpr`` rests on where fewer than 1 / ``fpr`` different pairs were scored; else None."""
    if fpr * impostors >= 1:
        return None
    finest = scientific(float(f"{1 / impostors:.1e}"))
    return (
        f"{scientific(fpr)} is below the resolution of {impostors:,} impostor pairs ({finest}): "
        "it is read where no impostor or one is accepted, and another pack of this size may read it elsewhere"
    )


def _percentiles(values: Values, population: str, level: float) -> Interval:
    defined = values[np.isfinite(values)]
    if not len(defined):
        raise DataError(f"a metric is defined in none of {len(values)} replicates: too few {population} to resample")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    count = f"{len(values)}" if len(defined) == len(values) else f"{len(defined)} of {len(values)}"
    return Interval(float(low), float(high), population, f"percentile bootstrap, {count} replicates", level)


def _false_accepts(point: OperatingPoint, genuine: Values, impostors: Values, level: float) -> Interval:
    fewest, most = poisson_interval(point.false_accepts, level)
    low, high = (_accepted(genuine, limit) for limit in _thresholds(impostors, math.floor(fewest), math.ceil(most)))
    method = f"exact Poisson, {point.false_accepts} false accepts: {fewest:.1f} to {most:.1f}"
    return Interval(low, high, "false accepts", method, level)


def _thresholds(impostors: Values, fewest: int, most: int) -> tuple[float, float]:
    """Return the scores above which at most ``fewest`` and at least ``most`` of ``impostors``, rising, are accepted.

    The second is that of the next impostor, so that no same pair above it is left out; without one, minus infinity.
    """
    at_most = impostors[-1 - fewest] if fewest < len(impostors) else -np.inf
    kept = np.searchsorted(impostors, impostors[-min(most, len(impostors))], side="left")
    return float(at_most), float(impostors[kept - 1]) if kept else -np.inf


def _accepted(genuine: NDArray[np.float64], threshold: float) -> float:
    return (len(genuine) - int(np.searchsorted(genuine, threshold, side="right"))) / len(genuine)


def _genuine_pairs(point: OperatingPoint, level: float) -> Interval:
    low, high = binomial_interval(point.true_accepts, point.genuine, level)
    return Interval(low, high, "genuine pairs", "exact binomial (Clopper-Pearson), threshold held fixed", level)
