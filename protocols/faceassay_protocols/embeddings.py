"""Own what becomes of raw embeddings before they are compared: flip sum, unit length, distance. Knows no protocol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, Features, IntArray
from faceassay_protocols.wording import listed

PAIRS_AT_A_TIME = 8192

Embeddings = NDArray[np.floating]
"""Raw embeddings, any float dtype, [N, d]."""


def flip_sum(embeddings: Embeddings, flipped: Embeddings | None = None) -> NDArray[np.float64]:
    """Add the raw embeddings of the mirrored images, float64 [N, d], as insightface, AdaFace and CVLface do.

    Raises:
        DataError: when the shapes differ or are not [N, d].
    """
    total = np.array(embeddings, dtype=np.float64)
    if total.ndim != 2:
        raise DataError(f"embeddings must be [N, d], not {total.shape}")
    if flipped is not None:
        if flipped.shape != total.shape:
            raise DataError(f"embeddings are {total.shape}, those of the mirrored images {flipped.shape}")
        total += flipped
    return total


def combined(features: Features, *, flip: bool, images: int) -> NDArray[np.float64]:
    """Return one raw embedding per image of a protocol, float64 [images, d], with the flip sum if ``flip``.

    Raises:
        DataError: when the features are not those of ``images`` images.
    """
    if len(features.embeddings) != images:
        raise DataError(
            f"{len(features.embeddings)} embeddings for the {images} images of the protocol: embed them again"
        )
    return flip_sum(features.embeddings, features.flipped if flip else None)


def unit_rows(embeddings: Embeddings, name: str = "embeddings") -> NDArray[np.float64]:
    """Scale every row to length one, float64 [N, d]. ``name`` says in an error which array the rows belong to.

    Raises:
        DataError: when a row holds NaN or infinity or has length zero (names the rows).
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1)
    if not np.isfinite(norms).all():
        raise DataError(f"{name}: rows {listed(~np.isfinite(norms))} hold NaN or infinity: did the training diverge?")
    if not norms.all():
        raise DataError(
            f"{name}: rows {listed(norms == 0)} have length zero: they point nowhere and cannot be compared"
        )
    unit: NDArray[np.float64] = rows / norms[:, None]
    return unit


def squared_distances(unit: NDArray[np.float64], first: IntArray, second: IntArray) -> NDArray[np.float64]:
    """Return the squared L2 distance of rows ``first[k]`` and ``second[k]`` of ``unit``: float64 [N], 0 to 4."""
    distances = np.empty(len(first))
    for start in range(0, len(first), PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        distances[part] = np.square(unit[first[part]] - unit[second[part]]).sum(axis=1)
    return distances
