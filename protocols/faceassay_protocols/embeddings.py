"""Own what becomes of raw embeddings before they are compared: flip sum, unit length, distance. Knows no protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, Features, IntArray
from faceassay_protocols.blockwise import blocks
from faceassay_protocols.wording import SHOWN, listed

ROWS_AT_A_TIME = 256
"""Rows in work at once: 1 MiB of float64 at 512 dimensions, which stays in a core's cache."""
PAIRS_AT_A_TIME = 256

_AGAIN = "a network that diverged, a blank image or a row never written can be why; mend it and embed them again"

Embeddings = NDArray[np.floating]
"""Raw embeddings, any float dtype, [N, d]."""

Precision = Literal["float64", "float32"]
"""What embeddings are computed in."""


def flip_sum(embeddings: Embeddings, flipped: Embeddings | None = None) -> NDArray[np.float64]:
    """Add the raw embeddings of the mirrored images, float64 [N, d], as insightface, AdaFace and CVLface do.

    Raises:
        DataError: when the shapes differ or are not [N, d].
    """
    require_matrix(embeddings, flipped)
    total = np.array(embeddings, dtype=np.float64)
    if flipped is not None:
        total += flipped
    return total


def combined(
    features: Features, *, flip: bool, images: int | None = None, names: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Return one raw embedding per image of a protocol, float64 [images, d], with the flip sum if ``flip``.

    Args:
        features: what the recognizer made of the images.
        flip: whether the mirrored images count.
        images: how many images the protocol has; as many as ``names`` when left out.
        names: names of the images; when given, every embedding is checked (see `require_usable`).

    Raises:
        DataError: when the features are not those of so many images, or one cannot be used (names the images).
    """
    wanted = len(names) if images is None and names is not None else images
    if len(features.embeddings) != wanted:
        raise DataError(
            f"{len(features.embeddings)} embeddings for the {wanted} images of the protocol: embed them again"
        )
    total = flip_sum(features.embeddings, mirrored(features) if flip else None)
    if names is not None:
        require_usable(total, names)
    return total


def mirrored(features: Features) -> Embeddings:
    """Return the embeddings of the mirrored images.

    Raises:
        DataError: when nobody computed them: leaving them out would be another metric under the same name.
    """
    if features.flipped is None:
        raise DataError(
            "the convention adds the embeddings of the mirrored images, which are not there: give them as 'flipped', "
            "or choose a convention without flip (facexzoo, for IJB tface too)"
        )
    return features.flipped


def require_matrix(embeddings: Embeddings, flipped: Embeddings | None) -> None:
    """Refuse embeddings that are not [N, d], or those of the mirrored images when they are not alike.

    Raises:
        DataError: when the shapes differ or are not [N, d].
    """
    if embeddings.ndim != 2:
        raise DataError(f"embeddings must be [N, d], not {embeddings.shape}")
    if flipped is not None and flipped.shape != embeddings.shape:
        raise DataError(f"embeddings are {embeddings.shape}, those of the mirrored images {flipped.shape}")


def require_usable(
    embeddings: Embeddings, names: Sequence[str] | None = None, *, name: str = "embeddings"
) -> NDArray[np.float64]:
    """Return the length of every row, float64 [N], once none is found to be NaN, infinite or zero.

    Reads some rows at a time, so they may be memory-mapped.

    Args:
        embeddings: rows [N, d].
        names: what the rows are called in an error, such as the images' names; their numbers when left out.
        name: which array it is, for the error.

    Raises:
        DataError: when a row holds NaN or infinity or has length zero (names the rows).
    """
    lengths = row_lengths(embeddings)
    refuse_unusable(lengths, names, name=name)
    return lengths


def row_lengths(rows: Embeddings) -> NDArray[np.float64]:
    """Return the length of every row, float64 [N]; NaN or infinite where the row is. Reads some rows at a time."""
    lengths = np.empty(len(rows))
    for part in blocks(len(rows), ROWS_AT_A_TIME):
        lengths[part] = np.linalg.norm(np.asarray(rows[part], dtype=np.float64), axis=1)
    return lengths


def refuse_unusable(
    lengths: NDArray[np.float64], names: Sequence[str] | None = None, *, name: str = "embeddings"
) -> None:
    """Refuse rows that cannot be scaled to length one, given their ``lengths``, float64 [N].

    See `require_usable` for ``names``, ``name`` and the errors.
    """
    broken, zero = ~np.isfinite(lengths), lengths == 0
    if broken.any():
        raise DataError(f"{name}: {_rows(broken, names)} hold NaN or infinity: {_AGAIN}")
    if zero.any():
        raise DataError(f"{name}: {_rows(zero, names)} have length zero and point nowhere: {_AGAIN}")


def unit_rows(
    embeddings: Embeddings, name: str = "embeddings", names: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Scale every row to length one, float64 [N, d]. See `require_usable` for ``name``, ``names`` and the errors."""
    lengths = require_usable(embeddings, names, name=name)
    unit: NDArray[np.float64] = np.asarray(embeddings, dtype=np.float64) / lengths[:, None]
    return unit


def squared_distances(unit: NDArray[np.float64], first: IntArray, second: IntArray) -> NDArray[np.float64]:
    """Return the squared L2 distance of rows ``first[k]`` and ``second[k]`` of ``unit``: float64 [N], 0 to 4."""
    distances = np.empty(len(first))
    for part in blocks(len(first), PAIRS_AT_A_TIME):
        distances[part] = np.square(unit[first[part]] - unit[second[part]]).sum(axis=1)
    return distances


def named(wrong: NDArray[np.bool_], names: Sequence[object] | NDArray[np.generic]) -> str:
    """List the names of the rows at which ``wrong``, bool [N], is True: the first ten, and how many there are of N."""
    rows = np.flatnonzero(wrong)
    shown = ", ".join(str(names[row]) for row in rows[:SHOWN])
    return f"{shown}{', ...' if len(rows) > SHOWN else ''} ({len(rows)} of {len(wrong)})"


def _rows(wrong: NDArray[np.bool_], names: Sequence[str] | None) -> str:
    return f"rows {listed(wrong)}" if names is None else f"images {named(wrong, names)}"
