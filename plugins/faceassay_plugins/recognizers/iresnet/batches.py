"""Own how training images are read: kept in memory where they fit, else ahead of the step that needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from faceassay.contracts import FaceDataset, ImageBatch, IntArray

CACHED_BYTES = 256 * 2**20
"""Images that decode to at most this much are read once and kept."""


def reader(data: FaceDataset) -> Callable[[IntArray], ImageBatch]:
    """Return the function that returns images by their numbers."""
    if len(data) * data.image_size**2 * 3 > CACHED_BYTES:
        return data.images
    pixels = data.images(np.arange(len(data)))
    return lambda index: pixels[index]


def read_ahead(
    read: Callable[[IntArray], ImageBatch], order: Iterator[IntArray], threads: int
) -> Iterator[tuple[IntArray, ImageBatch]]:
    """Yield the images of each batch in order; meanwhile the next ``threads`` batches are read, each in a thread."""
    with ThreadPoolExecutor(threads) as pool:
        coming = deque((index, pool.submit(read, index)) for index in islice(order, threads))
        while coming:
            index, images = coming.popleft()
            coming.extend((after, pool.submit(read, after)) for after in islice(order, 1))
            yield index, images.result()
