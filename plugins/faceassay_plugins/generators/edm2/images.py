"""Own which images the generator trains on, which are held out, and how both are read. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceassay import DataError, FaceDataset, ImageBatch, IntArray, seeds

RESIDENT_BYTES = 1 << 29
"""Image sets up to this size stay in memory."""


class TrainingImages:
    """Split a dataset into images to train on and images held out.

    Attributes:
        rows: the images to train on, indices into the dataset, int64 [N].
        held_out: the other images, int64 [M].
        read: returns the images at given indices, uint8 [B, H, W, 3].

    Raises:
        DataError: when the dataset holds no images.
    """

    def __init__(self, data: FaceDataset, held_out: float, seed: int) -> None:
        if not len(data):
            raise DataError("edm2 has nothing to train on: the dataset holds no images")
        mask = held_out_mask(data.labels, held_out, seed)
        self.rows: IntArray = np.flatnonzero(~mask)
        self.held_out: IntArray = np.flatnonzero(mask)
        self.read = _reader(data)


def held_out_mask(labels: IntArray, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose the images of each identity that training must not see.

    Args:
        labels: identity of each image, int64 [N].
        fraction: share of each identity's images, 0 to below 1. Above 0 every identity with at least two images
            gives at least one; every identity keeps at least one.
        seed: decides which.

    Returns:
        bool [N], True for a held-out image.
    """
    mask = np.zeros(len(labels), dtype=np.bool_)
    if fraction == 0:
        return mask
    by_identity = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.diff(labels[by_identity], prepend=-1))
    for rows in np.split(by_identity, first[1:]):
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        mask[seeds.generator(seed, int(labels[rows[0]])).permutation(rows)[:count]] = True
    return mask


def evenly_chosen(rows: IntArray, most: int) -> IntArray:
    """Return ``rows``, or ``most`` of them at even distances."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


def _reader(data: FaceDataset) -> Callable[[IntArray], ImageBatch]:
    if len(data) * 3 * data.image_size**2 > RESIDENT_BYTES:
        return data.images
    pixels = data.images(np.arange(len(data)))
    return lambda rows: pixels[rows]
