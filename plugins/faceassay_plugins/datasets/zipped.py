"""Own the layout most face data is sent in: a .zip of one folder per identity, read in place, never extracted.

Where the members are is read from the archive's directory once; Python's ``zipfile`` knows that format.
"""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from faceassay import DataError, DataPath, FaceDataset, IntArray, WritableDataset, Written, parameter
from faceassay.fingerprints import path_fingerprint
from faceassay_plugins.datasets.archive import Archive, escapes, image_starts, refuse_named, start_of
from faceassay_plugins.datasets.encoded import ArchivedFaces
from faceassay_plugins.datasets.images import SUFFIXES
from faceassay_plugins.datasets.kept_arrays import Arrays, all_texts, kept_arrays, packed, texts
from faceassay_plugins.datasets.people import People, natural_order
from faceassay_plugins.datasets.written import File, write_files

_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BEGINNING = 512
REMEDY = "Write the .zip anew"


class Zip(ArchivedFaces, WritableDataset):
    """Open a .zip that holds one folder per identity, with or without one folder around all of them.

    Members count as images by their suffix (``images.SUFFIXES``, in any case). Hidden ones are ignored, others are
    ignored with a warning that counts them. Identities and members are in natural order (s2 before s10). Opening looks
    at the beginning of every image, once; each is checked against its checksum when it is read.
    """

    name: ClassVar[str] = "zip"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "your own images in a .zip: one folder per identity, read in place"

    path: DataPath = parameter(description=".zip file with one folder per identity")

    def open(self) -> FaceDataset:
        """Open the archive.

        Raises:
            DataError: when it is no .zip, damaged, encrypted, names paths outside or a path twice, holds no
                identities, an identity has too few images, or a member is empty or no image.
        """
        found = kept_arrays("zip 1", [self.path], partial(_members, self.path))
        if found["ignored"]:
            warnings.warn(f"{self.path}: {found['ignored']} other members ignored ({_counted(found)})")
        columns = (found[name] for name in ("offsets", "packed_sizes", "sizes", "checksums", "methods"))
        stored = Members(Archive(self.path), texts("paths", found), *columns)
        people = People(found["labels"], all_texts("names", found))
        return self._dataset(stored, people, stored.item_ids, path_fingerprint(self.path))

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether ``path`` is a file called .zip."""
        return path.is_file() and path.suffix.lower() == ".zip"

    @classmethod
    def write(cls, data: FaceDataset, target: Path, advance: Callable[[int], None]) -> Written:
        """Write a .zip of one folder per identity; images are packed already and only stored.

        Raises:
            DataError: when an identity cannot be the name of a folder, or an image is none.
            OSError: when it cannot be written.
        """
        with zipfile.ZipFile(target, "x") as archive:

            def put(file: File) -> None:
                archive.writestr(zipfile.ZipInfo(f"{file.folder}/{file.name}"), file.content)

            return write_files(data, put, advance)


@dataclass(frozen=True, eq=False)
class Members:
    """Read members of a .zip; arrays are integers [N].

    Attributes:
        archive: the file.
        item_ids: paths of the N members.
        offsets: where the content of each begins.
        packed_sizes, sizes: its bytes there, and unpacked.
        checksums: CRC-32 of the unpacked bytes.
        methods: 0 for stored, 8 for deflated.
    """

    archive: Archive
    item_ids: Sequence[str]
    offsets: IntArray
    packed_sizes: IntArray
    sizes: IntArray
    checksums: IntArray
    methods: IntArray
    remedy: ClassVar[str] = "bring the .zip again"

    def read(self, row: int) -> bytes:
        """Return member ``row``, unpacked.

        Raises:
            ValueError: when it is not what its checksum says.
        """
        size = int(self.sizes[row])
        content = self.archive.read(int(self.offsets[row]), int(self.packed_sizes[row]))
        if self.methods[row] == zipfile.ZIP_DEFLATED:
            content = inflated(content, size + 1)
        if len(content) != size or zlib.crc32(content) != self.checksums[row]:
            raise ValueError("not what its checksum says")
        return content

    def place(self, row: int) -> str:
        """Return the file and the path in it."""
        return f"{self.archive.path}: {self.item_ids[row]}"


def inflated(content: bytes, most: int) -> bytes:
    """Return at most ``most`` bytes of what deflated ``content`` unpacks to.

    Raises:
        ValueError: when it is damaged.
    """
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, most)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from error


def _members(path: Path) -> Arrays:
    infos, ignored = _listed(path)
    infos.sort(key=lambda info: [natural_order(part) for part in _identity_and_name(info)])
    archive = Archive(path)
    offsets = np.array([_content_offset(archive, info) for info in infos], dtype=np.int64)
    names = [_identity_and_name(info)[0] for info in infos]
    identities = {name: place for place, name in enumerate(dict.fromkeys(names))}
    people = People.in_natural_order([identities[name] for name in names], list(identities))
    _refuse_no_images(archive, infos, offsets)
    columns = {"packed_sizes": "compress_size", "sizes": "file_size", "checksums": "CRC", "methods": "compress_type"}
    return {
        "offsets": offsets,
        **{ours: np.array([getattr(info, its) for info in infos], dtype=np.int64) for ours, its in columns.items()},
        "labels": people.labels,
        **packed("paths", [info.filename for info in infos]),
        **packed("names", people.identities),
        "ignored": np.array(len(ignored)),
        **packed("kinds", [PurePosixPath(name).suffix.lower() or "no suffix" for name in ignored]),
    }


def _listed(path: Path) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """Return the members that are images of an identity, and the names of the other visible ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(f"{path}: no .zip, or a damaged one ({error}). Bring it again") from error
    _refuse_unsafe(path, members)
    visible = [info for info in members if not any(part.startswith(".") for part in info.filename.split("/"))]
    images = [info for info in visible if info.filename.lower().endswith(SUFFIXES)]
    depth = 3 if images and _share_a_folder(images) else 2
    placed = [info for info in images if info.filename.count("/") == depth - 1]
    if not placed:
        raise DataError(f"{path} holds no images in folders: put the images of each identity into a folder of its own")
    taken = {info.filename for info in placed}
    return placed, [info.filename for info in visible if info.filename not in taken]


