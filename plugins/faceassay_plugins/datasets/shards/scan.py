"""Own the scan of a foreign shard: which member is an image, which says who is on it. Python's ``tarfile`` knows tar.

The members of a sample share a key, all of the path before the first dot of its last part, and differ in the rest.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faceassay import DataError
from faceassay_plugins.datasets.archive import Archive, escapes, image_starts, start_of
from faceassay_plugins.datasets.images import SUFFIXES

Source = Literal["cls", "json", "folder"]
"""What says who is on an image: a member KEY.cls, a field of KEY.json, or the folder in its key."""

REMEDY = "Write the shard anew, or bring it again"
_MOST_TEXT = 2**20
_ZEROS = 2**20


@dataclass
class _Sample:
    image: tarfile.TarInfo | None = None
    identity: str = ""
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Image:
    """Say where the image of a sample is, and who is on it."""

    name: str
    offset: int
    size: int
    identity: str


def scan(shard: Path, source: Source, json_field: str) -> Iterator[Image]:
    """Yield the image of every sample of ``shard``, in the order of the file.

    Raises:
        DataError: when the file is no plain tar, cut or damaged, holds links or paths outside, or a sample has not one
            image and one identity.
    """
    archive = Archive(shard)
    samples: dict[str, _Sample] = {}
    identity_of = _readers(archive, source, json_field)
    for info in _members(archive):
        folder, _, name = info.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        sample = samples.setdefault(key, _Sample())
        if f".{suffix.lower()}" in SUFFIXES:
            _refuse(shard, info, "is the second image of its sample" if sample.image else _image_fault(archive, info))
            sample.image = info
        if said := identity_of(info, folder, suffix.lower()):
            _refuse(shard, info, "says again who is on the image" if sample.identity not in ("", said) else "")
            sample.identity = said
    for key, sample in samples.items():
        if sample.image is None or not sample.identity:
            lacking = "image" if sample.image is None else f"identity (identity: {source})"
            raise DataError(f"{shard}: sample {key!r} has no {lacking}. {_identity_remedy(source)}")
        yield Image(sample.image.name, sample.image.offset_data, sample.image.size, sample.identity)


def _members(archive: Archive) -> Iterator[tarfile.TarInfo]:
    """Yield the files of a tar, refusing what is none; the end must be marked: a tar that is cut has no mark."""
    seen: set[str] = set()
    try:
        with tarfile.open(archive.path, "r:") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                if info.isdir():
                    continue
                _refuse(archive.path, info, _member_fault(info, seen, archive.size))
                seen.add(info.name)
                yield info
            end = tar.offset
    except (tarfile.TarError, OSError, ValueError) as error:
        remedy = "Shards must be plain .tar files, not compressed ones: unpack it, or bring it again"
        raise DataError(f"{archive.path}: no tar, or a damaged one ({error}). {remedy}") from error
    rest = (archive.read(at, min(_ZEROS, archive.size - at)) for at in range(end, archive.size, _ZEROS))
    if archive.size - end < tarfile.BLOCKSIZE or any(map(any, rest)):
        raise DataError(f"{archive.path}: the tar does not end where its members do (at byte {end:,}). {REMEDY}")


def _member_fault(info: tarfile.TarInfo, seen: set[str], size: int) -> str:
    if escapes(info.name):
        return "names a path outside the archive"
    if info.issparse() or not info.isreg():
        return "is no plain file (a link, device or sparse file)"
    if info.offset_data + info.size > size:
        return "is cut by the end of the file"
    return "is there twice" if info.name in seen else ""


def _image_fault(archive: Archive, info: tarfile.TarInfo) -> str:
    if not info.size:
        return "is empty"
    start = start_of(archive.read(info.offset_data, min(4, info.size)))
    return "" if image_starts([start])[0] else "is no JPEG, PNG, PNM, BMP or WebP image"


def _readers(archive: Archive, source: Source, json_field: str) -> Callable[[tarfile.TarInfo, str, str], str]:
    """Return what tells the identity from a member, its folder and its suffix; '' where it says none."""

    def of_cls(info: tarfile.TarInfo, folder: str, suffix: str) -> str:
        return _text(archive, info).strip() if suffix == "cls" else ""

    def of_json(info: tarfile.TarInfo, folder: str, suffix: str) -> str:
        return _field(archive, info, json_field) if suffix == "json" else ""

    def of_folder(info: tarfile.TarInfo, folder: str, suffix: str) -> str:
        return folder

    return {"cls": of_cls, "json": of_json, "folder": of_folder}[source]


def _text(archive: Archive, info: tarfile.TarInfo) -> str:
    _refuse(archive.path, info, "is too long to name an identity" if info.size > _MOST_TEXT else "")
    try:
        return archive.read(info.offset_data, info.size).decode("utf-8")
    except ValueError as error:
        raise DataError(f"{archive.path}: {info.name} is no text ({error}). {REMEDY}") from error


def _field(archive: Archive, info: tarfile.TarInfo, json_field: str) -> str:
    try:
        document = json.loads(_text(archive, info))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{archive.path}: {info.name} is no JSON ({error}). {REMEDY}") from error
    value = document.get(json_field) if isinstance(document, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        fields = ", ".join(map(str, document)) if isinstance(document, dict) else "none"
        raise DataError(
            f"{archive.path}: {info.name} has no whole number or text {json_field!r} (fields: {fields}): "
            "name the field by json_field"
        )
    return str(value)


def _refuse(shard: Path, info: tarfile.TarInfo, fault: str) -> None:
    if fault:
        raise DataError(f"{shard}: {info.name} {fault}. {REMEDY}")


def _identity_remedy(source: Source) -> str:
    others = [other for other in ("cls", "json", "folder") if other != source]
    return f"Complete the sample, or say identity: {' or '.join(others)}"
