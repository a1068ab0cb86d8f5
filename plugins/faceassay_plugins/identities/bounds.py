"""Own lower bounds on the largest cosine between N points on a sphere: what no anchors can be better than."""

from __future__ import annotations

import math


def cosine_bound(count: int, width: int) -> float:
    """Return a lower bound on the largest cosine between N unit vectors in d dimensions.

    Exact for N <= 2 d (simplex, cross-polytope; Rankin 1955) and d = 2; above, the larger of Levenshtein's third bound
    and the packing of spherical caps.

    Raises:
        ValueError: when there are fewer than 2 vectors or dimensions.
    """
    if count < 2 or width < 2:
        raise ValueError(f"a cosine is between at least 2 vectors of at least 2 dimensions (got {count} x {width})")
    if count <= width + 1:
        return -1 / (count - 1)
    if count <= 2 * width:
        return 0.0
    return max(_levenshtein(count, width), _caps(count, width))


def _levenshtein(count: int, width: int) -> float:
    """Return s with L_3(d, s) = d (1 - s) (2 + (d + 1) s) / (1 - d s^2) = N (Levenshtein 1992, degree 3).

    It is a bound for s up to (sqrt(d + 3) - 1) / (d + 2), where L_3 is d (d + 3) / 2; more vectors than that are not
    farther from each other. The equation is a quadratic: d (d + 1 - N) s^2 - d (d - 1) s + N - 2 d = 0.
    """
    most = width * (width + 3) / 2
    if count >= most:
        return (math.sqrt(width + 3) - 1) / (width + 2)
    a, b, c = width * (width + 1 - count), -width * (width - 1), count - 2 * width
    return 2 * c / (-b + math.sqrt(b * b - 4 * a * c))


def _caps(count: int, width: int) -> float:
    """Return cos(2 phi) for caps of angle phi that together cover the sphere: N I_{sin^2 phi}((d - 1) / 2, 1 / 2) = 2.

    Caps of half the smallest angle around each vector do not overlap (Rankin 1955).
    """
    from scipy.special import betaincinv

    return float(1 - 2 * betaincinv((width - 1) / 2, 0.5, 2 / count))