def _share_a_folder(images: Sequence[zipfile.ZipInfo]) -> bool:
    """Tell whether one folder is around the folders of all identities."""
    parts = [info.filename.split("/") for info in images]
    return len({names[0] for names in parts}) == 1 and all(len(names) > 2 for names in parts)


def _refuse_unsafe(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    names = [info.filename for info in members]
    repeated = [repr(name) for name, count in Counter(names).items() if count > 1]
    encrypted = [repr(info.filename) for info in members if info.flag_bits & _ENCRYPTED]
    packed_otherwise = [repr(info.filename) for info in members if info.compress_type not in _METHODS]
    outside = [repr(info.filename) for info in members if escapes(info.orig_filename) or escapes(info.filename)]
    refuse_named(path, "members that name a path outside the archive", outside, REMEDY)
    refuse_named(path, "paths that are there twice", repeated, REMEDY)
    refuse_named(path, "encrypted members", encrypted, f"{REMEDY} without a password")
    refuse_named(path, "members packed otherwise than stored or deflated", packed_otherwise, REMEDY)


def _identity_and_name(info: zipfile.ZipInfo) -> tuple[str, str]:
    identity, name = info.filename.rsplit("/", 2)[-2:]
    return identity, name


def _content_offset(archive: Archive, info: zipfile.ZipInfo) -> int:
    """Return where the content of a member begins, behind its local header (APPNOTE 4.3.7), which repeats its name."""
    try:
        start = info.header_offset
        magic, name_length, extra_length = _LOCAL.unpack(archive.read(start, _LOCAL.size))
        name = archive.read(start + _LOCAL.size, name_length)
        offset = int(start + _LOCAL.size + name_length + extra_length)
        spelt = name.decode("utf-8" if info.flag_bits & 0x800 else "cp437")
        if magic == b"PK\x03\x04" and spelt == info.orig_filename and offset + info.compress_size <= archive.size:
            return offset
    except (OSError, ValueError):
        pass
    raise DataError(f"{archive.path}: {info.filename} is not where the archive's directory says: bring the .zip again")


def _refuse_no_images(archive: Archive, infos: Sequence[zipfile.ZipInfo], offsets: IntArray) -> None:
    empty = [info.filename for info in infos if not info.file_size]
    refuse_named(archive.path, "empty members", empty, REMEDY)
    starts = [_start(archive, info, int(offset)) for info, offset in zip(infos, offsets, strict=True)]
    bad = [infos[row].filename for row in np.flatnonzero(~image_starts(starts)).tolist()]
    refuse_named(archive.path, "members that are no JPEG, PNG, PNM, BMP or WebP image", bad, REMEDY)


def _start(archive: Archive, info: zipfile.ZipInfo, offset: int) -> int:
    content = archive.read(offset, min(info.compress_size, _BEGINNING))
    if info.compress_type == zipfile.ZIP_STORED:
        return start_of(content)
    try:
        return start_of(inflated(content, 4))
    except ValueError:
        return 0


def _counted(found: Arrays) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in Counter(all_texts("kinds", found)).most_common())
