"""Own spreads and intervals as pure functions; every one names its population."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


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
