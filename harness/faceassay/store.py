"""Own artifacts on disk: atomic commit, verification on read, records, failures, locks. Knows no stage kind.

An artifact is a folder that appears whole or not at all, with a ``record.json`` that holds the sha256 of every file.
Layout: ``artifacts/KIND/DIGEST/``, ``staging/DIGEST/`` (what a killed stage goes on from), ``failures/DIGEST.json``,
``locks/DIGEST.lock``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from faceassay.contracts import StoreError
from faceassay.keys import digest

STORE_SCHEMA = 1
"""Version of the layout and of ``record.json``."""
RECORD = "record.json"
SEAL = "seal"
"""Name of the record's entry that holds sha256 (hex) of its other entries as JSON with sorted names."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that say that the disk or the user's share of it is full."""
Record = Mapping[str, Any]


class BusyError(StoreError):
    """Report that another process works on what was asked for."""


@dataclass
class Store:
    """Keep all artifacts of one place. Open it with ``Store.open``."""

    root: Path
    _verified: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, root: Path) -> Store:
        """Open the store at ``root``, making it when it is not there.

        Raises:
            StoreError: when the folder cannot be written or was written by another schema version.
        """
        mark = root / "store.json"
        try:
            root.mkdir(parents=True, exist_ok=True)
            if not mark.exists():
                write_atomically(mark, json.dumps({"schema": STORE_SCHEMA}))
            schema = json.loads(mark.read_text()).get("schema")
        except (OSError, ValueError, AttributeError) as error:
            raise StoreError(f"store {root} cannot be used ({error}): choose another with --store DIR") from error
        if schema != STORE_SCHEMA:
            raise StoreError(
                f"store {root} was written with schema {schema}, this version reads schema {STORE_SCHEMA}: "
                "use the version of faceassay that wrote it, or choose another store with --store DIR"
            )
        return cls(root)

    def folder(self, kind: str, key: str) -> Path:
        """Return where the artifact of ``key`` is or will be."""
        return self.root / "artifacts" / kind / key

    def staging(self, key: str) -> Path:
        """Return where a stage keeps its unfinished work."""
        return self.root / "staging" / key

    def record(self, kind: str, key: str) -> Record | None:
        """Return the record of an artifact without verifying its files, or None when there is none.

        Raises:
            StoreError: when the record cannot be read or belongs to another schema.
        """
        folder = self.folder(kind, key)
        try:
            record: Record = json.loads((folder / RECORD).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{folder / RECORD} cannot be read ({error}): {_remove(folder)}") from error
        if not isinstance(record, dict) or record.get("schema") != STORE_SCHEMA:
            found = record.get("schema") if isinstance(record, dict) else "no"
            raise StoreError(f"{folder} was written with schema {found}, not {STORE_SCHEMA}: {_remove(folder)}")
        return record

    def verified(self, kind: str, key: str, *, without_weights: bool = False) -> Path:
        """Return the folder of an artifact after checking the sha256 of every file, once per process.

        Args:
            kind: stage kind.
            key: digest of the key.
            without_weights: take an artifact too whose weights were given up; for readers of its other files.

        Raises:
            StoreError: when it is missing, a file is not what was written, or weights were given up, naming the file.
        """
        folder = self.folder(kind, key)
        if key not in self._verified:
            record = self.record(kind, key)
            if record is None:
                raise StoreError(f"{kind} {key[:12]} is not in the store {self.root}: run the matrix again")
            _check_files(folder, record)
            missing = given_up(record)
            if missing and not without_weights:
                raise StoreError(
                    f"{kind} {key[:12]} is in the store {self.root} without {', '.join(missing)}: "
                    "import it with its weights (faceassay store import)"
                )
            if not missing:
                self._verified.add(key)
        return folder

    def find(self, start: str) -> list[tuple[str, str]]:
        """Return (kind, key) of every artifact whose key begins with ``start``, hexadecimal digits."""
        return [(path.parent.name, path.name) for path in sorted((self.root / "artifacts").glob(f"*/{start}*"))]

    def commit(self, kind: str, key: str, work: Path, facts: Mapping[str, Any]) -> Record:
        """Turn the folder ``work`` into the artifact of ``key``; it appears whole or not at all.

        Args:
            kind: stage kind.
            key: digest of the key.
            work: a folder on the store's file system; every file in it becomes part of the artifact.
            facts: what the record says besides the files: key document, inputs, cost, environment, log.

        Raises:
            StoreError: when ``work`` holds a file of the record's name.
        """
        if (work / RECORD).exists():
            raise StoreError(f"{RECORD} is the name of the store's own file: the stage must call its file otherwise")
        files = {
            path.relative_to(work).as_posix(): _described(path) for path in sorted(work.rglob("*")) if path.is_file()
        }
        content = digest({name: described["sha256"] for name, described in files.items()})
        facts = {"schema": STORE_SCHEMA, "kind": kind, "digest": key, **facts, "files": files, "content": content}
        record = sealed(facts)
        self._publish(work, record)
        self._verified.add(key)
        return record

    def adopt(self, work: Path, record: Record) -> None:
        """Turn the folder ``work`` into an artifact that another store recorded; it appears whole or not at all.

        Args:
            work: a folder on the store's file system, its files flushed.
            record: the other store's, for the same files; those that it gives up are not there.

        Raises:
            StoreError: when a file is not what the record says.
        """
        _check_files(work, record)
        self._publish(work, record)

    def remove(self, kind: str, key: str) -> None:
        """Take an artifact away, as a whole, with what its stage left unfinished; hold its lock meanwhile."""
        removed = self.staging(key) / "removed"
        shutil.rmtree(removed, ignore_errors=True)
        removed.parent.mkdir(parents=True, exist_ok=True)
        self.folder(kind, key).rename(removed)
        self._verified.discard(key)
        shutil.rmtree(self.staging(key))

    def _publish(self, work: Path, record: Record) -> None:
        kind, key = record["kind"], record["digest"]
        write_atomically(work / RECORD, json.dumps(record, indent=1, sort_keys=True))
        for folder in [work, *(path for path in work.rglob("*") if path.is_dir())]:
            _flush_folder(folder)
        target, replaced = self.folder(kind, key), self.staging(key) / "replaced"
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            replaced.parent.mkdir(parents=True, exist_ok=True)
            target.rename(replaced)
        work.rename(target)
        _flush_folder(target.parent)
        self._failure_file(key).unlink(missing_ok=True)
        shutil.rmtree(self.staging(key), ignore_errors=True)

    def fail(self, key: str, failure: Mapping[str, Any]) -> None:
        """Keep why a stage failed; a full disk is no reason to fail once more."""
        try:
            self._failure_file(key).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._failure_file(key), json.dumps(failure, indent=1, sort_keys=True))
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise

    def failure(self, key: str) -> Mapping[str, Any] | None:
        """Return why the stage of ``key`` failed when it last ran, or None."""
        try:
            failure: Mapping[str, Any] = json.loads(self._failure_file(key).read_text())
        except (OSError, ValueError):
            return None
        return failure

    @contextmanager
    def lock(self, key: str, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock of ``key``; wait while another process works on it. A dead process holds nothing.

        Raises:
            BusyError: when another process works on it and ``wait`` is False.
        """
        lock = self._lock(key)
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout as error:
            raise BusyError(f"another process is working on {key[:12]}: try again when it has ended") from error
        try:
            yield
        finally:
            lock.release()

    def is_locked(self, key: str) -> bool:
        """Tell whether another process is working on ``key``."""
        if not Path(self._lock(key).lock_file).exists():
            return False
        try:
            with self._lock(key).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _lock(self, key: str) -> FileLock:
        return FileLock(self.root / "locks" / f"{key}.lock")

    def _failure_file(self, key: str) -> Path:
        return self.root / "failures" / f"{key}.json"

    def records(self) -> Iterator[Record]:
        """Yield the readable record of every artifact, in the order of kinds and digests."""
        for path in sorted((self.root / "artifacts").glob(f"*/*/{RECORD}")):
            try:
                record = self.record(path.parent.parent.name, path.parent.name)
            except StoreError:
                continue
            if record is not None:
                yield record


def given_up(record: Record) -> Sequence[str]:
    """Return the files of an artifact, weights, that were left behind on purpose when it was moved here."""
    names: Sequence[str] = record.get("given_up", ())
    return names


def sealed(record: Record) -> Record:
    """Return ``record`` with its seal, by which a later change of any entry is seen; it protects from no forger."""
    told = {name: said for name, said in record.items() if name != SEAL}
    return {**told, SEAL: hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` holds either the old or the whole new content, also after a crash."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def file_sha256(path: Path) -> str:
    """Return sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"sha256": sha256, "bytes": file.tell()}


def _check_files(folder: Path, record: Record) -> None:
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {RECORD}
    expected = set(record["files"]) - set(given_up(record))
    for name in sorted(present ^ expected):
        trouble = "is missing" if name not in present else "does not belong to the artifact"
        raise StoreError(f"{folder / name} {trouble}: {_remove(folder)}")
    for name in sorted(expected):
        if file_sha256(folder / name) != record["files"][name]["sha256"]:
            raise StoreError(f"{folder / name} is not what was written (its sha256 differs): {_remove(folder)}")


def _remove(folder: Path) -> str:
    return f"remove the folder {folder} and run again to have it made anew"


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
