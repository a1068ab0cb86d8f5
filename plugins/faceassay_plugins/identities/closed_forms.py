"""Own the optimal codes on the sphere that are known in closed form. Turns none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Code = NDArray[np.float64]
"""Unit vectors [N, r] in coordinates of their own, to be turned into a space of r or more dimensions."""


def closed_form(count: int, width: int) -> Code | None:
    """Return an optimal code of ``count`` points on S^{width-1}, None where none is known in closed form.

    Args:
        count: number of points N, at least 2.
        width: dimensions d, at least 2.

    Returns:
        float64 [N, r] with r <= d: the simplex for N <= d + 1, the cross-polytope for d + 1 < N <= 2 d (Rankin 1955),
        the regular polygon for d = 2.
    """
    if count <= width + 1:
        return simplex(count)
    if count <= 2 * width:
        return cross_polytope(count, width)
    return polygon(count) if width == 2 else None


def simplex(count: int) -> Code:
    """Return N >= 2 points in N - 1 dimensions with all cosines -1 / (N - 1), float64 [N, N - 1].

    The columns are those of Helmert's matrix: orthonormal, and orthogonal to the vector of ones.
    """
    k = np.arange(1, count)
    helmert = np.where(np.arange(count)[:, None] < k, 1.0, 0.0)
    helmert[k, k - 1] = -k
    helmert /= np.sqrt(k * (k + 1))
    points: Code = helmert * np.sqrt(count / (count - 1))
    return points


def cross_polytope(count: int, width: int) -> Code:
    """Return d < N <= 2 d points on the d axes with cosines 0 and -1, float64 [N, d].

    Every axis is used: the first N - d of them in both directions, the others in one. There are as many antipodal
    pairs as N points need and no more.
    """
    axes = np.eye(width)
    return np.concatenate([axes, -axes[: count - width]])


def polygon(count: int) -> Code:
    """Return the regular polygon, float64 [N, 2]; the largest cosine is cos(2 pi / N)."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)
