"""Own a face dataset over stored image files, wherever they lie: one contract for folders, archives and records.

Where the bytes of an image are is known to what is ``Stored``, how they become pixels to ``images``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from faceassay import DataError, DataPath, DatasetPlugin, ImageBatch, IntArray, parameter
from faceassay.datasets import rows
from faceassay_plugins.datasets.images import Fit, decode
from faceassay_plugins.datasets.people import People, refuse_few

KEPT_BYTES = 64 * 2**20
"""A set whose decoded pixels take less stays in memory once used: training reads it thousands of times."""

_DECODING = 1  # raised when the same file decodes to other pixels


class Stored(Protocol):
    """Give the stored file of each image by its row; from several threads at once."""

    @property
    def remedy(self) -> str:
        """What to do when an image cannot be read."""

    def read(self, row: int) -> bytes:
        """Return the file of image ``row``, unchanged.

        Raises:
            OSError: when it cannot be read.
            ValueError: when what is there is not what it was, or damaged.
        """

    def place(self, row: int) -> str:
        """Return how people find image ``row``: the file, and where in it."""


@dataclass(frozen=True, eq=False)
class EncodedDataset:
    """Serve stored images as square RGB images (a ``FaceDataset``).

    Attributes:
        stored: gives the files of the N images.
        item_ids: their names.
        labels: identity index of each, int64 [N].
        identities: names of the L identities.
        fingerprint: sha256 (hex) of names and contents of the files, and of how they are decoded.
        image_size: side of the decoded images in pixels.
        fit: how an image becomes square.
    """

    stored: Stored
    item_ids: Sequence[str]
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
            DataError: when an image cannot be read or is damaged, with its place.
        """
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        for pixels, row in zip(batch, wanted, strict=True):
            pixels[:] = self._image(int(row))
        return batch

    def encoded(self, i: int) -> bytes:
        """Return the stored file of image ``i``, unchanged.

        Raises:
            IndexError: when ``i`` is out of range.
            DataError: when it cannot be read, with its place.
        """
        row = int(rows(i, len(self))[0])
        try:
            return self.stored.read(row)
        except (OSError, ValueError) as error:
            raise self._damaged(row, error) from error

    @cached_property
    def _kept(self) -> dict[int, ImageBatch]:
        return {}

    def _image(self, row: int) -> ImageBatch:
        if row in self._kept:
            return self._kept[row]
        try:
            pixels = decode(self.stored.read(row), self.image_size, self.fit)
        except (OSError, ValueError) as error:
            raise self._damaged(row, error) from error
        if len(self) * pixels.nbytes < KEPT_BYTES:
            self._kept[row] = pixels
        return pixels

    def _damaged(self, row: int, error: Exception) -> DataError:
        return DataError(f"{self.stored.place(row)}: {error}; {self.stored.remedy}")


def content_fingerprint(content: object, identities: Sequence[str], image_size: int, fit: Fit) -> str:
    """Return the sha256 (hex) of what a dataset holds and of how it is decoded; ``content`` is a JSON value."""
    document = json.dumps([content, list(identities), image_size, fit, _DECODING])
    return hashlib.sha256(document.encode()).hexdigest()


class ArchivedFaces(DatasetPlugin):
    """Open face images that are stored together in large files: what its plugins share."""

    path: DataPath = parameter(description="the file, or the folder that holds it")
    image_size: int = parameter(112, description="side of the decoded images", unit="px", ge=8, le=1024)
    fit: Fit = parameter("crop", description="how an image becomes square: centre crop, padded edges, or stretched")
    min_images: int = parameter(2, description="fewest images an identity may have", unit="images", ge=1)

    def _dataset(
        self, stored: Stored, people: People, item_ids: Sequence[str], content: Any, root: Path | None = None
    ) -> EncodedDataset:
        """Return the dataset of ``stored``.

        Raises:
            DataError: when an identity has fewer images than ``min_images``.
        """
        counts = np.bincount(people.labels, minlength=len(people.identities))
        remedy = "Add images, leave these identities out when the file is written, or lower min_images"
        refuse_few(root or self.path, people.identities, counts, self.min_images, remedy)
        return EncodedDataset(
            stored=stored,
            item_ids=item_ids,
            labels=people.labels,
            identities=people.identities,
            fingerprint=content_fingerprint(content, people.identities, self.image_size, self.fit),
            image_size=self.image_size,
            fit=self.fit,
        )
