"""Own random directions and random orthonormal frames, in float64. Knows no code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


def random_directions(rng: np.random.Generator, count: int, width: int, across: Rows | None = None) -> Rows:
    """Return independent uniform unit vectors, float64 [count, width]; more of them begin with the same ones.

    Args:
        rng: where the randomness is from.
        count, width: how many, and of how many dimensions.
        across: unit vector [width] that all are to be orthogonal to.
    """
    drawn = rng.standard_normal((count, width))
    if across is not None:
        drawn -= np.outer(drawn @ across, across)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def random_frame(rng: np.random.Generator, width: int, vectors: int, across: Rows | None = None) -> Rows:
    """Return orthonormal columns, uniform over all such frames (Haar), float64 [width, vectors].

    The QR decomposition of a Gaussian matrix with the signs of R's diagonal made positive (Mezzadri 2007, section 5).

    Args:
        rng: where the randomness is from.
        width: dimensions.
        vectors: number of columns, at most ``width``, one less under ``across``.
        across: unit vector [width] that all are to be orthogonal to.
    """
    drawn = rng.standard_normal((width, vectors))
    if across is not None:
        drawn -= np.outer(across, across @ drawn)
    frame, triangle = np.linalg.qr(drawn)
    signed: Rows = frame * np.copysign(1.0, np.diagonal(triangle))
    return signed
