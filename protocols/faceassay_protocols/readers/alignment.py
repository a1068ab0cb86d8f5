"""Own the five-point alignment of ArcFace crops: template, similarity, warp. Finds no landmarks, reads no files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay_protocols.readers.decoding import Pixels

ALIGNMENT = "five-point similarity 1"
"""Raised when the same image and landmarks come out as other pixels."""
TEMPLATE_SIZE = 112
TEMPLATE: NDArray[np.float64] = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""(x, y) in pixels of left eye, right eye, nose tip, left and right mouth corner in a 112x112 crop (SphereFace's points
for 96x112, moved by 8 to the right; insightface aligns to them). Left is the viewer's."""
TEMPLATE.setflags(write=False)
FAR = 2**29
"""In 1/1024 pixels: farther from the image nothing changes, and the sum of two still fits int32."""


def similarity(points: ArrayLike, template: ArrayLike = TEMPLATE) -> NDArray[np.float64]:
    """Return the similarity transforms that move ``points`` nearest to ``template`` in least squares.

    That is the estimate of Umeyama (1991, doi:10.1109/34.88573): rotation, one scale and translation, no reflection. In
    two dimensions it is a regression on complex numbers, ``w = a z + b``.

    Args:
        points: float [..., K, 2], (x, y) of the points as they are.
        template: float [K, 2], where they belong.

    Returns:
        float64 [..., 2, 3], the matrices that turn (x, y, 1) into a place in the crop.

    Raises:
        ValueError: when no scale follows from the points, see `degenerate`.
    """
    if degenerate(points, template).any():
        raise ValueError("the landmarks are not finite, all in one place, or mirrored")
    return _similarity(points, template)


def degenerate(points: ArrayLike, template: ArrayLike = TEMPLATE) -> NDArray[np.bool_]:
    """Tell which sets of landmarks (float [..., K, 2]) no similarity moves to ``template``, bool [...].

    They are not finite, or all in one place, or so far from the shape of the template that the best scale is zero.
    """
    with np.errstate(all="ignore"):
        matrices = _similarity(points, template)
    scale = np.hypot(matrices[..., 0, 0], matrices[..., 1, 0])
    return ~(np.isfinite(matrices).all(axis=(-2, -1)) & (scale > 0))


def _similarity(points: ArrayLike, template: ArrayLike) -> NDArray[np.float64]:
    z, w = _complex(points), _complex(template)
    from_first = z - z[..., :1]  # exactly zero where all points are one, whatever the mean is rounded to
    around, w_around = from_first - from_first.mean(axis=-1, keepdims=True), w - w.mean()
    a = (np.conj(around) * w_around).sum(axis=-1) / (np.abs(around) ** 2).sum(axis=-1)
    b = w.mean() - a * z.mean(axis=-1)
    rows = [np.stack([a.real, -a.imag, b.real], axis=-1), np.stack([a.imag, a.real, b.imag], axis=-1)]
    return np.stack(rows, axis=-2)


def _complex(points: ArrayLike) -> NDArray[np.complex128]:
    x, y = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
    return np.asarray(x + 1j * y)


def aligned(pixels: Pixels, points: ArrayLike, image_size: int = TEMPLATE_SIZE) -> Pixels:
    """Return the crop in which ``points`` (float [5, 2], as in ``pixels``) lie nearest to the template.

    Args:
        pixels: uint8 [H, W, 3].
        points: (x, y) in the order of `TEMPLATE`.
        image_size: side S of the crop; the template is scaled from 112 to it.

    Returns:
        uint8 [S, S, 3], see `warped`.

    Raises:
        ValueError: when the landmarks are degenerate.
    """
    return warped(pixels, similarity(points, scaled_template(image_size)), image_size)


def scaled_template(image_size: int) -> NDArray[np.float64]:
    """Return the template for crops of ``image_size`` pixels, float64 [5, 2]."""
    return TEMPLATE * (image_size / TEMPLATE_SIZE)


def warped(pixels: Pixels, matrix: NDArray[np.float64], image_size: int) -> Pixels:
    """Return ``pixels`` (uint8 [H, W, 3]) moved by ``matrix`` (float64 [2, 3]) into a square crop, uint8 [S, S, 3].

    The crop is bilinear and black outside the image, bit for bit what ``cv2.warpAffine`` of OpenCV 4 gave, with which
    the field's numbers were made. It looks the image up at 1/32 pixels; OpenCV 5 no longer rounds, which moves 5 % of
    the values by up to 3 grey levels.
    """
    import cv2

    places = _source_places(matrix, image_size)
    whole, rest = (places >> 5).astype(np.int16), (places & 31).astype(np.uint16)
    rest = rest[:, :, 1] * np.uint16(32) + rest[:, :, 0]
    crop = cv2.remap(pixels, whole, rest, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(crop, dtype=np.uint8)


def _source_places(matrix: NDArray[np.float64], image_size: int) -> NDArray[np.int32]:
    """Return the (x, y) that each pixel of the crop comes from, in 1/32 pixels, int32 [S, S, 2].

    As OpenCV 4 rounds: the share of the column and that of the row each to 1/1024, their sum to the nearest 1/32.
    """
    import cv2

    steps, inverse = np.arange(image_size)[:, None], cv2.invertAffineTransform(matrix)
    shares = np.stack([inverse[:, 0] * steps, inverse[:, 1] * steps + inverse[:, 2]])
    by_column, by_row = np.rint(1024 * shares).clip(-FAR, FAR).astype(np.int32)
    places: NDArray[np.int32] = ((by_row + 16)[:, None] + by_column[None]) >> 5
    return places.clip(-(2**20), 2**20 - 1)
