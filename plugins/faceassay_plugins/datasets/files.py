"""Own a face dataset over image files: which file is which image, checked once, decoded when asked for.

How a folder is laid out is known to the dataset plugins, how bytes become pixels to ``images``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from faceassay import DataError, ImageBatch, IntArray
from faceassay.datasets import rows
from faceassay.fingerprints import file_digests, tree_fingerprint
from faceassay_plugins.datasets.images import Fit, check_image, decode

KEPT_BYTES = 64 * 2**20
"""A set whose decoded pixels take less stays in memory once used: training reads it thousands of times."""

_DECODING = 1  # raised when the same file decodes to other pixels


@dataclass(frozen=True, eq=False)
class FileDataset:
    """Serve image files below ``root`` as square RGB images (a ``FaceDataset``).

    Attributes:
        root: the folder that ``item_ids`` are relative to.
        item_ids: relative paths of the N files, with forward slashes.
        labels: identity index of each file, int64 [N].
        identities: names of the L identities.
        fingerprint: sha256 (hex) of names and contents of the files, and of how they are decoded.
        image_size: side of the decoded images in pixels.
        fit: how an image becomes square.
    """

    root: Path
    item_ids: tuple[str, ...]
    labels: IntArray
    identities: tuple[str, ...]
    fingerprint: str
    image_size: int
    fit: Fit

    def __len__(self) -> int:
        return len(self.item_ids)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, S, S, 3] RGB.

        Raises:
            IndexError: when an index is out of range.
            DataError: when a file has become unreadable since the set was opened.
        """
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        for pixels, row in zip(batch, wanted, strict=True):
            pixels[:] = self._image(int(row))
        return batch

    def encoded(self, i: int) -> bytes:
        """Return the stored file of image ``i``, unchanged."""
        row = int(rows(i, len(self))[0])
        return (self.root / self.item_ids[row]).read_bytes()

    @cached_property
    def _kept(self) -> dict[int, ImageBatch]:
        return {}

    def _image(self, row: int) -> ImageBatch:
        if row in self._kept:
            return self._kept[row]
        try:
            pixels = decode(self.encoded(row), self.image_size, self.fit)
        except (OSError, ValueError) as error:
            name = self.root / self.item_ids[row]
            raise DataError(f"{name}: {error}; it was a good image when the set was opened: restore it") from error
        if len(self) * pixels.nbytes < KEPT_BYTES:
            self._kept[row] = pixels
        return pixels


def open_files(root: Path, files: Mapping[str, Sequence[str]], image_size: int, fit: Fit) -> FileDataset:
    """Open image files as a dataset, each decoded once when it is new or has changed.

    Args:
        root: the folder of all files.
        files: identity -> its files relative to ``root``; identities and files in the order of the dataset.
        image_size: side of the decoded images in pixels.
        fit: how an image becomes square.

    Raises:
        DataError: naming all files that are missing, no image, damaged or truncated.
    """
    paths = tuple(path for group in files.values() for path in group)
    content = tree_fingerprint(file_digests(root, paths, check=check_image))
    document = json.dumps([content, list(files), image_size, fit, _DECODING])
    return FileDataset(
        root=root,
        item_ids=paths,
        labels=np.repeat(np.arange(len(files), dtype=np.int64), [len(group) for group in files.values()]),
        identities=tuple(files),
        fingerprint=hashlib.sha256(document.encode()).hexdigest(),
        image_size=image_size,
        fit=fit,
    )


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts s2 before s10; names that differ only in leading zeros keep a fixed order."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name
