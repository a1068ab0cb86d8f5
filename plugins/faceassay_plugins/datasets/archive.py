"""Own reading at places inside large files: by offset and size, from any thread, nothing extracted or mapped.

What lies where is known to the readers of each format; here are the checks that they share.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay import DataError, IntArray

NAMED = 10
"""How many faults of one kind an error names."""

_START = np.dtype("<u4")


@dataclass(frozen=True)
class Archive:
    """Read parts of one file; it is opened at the first reading and stays open.

    Attributes:
        path: the file.
    """

    path: Path

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``.

        Raises:
            OSError: when the file cannot be read.
            ValueError: when it ends before.
        """
        found: bytes = os.pread(self._descriptor, size, offset)
        while len(found) < size and (more := os.pread(self._descriptor, size - len(found), offset + len(found))):
            found = b"".join((found, more))
        if len(found) < size:
            raise ValueError(f"the file ends {size - len(found)} bytes too early")
        return found

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self._descriptor).st_size

    @cached_property
    def _descriptor(self) -> int:
        """The open file; closed with this object, so that a second thread that opens it too does no harm."""
        descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}


@dataclass(frozen=True, eq=False)
class Extents:
    """Read images that lie whole in one of several files.

    Attributes:
        archives: the files.
        names: how people find the N images in their files.
        archive: which file holds each, integers [N].
        offsets: where its first byte is, integers [N].
        sizes: its bytes, integers [N].
    """

    archives: Sequence[Archive]
    names: Sequence[str]
    archive: IntArray
    offsets: IntArray
    sizes: IntArray
    remedy: ClassVar[str] = "bring the file again"

    def read(self, row: int) -> bytes:
        """Return the file of image ``row``."""
        return self.archives[int(self.archive[row])].read(int(self.offsets[row]), int(self.sizes[row]))

    def place(self, row: int) -> str:
        """Return the file and the name in it."""
        return f"{self.archives[int(self.archive[row])].path}: {self.names[row]}"


def image_starts(contents: ArrayLike) -> NDArray[np.bool_]:
    """Tell which files begin like an image (JPEG, PNG, PNM, BMP, WebP) by their first four bytes.

    Args:
        contents: the four bytes of each as a little-endian number, uint32 [N].
    """
    first = np.asarray(contents, dtype=_START)
    jpeg = first & 0xFFFFFF == 0xFFD8FF
    png, webp, bmp = first == 0x474E5089, first == 0x46464952, first & 0xFFFF == 0x4D42
    pnm = (first & 0xFF == 0x50) & (first >> 8 & 0xFF >= 0x31) & (first >> 8 & 0xFF <= 0x36)
    return np.asarray(jpeg | png | webp | bmp | pnm)


def start_of(content: bytes) -> int:
    """Return the first four bytes as `image_starts` takes them."""
    return int.from_bytes(content[:4], "little")


def refuse_named(file: Path, fault: str, names: Sequence[str], remedy: str) -> None:
    """Raise DataError naming ``names`` (the first of them), each of which has the ``fault``; none: nothing happens."""
    if names:
        rest = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        raise DataError(f"{file}: {fault}: {', '.join(names[:NAMED])}{rest}. {remedy}")


def escapes(name: str) -> bool:
    """Tell whether a member's name is no relative path below the archive's own folder."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or "\0" in name or parts[0].endswith(":")
