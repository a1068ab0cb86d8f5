"""Own the names under which stored images are written, identity by identity. Forms put the bytes where they belong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from faceassay import DataError, FaceDataset, IntArray, Written
from faceassay_plugins.datasets.images import SUFFIXES, suffix_of
from faceassay_plugins.datasets.people import natural_order

_UNSAFE = frozenset("%/\\:")


@dataclass(frozen=True)
class File:
    """Hold one stored image on its way.

    Attributes:
        row: which image of the source it is.
        folder: name of its identity as a folder.
        name: its file name there.
        content: its bytes.
    """

    row: int
    folder: str
    name: str
    content: bytes


def safe_name(name: str) -> str:
    """Return ``name`` so that it may be a file or folder anywhere: what may not be is written %XX, as in addresses.

    That holds for ``%/\\:``, a leading dot and all that is not printable. Different names stay different;
    ``urllib.parse.unquote`` with ``surrogateescape`` brings the old one back.

    Raises:
        ValueError: when there is no name, or it becomes too long for a file system.
    """
    safe = "".join(
        _quoted(char) if char in _UNSAFE or not char.isprintable() or (char == "." and place == 0) else char
        for place, char in enumerate(name)
    )
    if not safe or len(safe.encode()) > 240:
        raise ValueError(f"{name[:50]!r} cannot be the name of a folder: it is {'too long' if safe else 'empty'}")
    return safe


def write_files(data: FaceDataset, put: Callable[[File], None], advance: Callable[[int], None]) -> Written:
    """Give every image to ``put``: identities in natural order, the images of each in the order of ``data``.

    A file keeps the last part of its item id, with the suffix of what it is; where the files of an identity would then
    stand in another order, or under one name, all of them are called by their row in ``data``.

    Raises:
        DataError: when an identity cannot be the name of a folder, or an image is none.
    """
    folders = _folders(data.identities)
    rows: list[int] = []
    groups = grouped(data.labels, len(folders))
    for label in sorted(range(len(folders)), key=lambda label: natural_order(folders[label])):
        names = {}
        for file in _files(data, groups[label], folders[label]):
            put(file)
            advance(1)
            names[file.row] = file.name
        rows += sorted(names, key=lambda row: natural_order(names[row]))
    return Written(np.array(rows, dtype=np.int64), folders)


def grouped(labels: IntArray, identities: int) -> list[IntArray]:
    """Return the rows of each identity in their order."""
    order = np.argsort(labels, kind="stable").astype(np.int64)
    return np.split(order, np.searchsorted(labels[order], np.arange(1, identities)))


def _folders(identities: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(map(safe_name, identities))
    except ValueError as error:
        raise DataError(f"identity {error}: rename it, or write shards, which keep any name") from error


def _files(data: FaceDataset, rows: IntArray, folder: str) -> Iterator[File]:
    ids = [data.item_ids[row] for row in rows.tolist()]
    stems = [_stem(item) for item in ids]
    keys = [natural_order(f"{stem}.") for stem in stems]
    if not all(stems) or any(second <= first for first, second in pairwise(keys)):
        stems = [f"{row:09d}" for row in rows.tolist()]
    for row, item, stem in zip(rows.tolist(), ids, stems, strict=True):
        content = data.encoded(row)
        try:
            yield File(row, folder, f"{stem}{suffix_of(content)}", content)
        except ValueError as error:
            raise DataError(f"image {item}: {error}: leave it out of the source") from error


def _stem(item_id: str) -> str:
    """Return the file name in an item id without the suffix of an image; '' where it cannot be one."""
    name = os.path.basename(item_id.replace("\\", "/"))
    stem, suffix = os.path.splitext(name)
    try:
        return safe_name(stem if suffix.lower() in SUFFIXES else name)
    except ValueError:
        return ""


def _quoted(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(char))
