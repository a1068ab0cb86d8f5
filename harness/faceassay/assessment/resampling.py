"""Own the bootstrap over identities: means of what is known of each, and differences paired by identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay import seeds
from faceassay.contracts import Interval
from faceassay.statistics import resampled_mean, wilson_interval

Numbers = NDArray[np.float64]
REPLICATES = 1000
METHOD = f"percentile bootstrap, {REPLICATES} replicates"


@dataclass(frozen=True)
class Estimate:
    """Hold a number with its interval.

    Attributes:
        value: NaN where nothing defines it.
        interval: None where there is none.
        n: members of the population that it is of.
    """

    value: float
    interval: Interval | None
    n: int


def drawn_identities(count: int, stream: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield which of ``count`` identities each replicate holds, int64 [count], with repetitions.

    They depend on these numbers alone, so that sets of the same identities are resampled alike.
    """
    generator = seeds.generator(seeds.derive(0, "identities", {"count": count}), stream)
    for _ in range(REPLICATES):
        yield generator.integers(0, count, count)


def class_mean(values: Numbers, population: str = "identities", fewest: int = 2) -> Estimate:
    """Return the mean over identities of one number of each, float64 [L]; undefined ones (NaN) are left out.

    Fewer than ``fewest`` identities have no interval. Of two that are nearest to each other both have the same number:
    where that is what is measured, two tell no more than one.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return Estimate(float("nan"), None, 0)
    interval = _limits(known, np.ones(len(known)), population) if len(known) >= fewest else None
    return Estimate(float(known.mean()), interval, len(known))


def image_mean(values: NDArray[np.floating], labels: NDArray[np.int64], classes: int) -> Estimate:
    """Return the mean over images of one number of each, float [N], with an interval over their identities."""
    known = np.isfinite(values)
    if not known.any():
        return Estimate(float("nan"), None, 0)
    sums = np.asarray(np.bincount(labels[known], values[known].astype(np.float64), classes), np.float64)
    counts: Numbers = np.bincount(labels[known], minlength=classes).astype(np.float64)
    present = counts > 0
    interval = _limits(sums[present], counts[present], "identities")
    return Estimate(float(sums.sum() / counts.sum()), interval, int(counts.sum()))


def share(count: int, of: int) -> Estimate:
    """Return a proportion of images with its Wilson interval."""
    if not of:
        return Estimate(float("nan"), None, 0)
    return Estimate(count / of, Interval(*wilson_interval(count, of), "images", "Wilson"), of)


def _limits(sums: Numbers, weights: Numbers, population: str) -> Interval | None:
    """Return the limits of sum / weight where identities are drawn, None for a single identity."""
    if len(sums) < 2:
        return None
    means = [sums[drawn].sum() / weights[drawn].sum() for drawn in drawn_identities(len(sums))]
    found = resampled_mean([np.array(means)])
    return Interval(found.low, found.high, population, METHOD) if found else None
