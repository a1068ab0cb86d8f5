"""Own the noise schedule of ID3's diffusion. Needs no torch: passes are priced from it."""

from __future__ import annotations

import math

import numpy as np

FIRST, LAST = 1e-4, 0.02
"""1 - alpha_t at t = 1 and t = T: those of the nearest public code (IDiff-Face, UIFace), the paper prints none."""


def alpha_bars(steps: int) -> list[float]:
    """Return abar_t of the linear schedule, t = 1 to T = ``steps``, falling from nearly 1 towards 0."""
    return [float(abar) for abar in np.cumprod(1 - np.linspace(FIRST, LAST, steps))]


def noise_level(abar: float) -> float:
    """Return sigma_t = sqrt((1 - abar_t) / abar_t), the noise level of x_t / sqrt(abar_t) in EDM's terms."""
    return math.sqrt((1 - abar) / abar)
