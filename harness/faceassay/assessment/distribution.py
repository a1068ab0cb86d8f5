"""Own how far the distribution of an attribute in one set is from that in another, resampled by identities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceassay import seeds
from faceassay.assessment.resampling import drawn_identities
from faceassay.contracts import FloatArray, IntArray

Numbers = NDArray[np.float64]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Sample(NamedTuple):
    """Hold the known values of one attribute, float [N], with the identity of each, int64 [N]; L identities."""

    values: Numbers
    labels: IntArray
    classes: int

    @classmethod
    def known(cls, values: FloatArray, labels: IntArray, classes: int) -> Sample:
        """Leave out the unknown values (NaN)."""
        known = np.isfinite(values)
        return cls(values[known].astype(np.float64), labels[known], classes)

    def quantiles(self) -> list[float]:
        """Return the quantiles of ``QUANTILES``, NaN where nothing is known."""
        if not len(self.values):
            return [float("nan")] * len(QUANTILES)
        return [float(value) for value in np.quantile(self.values, QUANTILES)]

    def deviation(self) -> float:
        """Return the sample standard deviation over images, NaN for fewer than two."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")


class Distance(NamedTuple):
    """Hold a Wasserstein-1 distance in the attribute's unit, and its bootstrap replicates, float64 [R]."""

    value: float
    replicates: Numbers


def wasserstein(first: Sample, second: Sample) -> Distance:
    """Return the area between the two cumulative distributions, identities of each set resampled on their own.

    Replicates are NaN where a draw holds no known value, all of them where a set has one identity: drawing it again
    tells nothing of others. Both samples hold at least one value.
    """
    values = np.concatenate([first.values, second.values])
    order = np.argsort(values, kind="stable")
    gaps, of_first = np.diff(values[order]), order < len(first.values)
    labels = np.concatenate([first.labels, second.labels])[order]

    def area(weights: Numbers, other_weights: Numbers) -> float:
        with np.errstate(invalid="ignore"):
            one = np.cumsum(np.where(of_first, weights[labels * of_first], 0.0))
            other = np.cumsum(np.where(of_first, 0.0, other_weights[labels * ~of_first]))
            return float((np.abs(one / one[-1] - other / other[-1])[:-1] * gaps).sum())

    draws = zip(drawn_identities(first.classes, 0), drawn_identities(second.classes, 1), strict=True)
    replicates = np.array([area(_times(one, first.classes), _times(other, second.classes)) for one, other in draws])
    if min(len(np.unique(first.labels)), len(np.unique(second.labels))) < 2:
        replicates[:] = np.nan
    return Distance(area(np.ones(first.classes), np.ones(second.classes)), replicates)


def halves(sample: Sample) -> float:
    """Return the distance between two random halves of the identities, NaN where one of them holds no value."""
    drawn = seeds.generator(seeds.derive(0, "halves", {"count": sample.classes})).permutation(sample.classes)
    is_first = np.isin(sample.labels, drawn[: sample.classes // 2])
    if is_first.all() or not is_first.any():
        return float("nan")
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(sample.values[is_first], sample.values[~is_first]))


def _times(drawn: IntArray, count: int) -> Numbers:
    """Return how often each identity is drawn, float64 [count]."""
    return np.bincount(drawn, minlength=count).astype(np.float64)
