"""Gaussian images and recognizers of known agreement: ID3's tilted density has a closed form at every noise level.

Everything ending in ``_by_hand`` is NumPy in float64 and shares no code with what it checks.
"""

from __future__ import annotations

import numpy as np
import torch

SIDE = 2
PIXELS = 3 * SIDE * SIDE
RNG = np.random.default_rng(5)
MEAN = RNG.normal(0, 0.4, PIXELS)
VARIANCE = RNG.uniform(0.05, 0.6, PIXELS)
OTHER_MEAN = RNG.normal(0, 0.4, PIXELS)
OTHER_VARIANCE = RNG.uniform(0.4, 1.0, PIXELS)
MATRIX = RNG.normal(0, 1, (5, PIXELS))
WANTED = RNG.normal(0, 1, 5)
WANTED /= np.linalg.norm(WANTED)
ALONG = RNG.normal(0, 0.02, PIXELS)


def images(count, spread=1.0, seed=0):
    """Return noisy images as float64 [count, PIXELS]."""
    return np.random.default_rng(seed).normal(0, spread, (count, PIXELS))


def tensor(rows):
    return torch.from_numpy(np.asarray(rows)).reshape(-1, 3, SIDE, SIDE)


def rows_of(x):
    return x.detach().reshape(len(x), -1).numpy()


def gaussian(mean=MEAN, variance=VARIANCE):
    """Return the exact denoiser of N(mean, diag variance)."""
    centre, spread = (torch.from_numpy(np.asarray(value)).reshape(-1, 3, SIDE, SIDE) for value in (mean, variance))

    def denoise(x, sigma):
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (spread * x + noise * centre) / (spread + noise)

    return denoise


def denoised_by_hand(x, sigma, mean=MEAN, variance=VARIANCE):
    return mean + variance / (variance + sigma**2) * (x - mean)


def log_density_by_hand(x, sigma, mean=MEAN, variance=VARIANCE):
    """Return log N(x; mean, diag(variance + sigma^2)), constants left out."""
    return -((x - mean) ** 2 / (2 * (variance + sigma**2))).sum()


def linear_features(x):
    """Be a recognizer f(x) = A x; its cosine with y is not linear."""
    return x.flatten(1) @ torch.from_numpy(MATRIX).T


def cosine_by_hand(x, wanted=WANTED):
    embedding = MATRIX @ x
    return embedding @ wanted / np.sqrt((embedding**2).sum())


def on_the_circle(x):
    """Be a recognizer whose cosine with (1, 0) is a.x exactly: f(x) = (a.x, sqrt(1 - (a.x)^2))."""
    along = x.flatten(1) @ torch.from_numpy(ALONG).to(x.dtype)
    return torch.stack([along, (1 - along**2).sqrt()], 1)


def slope_by_hand(function, x, step=1e-3):
    """Return the gradient of ``function`` at ``x`` by differences of fourth order."""
    slope = np.empty_like(x)
    for k, unit in enumerate(np.eye(len(x)) * step):
        near = function(x + unit) - function(x - unit)
        far = function(x + 2 * unit) - function(x - 2 * unit)
        slope[k] = (8 * near - far) / (12 * step)
    return slope
