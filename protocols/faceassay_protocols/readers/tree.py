"""Own the access to a pack's files, in a folder or in a zip of it. Writes nothing and never leaves the pack."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from faceassay.contracts import DataError
from faceassay.fingerprints import file_digests, path_fingerprint, tree_fingerprint
from faceassay_protocols.readers.appearance import HEAD, impostor

LARGEST_FILE = 2**30
"""Bytes: no file of a pack is larger; one that claims to be is not read."""
LARGEST_LIST = 2**24
"""Bytes: no list of pairs or names is larger (the known ones stay below a million); text takes many times its size."""
BIN_SUFFIXES = (".bin", ".bin.xz")
"""What the names of insightface's packs end in."""

_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)
"""What `zipfile` raises for members that are damaged, encrypted or packed in a way it does not know."""

_ALIGNED = re.compile("(?<![a-z])(?P<denied>(un|not|non|mis)[^a-z]*)?align", re.IGNORECASE)
_DRIVE = re.compile("[A-Za-z]:")
_NAMED = 10


class Tree(Protocol):
    """Give read access to files by relative names with forward slashes."""

    @property
    def path(self) -> Path:
        """The folder or the zip."""

    def __contains__(self, name: str) -> bool: ...

    def listed(self, folder: str = "") -> Sequence[str]:
        """Return the names of the files directly in ``folder``, sorted."""

    def folders(self, folder: str = "") -> Sequence[str]:
        """Return the names of the folders directly in ``folder``, sorted; hidden ones are left out."""

    def read(self, name: str, at_most: int = LARGEST_FILE) -> bytes:
        """Return the bytes of a file.

        Raises:
            DataError: when it is missing, unreadable or larger than ``at_most`` bytes (names it).
        """

    def place(self, name: str) -> str:
        """Return how messages name a file."""

    def sha256(self, names: Iterable[str]) -> str:
        """Return the sha256 (hex) that stands for the files ``names``.

        For a folder it is that of the lines ``name, zero byte, sha256 of the file`` in the order of the names, for a
        zip that of the zip file itself.

        Raises:
            DataError: naming every file that is missing or unreadable.
        """


