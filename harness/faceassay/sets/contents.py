"""Own what the stored bytes of images tell: their format, size and colour, and which of them are the same."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceassay.contracts import FaceassayError, FaceDataset, IntArray

_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, IndexError, Image.DecompressionBombError)


@dataclass(frozen=True, eq=False)
class Contents:
    """Hold what was found in some images of a set.

    Attributes:
        examined: how many were looked at.
        formats: how many have each format; ``unreadable`` is one.
        sizes: how many have each width and height, ``WxH``.
        grey: how many show no colour.
        repeated: rows with equal bytes, a group for each content that is there more than once.
    """

    examined: int
    formats: Counter[str]
    sizes: Counter[str]
    grey: int
    repeated: tuple[IntArray, ...]


def contents(data: FaceDataset, rows: IntArray, advance: Callable[[int], None]) -> Contents:
    """Read and decode the images ``rows`` (int64 [B]) of ``data`` as they are stored."""
    found = Contents(len(rows), Counter(), Counter(), 0, ())
    grey, digests, readable = 0, [], []
    for row in rows.tolist():
        advance(1)
        try:
            content = data.encoded(row)
        except FaceassayError:
            found.formats["unreadable"] += 1
            continue
        digests.append(hashlib.sha256(content).digest())
        readable.append(row)
        try:
            with Image.open(io.BytesIO(content)) as image:
                grey += _is_grey(image)
                found.formats[str(image.format)] += 1
                found.sizes[f"{image.width}x{image.height}"] += 1
        except _UNREADABLE:
            found.formats["unreadable"] += 1
    return Contents(len(rows), found.formats, found.sizes, grey, repeated(digests, np.array(readable, dtype=np.int64)))


def repeated(digests: list[bytes], rows: IntArray) -> tuple[IntArray, ...]:
    """Return the groups of ``rows`` whose sha256 (32 bytes each) are equal, each in its order."""
    words: NDArray[np.uint64] = np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 4)
    order = np.lexsort(words.T)
    new = np.ones(len(order), dtype=bool)
    new[1:] = (words[order][1:] != words[order][:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    lengths = np.diff(starts, append=len(order))
    groups = (order[start : start + length] for start, length in zip(starts, lengths, strict=True) if length > 1)
    return tuple(sorted((np.sort(rows[group]) for group in groups), key=lambda group: int(group[0])))


def across(groups: tuple[IntArray, ...], labels: IntArray) -> tuple[list[IntArray], list[IntArray]]:
    """Return the groups that show two or more identities, and those within one."""
    mixed = [len(np.unique(labels[group])) > 1 for group in groups]
    return (
        [group for group, several in zip(groups, mixed, strict=True) if several],
        [group for group, several in zip(groups, mixed, strict=True) if not several],
    )


def _is_grey(image: Image.Image) -> bool:
    pixels = np.asarray(image.convert("RGB"))
    return bool((pixels == pixels[:, :, :1]).all())
