"""Own content fingerprints of files and folders, cached so that opening the same data again reads nothing.

A file is taken for unchanged while its size, modification time (ns) and inode are. What makes a file good (an image
that decodes) is the caller's check; how data is laid out belongs to the dataset plugins.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from faceassay.contracts import DataError

CACHE_VARIABLE = "FACEASSAY_CACHE"

Check = Callable[[bytes], None]
"""Raise ValueError when the bytes of a file are not what they should be. A module-level function: its name is kept."""

_BATCH = 1024
_CLOCK_TICK_NS = 100_000_000  # coarser than the times that file systems keep
_THREADS = 8
_FAULTS_NAMED = 10


def file_digests(
    root: Path, paths: Iterable[str], *, check: Check | None = None, cache: Path | None = None
) -> dict[str, str]:
    """Return the sha256 (hex) of each file of ``paths``, in their order, reading only what the cache does not know.

    Args:
        root: the folder that ``paths`` are relative to.
        paths: relative paths with forward slashes.
        check: applied to the bytes of each file once; a file that passed it is not read again while it is unchanged.
        cache: folder of the caches, by default `cache_folder`. Where it cannot be used, every file is read.

    Raises:
        DataError: naming the files that are missing, unreadable or fail the check, all of them together.
    """
    digests = dict.fromkeys(paths, "")
    faults = []
    with closing(_Cache.open(root, cache, check)) as known:
        for path, stamp, digest in known.rows():
            if path in digests and stamp == _stamp_of(f"{root}/{path}"):
                digests[path] = digest
        for examined in _examine_all(root, [path for path, digest in digests.items() if not digest], check):
            known.add([one for one in examined if one.stamp])
            digests.update((one.path, one.digest) for one in examined)
            faults += [f"{one.path} ({one.fault})" for one in examined if one.fault]
    if faults:
        raise DataError(_fault_report(root, faults, len(digests)))
    return digests


def tree_fingerprint(digests: Mapping[str, str]) -> str:
    """Return the sha256 (hex) of the lines ``relative path, zero byte, sha256 (hex)`` in the order of the paths."""
    tree = hashlib.sha256()
    for path in sorted(digests):
        tree.update(os.fsencode(path) + b"\0" + digests[path].encode() + b"\n")
    return tree.hexdigest()


def path_fingerprint(path: Path, *, cache: Path | None = None) -> str:
    """Return the fingerprint of what ``path`` holds: a file's sha256, or that of the tree of all files in a folder.

    Links are followed; the name of the file or folder itself does not count.

    Raises:
        DataError: when ``path`` or a file below it cannot be read.
    """
    if path.is_dir():
        below = [file.relative_to(path).as_posix() for file in _files_below(path)]
        return tree_fingerprint(file_digests(path, below, cache=cache))
    return file_digests(path.parent, [path.name], cache=cache)[path.name]


def unread(path: Path, *, cache: Path | None = None) -> tuple[int, int]:
    """Return how many files, and how many bytes, at or below ``path`` the cache does not know; reads none of them.

    A fingerprint of ``path`` has to read these, once.
    """
    root = path if path.is_dir() else path.parent
    below = _files_below(path) if path.is_dir() else iter([path])
    with closing(_Cache.open(root, cache, None)) as known:
        stamps = {name: stamp for name, stamp, _ in known.rows()}
    status = ((file.relative_to(root).as_posix(), file.stat()) for file in below)
    sizes = [found.st_size for name, found in status if stamps.get(name) != _stamp(found)]
    return len(sizes), sum(sizes)


def cache_folder() -> Path:
    """Return the folder of the caches.

    That is ``$FACEASSAY_CACHE``, else ``$XDG_CACHE_HOME/faceassay``, else ``~/.cache/faceassay``.

    Raises:
        RuntimeError: when none is set and there is no home folder.
    """
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "faceassay"


def settled_stamp(status: os.stat_result) -> str:
    """Return size, time (ns) and inode of a file as one text: the content is the same while it is.

    It is '' for a file so new that a change right after this one would leave all three as they are.
    """
    return _stamp(status) if abs(time.time_ns() - status.st_mtime_ns) > _CLOCK_TICK_NS else ""


def _files_below(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    status = folder.stat()
    place = (status.st_dev, status.st_ino)
    if place in above:  # a link to a folder that contains it
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _files_below(entry, above | {place})
        elif entry.is_file():
            yield entry


@dataclass(frozen=True)
class _Examined:
    path: str
    stamp: str = ""
    digest: str = ""
    fault: str = ""


def _examine_all(root: Path, paths: list[str], check: Check | None) -> Iterator[list[_Examined]]:
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), _BATCH):
            yield list(pool.map(lambda path: _examine(root, path, check), paths[start : start + _BATCH]))


def _examine(root: Path, path: str, check: Check | None) -> _Examined:
    try:
        with (root / path).open("rb") as file:
            stamp = settled_stamp(os.fstat(file.fileno()))
            return _Examined(path, stamp, _checked_digest(file, check))
    except OSError as error:
        return _Examined(path, fault=error.strerror or str(error))
    except ValueError as error:
        return _Examined(path, fault=str(error))


def _checked_digest(file: IO[bytes], check: Check | None) -> str:
    if check is None:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
    content = file.read()
    check(content)
    return hashlib.sha256(content).hexdigest()


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _stamp_of(file: str) -> str:
    try:
        return _stamp(os.stat(file))
    except OSError:
        return ""


def _fault_report(root: Path, faults: list[str], total: int) -> str:
    named = "; ".join(faults[:_FAULTS_NAMED])
    rest = f"; and {len(faults) - _FAULTS_NAMED} more" if len(faults) > _FAULTS_NAMED else ""
    return f"{root}: {len(faults)} of {total} files cannot be used: {named}{rest}. Restore or remove them"


@dataclass(frozen=True)
class _Cache:
    """Remember the files below one root that passed ``check``; a cache that fails only costs reading."""

    database: sqlite3.Connection
    check: str

    @classmethod
    def open(cls, root: Path, folder: Path | None, check: Check | None) -> _Cache:
        name = "" if check is None else f"{check.__module__}.{check.__qualname__}"
        try:
            file = (folder or cache_folder()) / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()}.sqlite"
            file.parent.mkdir(parents=True, exist_ok=True)
            return cls(_connect(file), name)
        except (OSError, RuntimeError, sqlite3.Error):  # unwritable, no home, locked by a stalled process
            return cls(_prepared(":memory:"), name)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield path, stamp and digest of each file that was good."""
        query = "SELECT path, stamp, digest FROM digests_v1 WHERE ? IN ('', passed)"
        with suppress(sqlite3.Error):
            for path, stamp, digest in self.database.execute(query, (self.check,)):
                yield os.fsdecode(path), stamp, digest

    def add(self, good: list[_Examined]) -> None:
        rows = [(os.fsencode(one.path), self.check, one.stamp, one.digest) for one in good]
        with suppress(sqlite3.Error), self.database:
            self.database.executemany("INSERT OR REPLACE INTO digests_v1 VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        self.database.close()


def _connect(file: Path) -> sqlite3.Connection:
    try:
        return _prepared(file)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # no database at all, or a damaged one
        file.unlink()
        return _prepared(file)


def _prepared(file: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    try:
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        # The name carries the schema: a cache of another version is simply not seen.
        database.execute(
            "CREATE TABLE IF NOT EXISTS digests_v1"
            " (path BLOB, passed TEXT, stamp TEXT, digest TEXT, PRIMARY KEY (path, passed)) WITHOUT ROWID"
        )
    except sqlite3.Error:
        database.close()
        raise
    return database
