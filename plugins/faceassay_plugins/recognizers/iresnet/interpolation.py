"""Own the matrices that resize a row of pixels as OpenCV does. Knows no images, no randomness, no torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray

METHODS = ("nearest", "linear", "area", "cubic", "lanczos")
"""OpenCV's INTER_NEAREST, INTER_LINEAR, INTER_AREA, INTER_CUBIC and INTER_LANCZOS4."""

Doubles = NDArray[np.float64]


@lru_cache(maxsize=1024)
def resize_matrix(source: int, target: int, method: str) -> FloatArray:
    """Return the matrix that resizes ``source`` pixels to ``target``: float32 [target, source], rows sum to 1.

    A square image x is resized by R x R^T. As in OpenCV, linear, cubic and Lanczos interpolation do not blur before
    they shrink, pixels beyond the border repeat the border, and ``area`` weighs pixels by their exact overlap. OpenCV
    5.0 agrees to 1e-5, but for a few sizes (36 of 112, for one) where its rounding puts ``nearest`` or ``area`` a whole
    pixel aside in some rows; that is not imitated. The result is shared between calls and cannot be written to.

    Raises:
        KeyError: when ``method`` is not one of METHODS.
    """
    matrix = _BUILDERS[method](source, target).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def _nearest(source: int, target: int) -> Doubles:
    return np.eye(source)[np.arange(target) * source // target]


def _area(source: int, target: int) -> Doubles:
    start = np.arange(target)[:, None] * source / target
    end = np.arange(1, target + 1)[:, None] * source / target
    pixel = np.arange(source)
    return (np.minimum(end, pixel + 1) - np.maximum(start, pixel)).clip(0) * target / source


def _sampled(kernel: Callable[[Doubles], Doubles], radius: int) -> Callable[[int, int], Doubles]:
    """Return the builder that weighs the 2 x ``radius`` nearest pixels by ``kernel`` of their distance."""

    def build(source: int, target: int) -> Doubles:
        rows = np.arange(target)[:, None]
        centre = (rows + 0.5) * source / target - 0.5
        taps = np.floor(centre).astype(np.int64) + np.arange(1 - radius, radius + 1)
        weights = kernel(np.abs(centre - taps))
        matrix = np.zeros((target, source))
        np.add.at(matrix, (rows, taps.clip(0, source - 1)), weights / weights.sum(axis=1, keepdims=True))
        return matrix

    return build


def _triangle(distance: Doubles) -> Doubles:
    return (1 - distance).clip(0)


def _cubic(distance: Doubles) -> Doubles:
    """Weigh by the cubic convolution kernel with a = -0.75 (Keys 1981; the constant of OpenCV)."""
    a, t = -0.75, distance
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _lanczos(distance: Doubles) -> Doubles:
    return np.where(distance < 4, np.sinc(distance) * np.sinc(distance / 4), 0.0)


_BUILDERS: dict[str, Callable[[int, int], Doubles]] = {
    "nearest": _nearest,
    "linear": _sampled(_triangle, 1),
    "area": _area,
    "cubic": _sampled(_cubic, 2),
    "lanczos": _sampled(_lanczos, 4),
}
