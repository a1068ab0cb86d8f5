"""Own the images of a finished synthesis: webdataset-compatible tar shards with an index for random access.

Shards are blocks joined by copying bytes, so they depend on the images alone. Archives are read in place, never
extracted. Writing blocks is in ``faceassay.blocks``; checksums of a finished artifact belong to the store.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceassay.blocks import (
    TAR_END,
    TAR_UNIT,
    BlockHeader,
    block_is_complete,
    block_rows,
    read_block_header,
    write_block,
)
from faceassay.contracts import ImageBatch, IntArray, StoreError
from faceassay.datasets import Texts, rows

__all__ = [
    "BlockHeader",
    "ShardDataset",
    "assemble",
    "block_is_complete",
    "read_block_header",
    "write_block",
    "write_shards",
]

SCHEMA = 1
_UNREADABLE = (OSError, EOFError, SyntaxError, ValueError, KeyError, TypeError)


def assemble(
    block_paths: Iterable[Path], folder: Path, identities: Sequence[str], images_per_shard: int = 8192
) -> None:
    """Join blocks, given in any order, into shards in ``folder`` without encoding anything again.

    Writes ``shard-00000.tar`` and so on, ``index.npy`` (int64 [N, 3]: shard, offset and size of the image's bytes),
    ``labels.npy`` (int64 [N]), ``identities.json`` and ``shards.json``.

    Raises:
        StoreError: when a block is damaged, the rows are not 0 to N-1 once each, or a label has no identity.
    """
    blocks = sorted(((read_block_header(path), path) for path in block_paths), key=lambda block: block[0].start_row)
    headers = [header for header, _ in blocks]
    _refuse_unjoinable(headers, len(identities))
    labels = np.array([label for header in headers for label in header.labels], dtype=np.int64)
    rows_in_order = (row for _, path in blocks for row in block_rows(path))
    write_shards(folder, rows_in_order, labels, identities, headers[0].image_size, images_per_shard)


def write_shards(
    folder: Path,
    samples: Iterator[tuple[bytes, int]],
    labels: IntArray,
    identities: Sequence[str],
    image_size: int,
    images_per_shard: int = 8192,
) -> None:
    """Write shards and their index, as `assemble` does.

    Args:
        folder: where to.
        samples: for each image the bytes of its members, that of the image first, and the size of the image.
        labels: identity index of each image, int64 [N].
        identities: names of the L identities.
        image_size: side of the images in pixels.
        images_per_shard: the last shard may have fewer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(json.dumps([image_size, *identities]).encode())
    index: list[tuple[int, int, int]] = []
    for shard in range(math.ceil(len(labels) / images_per_shard)):
        with (folder / _shard_name(shard)).open("wb") as file:
            for member_bytes, image_bytes in islice(samples, images_per_shard):
                index.append((shard, file.tell() + TAR_UNIT, image_bytes))
                file.write(member_bytes)
                content.update(member_bytes)
            file.write(TAR_END)
    np.save(folder / "index.npy", np.array(index, dtype=np.int64))
    np.save(folder / "labels.npy", labels)
    document = {"schema": SCHEMA, "image_size": image_size, "count": len(index)}
    (folder / "identities.json").write_text(json.dumps(list(identities)))
    (folder / "shards.json").write_text(json.dumps({**document, "fingerprint": content.hexdigest()}))


@dataclass(frozen=True)
class ShardDataset:
    """Give random access to the shards in ``folder`` (a ``FaceDataset``); holds no images and no open files.

    Raises:
        StoreError: when a file is missing, of another schema, or the index points outside a shard.
    """

    folder: Path

    def __post_init__(self) -> None:
        try:
            self._refuse_inconsistent()
        except _UNREADABLE as error:
            raise StoreError(f"{self.folder}: no shards of images ({error}); make the synthesis again") from error

    @cached_property
    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / "shards.json").read_bytes())
        return document

    @cached_property
    def extents(self) -> IntArray:
        """Where each image is, int64 [N, 3]: number of its shard, offset and size of its bytes there."""
        return _int_array(self.folder / "index.npy", (self._document["count"], 3))

    @property
    def shards(self) -> tuple[Path, ...]:
        """The shard files in the order of their numbers."""
        return tuple(self.folder / _shard_name(k) for k in range(int(self.extents[:, 0].max()) + 1))

    @cached_property
    def labels(self) -> IntArray:
        """Identity index of each image, int64 [N]."""
        return _int_array(self.folder / "labels.npy", (self._document["count"],))

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Names of the L identities."""
        return tuple(json.loads((self.folder / "identities.json").read_bytes()))

    @property
    def item_ids(self) -> Sequence[str]:
        """Row number of each image, nine digits."""
        return Texts(len(self), "{:09d}".format)

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return int(self._document["image_size"])

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the rows' bytes in order, the image size and the identities; not of how they are sharded."""
        return str(self._document["fingerprint"])

    def __len__(self) -> int:
        return len(self.extents)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, S, S, 3] RGB.

        Raises:
            IndexError: when an index is out of range.
            StoreError: when an image is damaged.
        """
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        for pixels, row in zip(batch, wanted, strict=True):
            pixels[:] = self._decoded(int(row))
        return batch

    def encoded(self, i: int) -> bytes:
        """Return the PNG of image ``i`` as it is stored."""
        shard, offset, size = (int(part) for part in self.extents[rows(i, len(self))[0]])
        with (self.folder / _shard_name(shard)).open("rb") as file:
            return os.pread(file.fileno(), size, offset)

    def _decoded(self, row: int) -> ImageBatch:
        try:
            with Image.open(io.BytesIO(self.encoded(row)), formats=("PNG",)) as image:
                if image.size != (self.image_size, self.image_size):
                    raise ValueError(f"{image.size[0]}x{image.size[1]} px instead of {self.image_size}")
                return np.asarray(image.convert("RGB"))
        except _UNREADABLE as error:
            raise StoreError(f"{self.folder}: image {row} is damaged ({error}); make the synthesis again") from error

    def _refuse_inconsistent(self) -> None:
        if self._document["schema"] != SCHEMA:
            raise ValueError(f"schema {self._document['schema']}, this version reads {SCHEMA}")
        shard, offset, size = self.extents.T
        if len(shard) == 0 or min(shard.min(), offset.min(), size.min()) < 0:
            raise ValueError("the index is empty or holds negative entries")
        if self.labels.min() < 0 or self.labels.max() >= len(self.identities):
            raise ValueError(f"labels {self.labels.min()} to {self.labels.max()} of {len(self.identities)} identities")
        lengths = np.array([path.stat().st_size for path in self.shards])
        if (offset > lengths[shard] - size).any():
            raise ValueError("the index points behind the end of a shard: truncated?")


def _shard_name(shard: int) -> str:
    return f"shard-{shard:05d}.tar"


def _int_array(path: Path, shape: tuple[int, ...]) -> IntArray:
    array: IntArray = np.load(path, allow_pickle=False)
    if array.dtype != np.int64 or array.shape != shape:
        raise ValueError(f"{path.name} is {array.dtype} {list(array.shape)}, not int64 {list(shape)}")
    return array


def _refuse_unjoinable(headers: Sequence[BlockHeader], identities: int) -> None:
    if not headers:
        raise StoreError("no blocks of images to join")
    expected = 0
    for header in headers:
        if header.start_row != expected:
            raise StoreError(f"the block of row {expected} is missing or overlaps another: next is {header.start_row}")
        if header.image_size != headers[0].image_size:
            raise StoreError(f"the images at row {expected} are {header.image_size} px, others {headers[0].image_size}")
        if max(header.labels) >= identities:
            raise StoreError(f"label {max(header.labels)} at row {expected} of {identities} identities")
        expected = header.stop_row