def open_tree(path: Path) -> Tree:
    """Open a folder or a zip.

    Raises:
        DataError: when ``path`` is neither, or the zip is damaged.
    """
    if path.is_dir():
        return FolderTree(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    try:
        return ZipTree(path, zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        with suppress(OSError), path.open("rb") as file:
            if what := impostor(file.read(HEAD), expected=b"PK\x03\x04"):
                raise DataError(f"{path}: neither a folder nor a zip; it looks like {what}") from error
        raise DataError(
            f"{path}: neither a folder nor a readable zip ({error}): fetch it again, or give the folder or zip of the "
            "native files; a pack of insightface ends in .bin or .bin.xz"
        ) from error


def subtree_with(tree: Tree, *entries: str, depth: int = 2) -> str:
    """Return the shallowest folder of ``tree`` that holds all ``entries`` (files or folders): '' for the top.

    An archive often holds the pack's folder instead of what is in it.

    Raises:
        DataError: when no folder down to ``depth`` holds them.
    """
    level = [""]
    for _ in range(depth + 1):
        for folder in level:
            held = {*tree.listed(folder), *tree.folders(folder)}
            if all(joined(folder, entry) in held or joined(folder, entry) in tree for entry in entries):
                return folder
        level = [inner for folder in level for inner in tree.folders(folder)]
    raise DataError(
        f"{tree.path} holds no {' and '.join(entries)}: give the folder that does, or a zip of it{packs_hint(tree)}"
    )


def packs_hint(tree: Tree) -> str:
    """Return words for a message that name the insightface packs in ``tree``, at most one folder deep; '' for none."""
    held = [file for folder in ("", *tree.folders()) for file in tree.listed(folder) if file.endswith(BIN_SUFFIXES)]
    shown = ", ".join(held[:_NAMED]) + (", ..." if len(held) > _NAMED else "")
    unpacked = "" if tree.path.is_dir() else ", unpacked"
    return f". It holds packs of insightface: to score one, give the file itself{unpacked} ({shown})" if held else ""


def says_aligned(folder: str) -> bool:
    """Tell whether the name of a folder says that the images in it are aligned, unlike ``lfw_unaligned``."""
    word = _ALIGNED.search(folder)
    return word is not None and word["denied"] is None


def joined(folder: str, name: str) -> str:
    """Return ``name`` inside ``folder``, where '' is the top."""
    return f"{folder}/{name}" if folder else name


def inside(name: str, place: str) -> str:
    """Return ``name``, which a file of the pack gives for another, normalised.

    Raises:
        DataError: when it would lead out of the pack (``place`` says where it is written).
    """
    parts: list[str] = []
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        if part == ".." and parts:
            parts.pop()
        elif part == ".." or "/" in part or "\0" in part or (not parts and _DRIVE.match(part)):  # //a has the root //
            raise DataError(f"{place}: {name!r} leads out of the pack")
        else:
            parts.append(part)
    return "/".join(parts)


@dataclass(frozen=True, eq=False)
class FolderTree:
    """Read the files below the folder ``path``."""

    path: Path

    def __contains__(self, name: str) -> bool:
        return os.path.isfile(self.path / inside(name, str(self.path)))  # unlike Path.is_file, bears any name

    def listed(self, folder: str = "") -> Sequence[str]:
        """Return the names of the files directly in ``folder``, sorted."""
        return [joined(folder, entry.name) for entry in self._entries(folder) if entry.is_file()]

    def folders(self, folder: str = "") -> Sequence[str]:
        """Return the names of the folders directly in ``folder``, sorted; hidden ones are left out."""
        return [joined(folder, entry.name) for entry in self._entries(folder) if entry.is_dir()]

    def read(self, name: str, at_most: int = LARGEST_FILE) -> bytes:
        """Return the bytes of a file."""
        path = self.path / inside(name, str(self.path))
        try:
            if path.stat().st_size > at_most:
                raise _too_large(str(path), at_most)
            return path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{path}: {reason}: restore it, or fetch the benchmark again") from error

    def place(self, name: str) -> str:
        """Return how messages name a file."""
        return str(self.path / name)

    def sha256(self, names: Iterable[str]) -> str:
        """Return the sha256 (hex) over the names and contents of the files ``names``."""
        return tree_fingerprint(file_digests(self.path, [inside(name, str(self.path)) for name in names]))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path / folder) as entries:  # knows what is a file without asking for each
                return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
        except (NotADirectoryError, FileNotFoundError):
            return []
        except OSError as error:
            raise DataError(f"{self.path / folder}: {error.strerror}") from error


@dataclass(frozen=True, eq=False)
class ZipTree:
    """Read the members of the zip ``path``; nothing is extracted."""

    path: Path
    archive: zipfile.ZipFile

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def listed(self, folder: str = "") -> Sequence[str]:
        """Return the names of the files directly in ``folder``, sorted."""
        return self._content.get(folder, ([], []))[0]

    def folders(self, folder: str = "") -> Sequence[str]:
        """Return the names of the folders directly in ``folder``, sorted; hidden ones are left out."""
        return self._content.get(folder, ([], []))[1]

    def read(self, name: str, at_most: int = LARGEST_FILE) -> bytes:
        """Return the bytes of a member."""
        if name not in self._members:
            raise DataError(f"{self.place(name)}: no such file in the zip: fetch the benchmark again")
        if self._members[name].file_size > at_most:
            raise _too_large(self.place(name), at_most)
        try:
            with self._lock, self.archive.open(self._members[name]) as file:
                content = file.read(at_most + 1)
        except _UNREADABLE as error:
            raise DataError(f"{self.place(name)}: cannot be read from the zip ({error}): fetch it again") from error
        if len(content) > at_most:
            raise _too_large(self.place(name), at_most)
        return content

    def place(self, name: str) -> str:
        """Return how messages name a member."""
        return f"{self.path}/{name}"

    def sha256(self, names: Iterable[str]) -> str:
        """Return the sha256 (hex) of the zip file, once all ``names`` are seen to be in it."""
        missing = [name for name in names if name not in self._members]
        if missing:
            shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            raise DataError(f"{self.path}: {len(missing)} files are missing in the zip: {shown}. Restore them")
        return path_fingerprint(self.path)

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        return {info.filename: info for info in self.archive.infolist() if not info.filename.endswith("/")}

    @cached_property
    def _content(self) -> dict[str, tuple[list[str], list[str]]]:
        content: dict[str, tuple[set[str], set[str]]] = {}
        for name in self._members:
            folder, _, _ = name.rpartition("/")
            content.setdefault(folder, (set(), set()))[0].add(name)
            while folder:
                above = folder.rpartition("/")[0]
                content.setdefault(above, (set(), set()))[1].add(folder)
                folder = above
        return {folder: (_shown(files), _shown(inner)) for folder, (files, inner) in content.items()}


def _too_large(place: str, at_most: int) -> DataError:
    return DataError(f"{place}: too large: no such file of a benchmark has more than {at_most} bytes; fetch it again")


def _shown(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.rpartition("/")[2].startswith((".", "__MACOSX")))


def combined_sha256(*parts: str) -> str:
    """Return the sha256 (hex) over several, in order: a pack with lists outside its folder has more than one."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() if len(parts) > 1 else parts[0]
