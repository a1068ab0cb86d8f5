"""Own the view of some images of a dataset, in a given order. Copies and decodes nothing until asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceassay.contracts import FaceDataset, ImageBatch, IntArray


@dataclass(frozen=True, eq=False)
class ImageSelection:
    """Show the images ``rows`` (int64 [N]) of ``source`` as images 0 to N-1."""

    source: FaceDataset
    rows: IntArray

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return self.source.image_size

    @property
    def names(self) -> Sequence[str]:
        """Names of the N images."""
        return [self.source.item_ids[row] for row in self.rows]

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over the source's fingerprint and the rows."""
        rows = np.ascontiguousarray(self.rows, dtype="<i8").tobytes()
        return hashlib.sha256(self.source.fingerprint.encode() + b"\n" + rows).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B], 0 to N-1) as uint8 [B, H, W, 3] RGB."""
        return self.source.images(self.rows[index])
