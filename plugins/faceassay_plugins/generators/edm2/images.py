"""Own which images the generator trains on, which are held out, and how both are read. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

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
        read: returns the images at given indices, uint8 [B, H, W, 3]; may be called from several threads.
        resident: whether all of them stay in memory.

    Raises:
        DataError: when the dataset holds no images.
    """

    def __init__(self, data: FaceDataset, held_out: float, seed: int) -> None:
        if not len(data):
            raise DataError("there is nothing to train the generator on: the dataset holds no images")
        mask = held_out_mask(data.labels, held_out, seed)
        self.rows: IntArray = np.flatnonzero(~mask)
        self.held_out: IntArray = np.flatnonzero(mask)
        self.resident = len(data) * 3 * data.image_size**2 <= RESIDENT_BYTES
        self.read = _from_memory(data) if self.resident else data.images


class ReadAhead:
    """Read the images of the next step while this one computes."""

    def __init__(self, read: Callable[[IntArray], ImageBatch]) -> None:
        self.read = read
        self._thread = ThreadPoolExecutor(1)
        self._waiting: tuple[IntArray, Future[ImageBatch]] | None = None

    def take(self, rows: IntArray, then: IntArray) -> ImageBatch:
        """Return the images ``rows``, and start to read the images ``then``."""
        waiting = self._waiting
        known = waiting is not None and np.array_equal(waiting[0], rows)
        images = waiting[1].result() if waiting is not None and known else self.read(rows)
        self._waiting = then, self._thread.submit(self.read, then)
        return images


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


def _from_memory(data: FaceDataset) -> Callable[[IntArray], ImageBatch]:
    pixels = data.images(np.arange(len(data)))
    return lambda rows: pixels[rows]
