"""Own the opening of image files in a folder: each decoded once when it is new, then taken as it was.

How a folder is laid out is known to the dataset plugins, how files are served to ``encoded``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from faceassay.fingerprints import file_digests, tree_fingerprint
from faceassay_plugins.datasets.encoded import EncodedDataset, content_fingerprint
from faceassay_plugins.datasets.images import Fit, check_image


@dataclass(frozen=True)
class Files:
    """Read image files below ``root``, by their relative paths with forward slashes."""

    root: Path
    paths: tuple[str, ...]
    remedy: ClassVar[str] = "it was a good image when the set was opened: restore it"

    def read(self, row: int) -> bytes:
        """Return the bytes of file ``row``."""
        return (self.root / self.paths[row]).read_bytes()

    def place(self, row: int) -> str:
        """Return its path."""
        return str(self.root / self.paths[row])


def open_files(root: Path, files: Mapping[str, Sequence[str]], image_size: int, fit: Fit) -> EncodedDataset:
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
    return EncodedDataset(
        stored=Files(root, paths),
        item_ids=paths,
        labels=np.repeat(np.arange(len(files), dtype=np.int64), [len(group) for group in files.values()]),
        identities=tuple(files),
        fingerprint=content_fingerprint(content, tuple(files), image_size, fit),
        image_size=image_size,
        fit=fit,
    )
