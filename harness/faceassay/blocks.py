"""Own block files: the images that were rendered together, in one tar that is either complete or missing.

The bytes of a block depend on its rows and images alone, not on who wrote it or when. How blocks become shards is in
``faceassay.shards``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from faceassay.contracts import ImageBatch, IntArray, StoreError

SCHEMA = 1
TAR_UNIT = 512
"""Bytes of a tar header, and what contents are padded to."""
TAR_END = bytes(2 * TAR_UNIT)

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, tarfile.TarError)


@dataclass(frozen=True)
class BlockHeader:
    """Describe a block: consecutive rows of the plan, in one file.

    Attributes:
        start_row: row number of its first image.
        image_size: side of the images in pixels.
        sizes: bytes of each encoded image.
        labels: label of each image.
    """

    start_row: int
    image_size: int
    sizes: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def stop_row(self) -> int:
        """Row number after its last image."""
        return self.start_row + len(self.sizes)


def write_block(path: Path, start_row: int, images: ImageBatch, labels: IntArray) -> None:
    """Write a block as a tar of ``{row:09d}.png`` and ``{row:09d}.cls``; the file appears whole or not at all.

    Args:
        path: the block file; its folder must exist.
        start_row: row number of the first image.
        images: uint8 [B, S, S, 3] RGB, B at least 1.
        labels: int64 [B].

    Raises:
        ValueError: when the arrays do not have these shapes and types.
    """
    _refuse_misshapen(images, labels)
    encoded = [_png(image) for image in images]
    header = BlockHeader(
        start_row, images.shape[1], tuple(len(png) for png in encoded), tuple(int(label) for label in labels)
    )
    members = [
        tar_member(f"{row:09d}.png", png) + tar_member(f"{row:09d}.cls", str(label).encode())
        for row, (png, label) in enumerate(zip(encoded, header.labels, strict=True), start_row)
    ]
    payload = b"".join(members) + TAR_END
    _write_whole(path, tar_member("block.json", _head(header, _digest(header, payload))) + payload)


def read_block_header(path: Path) -> BlockHeader:
    """Read what the block file ``path`` holds; the images are not looked at.

    Raises:
        StoreError: when the file is missing or no block.
    """
    return _read_block(path, whole=False)[0]


def block_is_complete(path: Path) -> bool:
    """Tell whether ``path`` is a block with every byte as it was written; a truncated one counts as missing."""
    try:
        _read_block(path)
    except StoreError:
        return False
    return True


def block_rows(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield, for each row of a block, the bytes of its two members and the size of its image.

    Raises:
        StoreError: when the block is not complete.
    """
    header, payload = _read_block(path)
    start = 0
    for size in header.sizes:
        stop = start + TAR_UNIT + _padded(size) + 2 * TAR_UNIT
        yield payload[start:stop], size
        start = stop


def tar_member(name: str, content: bytes) -> bytes:
    """Return a tar member whose bytes depend on its name (at most 100 characters) and content alone."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return (info.tobuf(tarfile.USTAR_FORMAT) + content).ljust(TAR_UNIT + _padded(len(content)), b"\0")


def _png(image: ImageBatch) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _padded(size: int) -> int:
    return -size % TAR_UNIT + size


def _head(header: BlockHeader, digest: str) -> bytes:
    return json.dumps({"schema": SCHEMA, **vars(header), "sha256": digest}).encode()


def _digest(header: BlockHeader, payload: bytes) -> str:
    return hashlib.sha256(_head(header, "") + payload).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _read_block(path: Path, whole: bool = True) -> tuple[BlockHeader, bytes]:
    try:
        with path.open("rb") as file:
            header, digest = _read_head(file)
            payload = file.read() if whole else b""
        if whole and digest != _digest(header, payload):
            raise ValueError("its bytes are not what was written")
    except _UNREADABLE as error:
        raise StoreError(f"{path}: no complete block of images ({error}); delete it to have it made again") from error
    return header, payload


def _read_head(file: IO[bytes]) -> tuple[BlockHeader, str]:
    info = tarfile.TarInfo.frombuf(file.read(TAR_UNIT), "utf-8", "strict")
    head = json.loads(file.read(_padded(info.size))[: info.size])
    if head["schema"] != SCHEMA:
        raise ValueError(f"schema {head['schema']}, this version reads {SCHEMA}")
    sizes, labels = (tuple(int(entry) for entry in head[name]) for name in ("sizes", "labels"))
    return BlockHeader(int(head["start_row"]), int(head["image_size"]), sizes, labels), str(head["sha256"])


def _refuse_misshapen(images: ImageBatch, labels: IntArray) -> None:
    square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if images.dtype != np.uint8 or not square or len(images) == 0:
        raise ValueError(f"images must be uint8 [B, S, S, 3], B at least 1, not {images.dtype} {list(images.shape)}")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(f"labels must be int64 [{len(images)}], 0 or above, not {labels.dtype} {list(labels.shape)}")
