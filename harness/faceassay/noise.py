"""Own the noise levels that a sampler visits. Needs no torch: the price of a sampling is computed from them."""

from __future__ import annotations

import math


def noise_levels(steps: int, sigma_min: float, sigma_max: float, rho: float) -> list[float]:
    """Return the ``steps`` + 1 noise levels of EDM (Karras et al. 2022, equation 5), the last one 0.

    Raises:
        ValueError: when there are fewer than two steps or the levels are not 0 < sigma_min < sigma_max.
    """
    if steps < 2:
        raise ValueError(f"the sampler needs at least 2 steps (got {steps})")
    if not 0 < sigma_min < sigma_max < math.inf or not 0 < rho < math.inf:
        raise ValueError(f"need 0 < sigma_min < sigma_max and finite rho > 0 (got {sigma_min}, {sigma_max}, {rho})")
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return [(high + i / (steps - 1) * (low - high)) ** rho for i in range(steps)] + [0.0]
