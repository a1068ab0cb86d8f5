"""Own spreads and intervals as pure functions; every one names its population."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Summary:
    """Hold the mean of a sample with its spread.

    Attributes:
        mean: arithmetic mean.
        sd: sample standard deviation (n - 1), None for n < 2.
        n: size of the sample.
    """

    mean: float
    sd: float | None
    n: int


def summarise(values: Sequence[float]) -> Summary:
    """Return mean and sample standard deviation of ``values``.

    Raises:
        ValueError: when there is no value or one is not finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"need at least one finite value (got {list(values)})")
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Summary(mean, None, len(values))
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Summary(mean, math.sqrt(squares / (len(values) - 1)), len(values))


@dataclass(frozen=True)
class Resampled:
    """Hold the percentile limits of a resampled number, which ``used`` of the ``drawn`` replicates define."""

    low: float
    high: float
    used: int
    drawn: int


def resampled_mean(replicates: Sequence[NDArray[np.float64]], level: float = 0.95) -> Resampled | None:
    """Return the percentile limits of the mean of several numbers that were resampled by the same draws.

    Entry r of each is its value in draw r, so the mean is resampled as one number: the limits cover what was drawn
    (people, pairs), not what tells the numbers apart (seeds). Draws in which one is undefined (NaN) are left out.

    Args:
        replicates: of each number, float64 [R].
        level: coverage aimed at, 0 to 1.

    Returns:
        The limits; None where no draw defines all numbers, or they were not drawn equally often.

    Raises:
        ValueError: when the level is not between 0 and 1.
    """
    import numpy as np

    tail = _tail(level)
    if len({len(of_one) for of_one in replicates}) != 1:
        return None
    means = np.mean(replicates, axis=0)
    defined = means[np.isfinite(means)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [tail, (1 + level) / 2])
    return Resampled(float(low), float(high), len(defined), len(means))


def mean_replicates(groups: Sequence[Sequence[NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return replicates of the mean of all numbers of several groups, float64 [R], R the fewest that a number has.

    Within a group, entry r of each number comes from draw r. Groups were drawn apart; so that draws which happen to be
    alike in two of them do not count as one draw of both, group g begins at its entry g.

    Args:
        groups: of each group, the replicates of its numbers, float64 [R] each; at least one number in all.
    """
    import numpy as np

    shifted = [np.roll(of_one, -number) for number, group in enumerate(groups) for of_one in group]
    fewest = min(map(len, shifted))
    mean: NDArray[np.float64] = np.mean([of_one[:fewest] for of_one in shifted], axis=0)
    return mean


def wilson_interval(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson 1927); by default at 95 %.

    Raises:
        ValueError: when there are no trials or the counts contradict one another.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials")
    share, z2 = successes / trials, z * z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact limits on the mean of a Poisson count (Garwood 1936): 8 gives 3.45 to 15.76.

    Raises:
        ValueError: when the count is negative or the level is not between 0 and 1.
    """
    from scipy.special import gammaincinv

    if count < 0:
        raise ValueError(f"a count of {count}")
    tail = _tail(level)
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))


def binomial_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact limits on a proportion (Clopper and Pearson 1934), 0 to 1.

    Raises:
        ValueError: when there are no trials, the counts contradict one another, or the level is not between 0 and 1.
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials")
    tail, failures = _tail(level), trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    return low, float(betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level of {level}: give the coverage aimed at, between 0 and 1")
    return (1 - level) / 2
