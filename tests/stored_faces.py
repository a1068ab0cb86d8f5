"""A dataset of stored files in memory: any bytes, labels, names and order."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from faceassay.contracts import DataError
from miniatures.recordio import picture


@dataclass
class StoredFaces:
    """A FaceDataset over files; None stands for one that cannot be read."""

    contents: list
    labels: np.ndarray
    identities: tuple[str, ...]
    item_ids: tuple[str, ...]
    image_size: int = 12

    def __len__(self):
        return len(self.contents)

    @property
    def fingerprint(self):
        return hashlib.sha256(repr((self.contents, self.labels.tolist(), self.identities)).encode()).hexdigest()

    def encoded(self, i):
        if self.contents[i] is None:
            raise DataError(f"{self.item_ids[i]} cannot be read")
        return self.contents[i]

    def images(self, index):
        return np.stack([self._decoded(int(row)) for row in index])

    def _decoded(self, row):
        try:
            with Image.open(io.BytesIO(self.encoded(row))) as image:
                return np.asarray(image.convert("RGB").resize((self.image_size, self.image_size)))
        except OSError as error:
            raise DataError(f"{self.item_ids[row]}: {error}") from error

    def in_order(self, order):
        """Return the same images in another order, under the same ids."""
        ids = tuple(self.item_ids[row] for row in order)
        return replace(self, contents=[self.contents[row] for row in order], labels=self.labels[order], item_ids=ids)


def stored_faces(people, kinds=("PNG",)):
    """Return pictures of ``people`` (name -> number of images), which take turns in their formats."""
    names = [name for name, count in people.items() for _ in range(count)]
    contents = [picture(seed, kind=kinds[seed % len(kinds)]) for seed in range(len(names))]
    labels = np.repeat(np.arange(len(people)), list(people.values()))
    ids = tuple(f"{name}/{row}.png" for row, name in enumerate(names))
    return StoredFaces(contents, labels, tuple(people), ids)


def counted_faces(counts):
    """Return ``counts`` files for each identity, all different and none an image: for rules that only count."""
    labels = np.repeat(np.arange(len(counts)), counts)
    contents = [b"%d" % row for row in range(len(labels))]
    ids = tuple(f"i{row}" for row in range(len(labels)))
    return StoredFaces(contents, labels, tuple(f"p{label}" for label in range(len(counts))), ids)
