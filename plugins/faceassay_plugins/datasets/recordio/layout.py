"""Own which records of a `.rec` file are images: all of them (im2rec), or those that insightface's header counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay import DataError, FloatArray, IntArray
from faceassay_plugins.datasets.archive import Archive, image_starts, refuse_named
from faceassay_plugins.datasets.recordio.index import REMEDY, Index
from faceassay_plugins.datasets.recordio.records import labels_of, payload_of

EXACT = 2**24
"""Labels are float32: from here on they no longer tell neighbouring integers apart."""


@dataclass(frozen=True, eq=False)
class ImageRecords:
    """Describe the N image records in the order of their keys.

    Attributes:
        keys, offsets, sizes: as in `Index`, int64 [N].
        labels: float32 [N].
        displaced: records whose id is the key of another, where their ids are their keys in another order; int64 [].
    """

    keys: IntArray
    offsets: IntArray
    sizes: IntArray
    labels: FloatArray
    displaced: IntArray


def image_records(rec: Archive, index: Index) -> ImageRecords:
    """Return the records that are images.

    Raises:
        DataError: when one of them is empty or no image, or the header does not count what is there.
    """
    chosen = _counted_by_header(rec, index) if _has_header(index) else slice(None)
    keys, images, starts = index.keys[chosen], index.images[chosen], index.starts[chosen]
    if not len(keys):
        raise DataError(f"{rec.path}: the set holds no images")
    bad = np.flatnonzero((images == 0) | ~image_starts(starts))
    names = [f"key {keys[row]} ({'zero bytes' if images[row] == 0 else 'no image format'})" for row in bad]
    remedy = "Write the set again without them: training would read them"
    refuse_named(rec.path, "records that hold no JPEG, PNG, PNM, BMP or WebP image", names, remedy)
    displaced = _displaced(keys, index.ids[chosen])
    return ImageRecords(keys, index.offsets[chosen], index.sizes[chosen], index.labels[chosen], displaced)


def _displaced(keys: IntArray, ids: NDArray[np.uint64]) -> IntArray:
    are_keys = np.array_equal(np.sort(ids), keys.astype(np.uint64))
    return np.array((ids != keys.astype(np.uint64)).sum() if are_keys else 0, dtype=np.int64)


def _has_header(index: Index) -> bool:
    """Tell whether key 0 is insightface's header: labels, and no image (an image may have several labels too)."""
    return bool(index.keys[0] == 0 and index.labelled[0] > 0 and index.images[0] == 0)


def _counted_by_header(rec: Archive, index: Index) -> slice:
    """Return the place of the images: after them come the identities, records of two labels and no image.

    The header says the first key of an identity and the first key beyond. Both are float32, so beyond 2^24 they are
    compared as such, and the records themselves tell where the images end.
    """
    labels = labels_of(payload_of(rec.read(int(index.offsets[0]), int(index.sizes[0]))))
    first, beyond = (*labels, 0.0)[:2]
    total = len(index.keys)
    stop = int(first) if 0 < first < EXACT else 1 + int((index.images > 0).sum())
    whole = np.float32(beyond) == np.float32(total) and np.float32(first) == np.float32(stop) and 0 < stop <= total
    if not whole or (index.keys != np.arange(total)).any() or (index.images[stop:] > 0).any():
        raise DataError(
            f"{rec.path}: its header (key 0) counts images up to key {first - 1:,.0f} and identities up to key "
            f"{beyond - 1:,.0f}, its index has {total:,} keys from {index.keys[0]} to {index.keys[-1]} and "
            f"{int((index.images > 0).sum()):,} images. {REMEDY}"
        )
    return slice(1, stop)
