"""Own the archive of a store: an uncompressed tar with a list of contents first, then each artifact, its record first.

The same artifacts give the same bytes: no dates, no owners.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from faceassay.contracts import StoreError
from faceassay.store import RECORD, STORE_SCHEMA, Record, Store, given_up, sealed
from faceassay.upkeep.records import given_up_weights, refuse_bad_record

CONTENTS = "contents.json"
"""Name of the archive's first member: schema and the kind and key of every artifact in it."""
ARCHIVE_SCHEMA = 1


@dataclass(frozen=True)
class Packed:
    """Hold how much was put into an archive."""

    artifacts: int
    bytes: int


def pack(store: Store, file: Path, keys: Collection[str] | None = None, *, without_weights: bool = False) -> Packed:
    """Write artifacts into an archive, which appears whole or not at all.

    Args:
        store: where they are.
        file: the archive to write.
        keys: digests of those to take, None for all.
        without_weights: leave out the weights of generators and recognizers.

    Raises:
        StoreError: when a record or a file is not what was written, there is nothing to pack, or the archive cannot be
            written.
    """
    records = [_sound(store, kind, key) for kind, key in store.find("") if keys is None or key in keys]
    if not records:
        raise StoreError(f"nothing to pack in the store {store.root}: run the matrix first")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, CONTENTS, _contents(records))
                for record in records:
                    _add_artifact(tar, store, record, without_weights)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be written ({error}): choose another place") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return Packed(len(records), file.stat().st_size)


def _sound(store: Store, kind: str, key: str) -> Record:
    """Return a record that the other machine will accept."""
    record = store.record(kind, key) or {}
    try:
        refuse_bad_record(record, kind, key)
    except StoreError as error:
        raise StoreError(f"{store.folder(kind, key)}: {error}: see faceassay store check") from error
    return record


def _contents(records: Collection[Record]) -> bytes:
    artifacts = [[record["kind"], record["digest"]] for record in records]
    about = {"archive": ARCHIVE_SCHEMA, "store": STORE_SCHEMA, "faceassay": version("faceassay")}
    return json.dumps({**about, "artifacts": artifacts}, indent=1).encode()


def _add_artifact(tar: tarfile.TarFile, store: Store, record: Record, without_weights: bool) -> None:
    kind, key = record["kind"], record["digest"]
    absent = {*given_up(record), *(given_up_weights(kind, record["files"]) if without_weights else ())}
    told = sealed({**record, "given_up": sorted(absent)}) if absent else record
    place = f"artifacts/{kind}/{key}"
    _add(tar, f"{place}/{RECORD}", json.dumps(told, indent=1, sort_keys=True).encode())
    for name in sorted(set(record["files"]) - absent):
        with _opened(store.folder(kind, key) / name) as stream:
            _add_checked(tar, f"{place}/{name}", stream, record["files"][name], store.folder(kind, key) / name)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): see faceassay store check") from error


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


class _Hashing:
    """Pass a stream on and hash what passes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.hash.update(content)
        return content


def _add_checked(tar: tarfile.TarFile, name: str, stream: BinaryIO, described: Record, path: Path) -> None:
    member, hashing = tarfile.TarInfo(name), _Hashing(stream)
    member.size = os.fstat(stream.fileno()).st_size
    if member.size == described["bytes"]:
        tar.addfile(member, hashing)
    if member.size != described["bytes"] or hashing.hash.hexdigest() != described["sha256"]:
        raise StoreError(f"{path} is not what was written: see faceassay store check")


def artifacts_named(contents: object) -> Iterator[tuple[str, str]]:
    """Yield kind and key of every artifact that a list of contents names.

    Raises:
        StoreError: when it is of another schema or not formed as it should be.
    """
    try:
        schemas = contents["archive"], contents["store"]  # type: ignore[index]
        named = [(str(kind), str(key)) for kind, key in contents["artifacts"]]  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"its {CONTENTS} is not formed as it should be ({error!r})") from error
    if schemas != (ARCHIVE_SCHEMA, STORE_SCHEMA):
        told = f"archive schema {schemas[0]} with store schema {schemas[1]}"
        reads = f"this version reads {ARCHIVE_SCHEMA} with {STORE_SCHEMA}"
        raise StoreError(f"it has {told}, {reads}: use the version of faceassay that wrote it")
    yield from named
