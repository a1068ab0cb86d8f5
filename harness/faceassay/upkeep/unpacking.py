"""Own the import of an archive: each artifact appears whole and verified, and replaces no other unasked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from faceassay.contracts import StoreError
from faceassay.store import BusyError, Record, Store, given_up
from faceassay.upkeep.reading import Archived, archive

CHUNK = 2**20
NAMED = 3
"""Differing files that are named."""


class Fate(StrEnum):
    """What becomes of an artifact of an archive."""

    ADDED = "added"
    THERE = "there already"
    COMPLETED = "completed with weights"
    REPLACED = "replaced"
    REFUSED = "refused"


STAYS = (Fate.THERE, Fate.REFUSED)
"""Fates with which the store stays as it is."""


@dataclass
class Imported:
    """Hold what an import did: how many artifacts met which fate, and in words what was refused or replaced."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    said: list[str] = field(default_factory=list)


def unpack(store: Store, file: Path, *, prefer_theirs: bool = False) -> Imported:
    """Bring the artifacts of an archive into a store.

    An artifact that is there with the same content stays as it is; one that has another content under the same key
    stays too and is named, unless ``prefer_theirs``.

    Args:
        store: where to.
        file: an archive that `faceassay.upkeep.packing.pack` wrote, on whatever machine.
        prefer_theirs: let the archive's artifact replace one of other content.

    Raises:
        StoreError: before anything is written, when the archive is not sound or the disk too full; at the file in
            question, when a file is not what its record says: the artifacts before it are there then, whole.
    """
    imported = Imported()
    with archive(file) as (tar, artifacts):
        fates = [_fate(store, one.record, prefer_theirs)[0] for one in artifacts]
        coming = [one.bytes for one, fate in zip(artifacts, fates, strict=True) if fate not in STAYS]
        _require_space(store, sum(coming))
        for one in artifacts:
            fate, said = _settle(store, tar, one, prefer_theirs)
            imported.fates[fate] += 1
            imported.said += [said] if said else []
    return imported


def _settle(store: Store, tar: tarfile.TarFile, one: Archived, prefer_theirs: bool) -> tuple[Fate, str]:
    """Bring one artifact in, unless it is there or refused."""
    fate, said = _fate(store, one.record, prefer_theirs)
    if fate in STAYS:
        return fate, said
    try:
        with store.lock(one.record["digest"], wait=False):
            fate, said = _fate(store, one.record, prefer_theirs)
            if fate not in STAYS:
                _bring(store, tar, one)
    except BusyError as error:
        return Fate.REFUSED, str(error)
    except OSError as error:
        raise StoreError(f"store {store.root} cannot be written ({error}): what is imported by now is kept") from error
    return fate, said


def _fate(store: Store, record: Record, prefer_theirs: bool) -> tuple[Fate, str]:
    """Return what becomes of an artifact with ``record``, and what there is to say of it."""
    present = store.record(record["kind"], record["digest"])
    if present is None:
        return Fate.ADDED, ""
    if present["content"] == record["content"]:
        more = set(given_up(present)) - set(given_up(record))
        less = set(given_up(record)) - set(given_up(present))
        return (Fate.COMPLETED if more and not less else Fate.THERE), ""
    names = sorted({*present["files"], *record["files"]})
    wrong = [name for name in names if present["files"].get(name) != record["files"].get(name)]
    more_names = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    made = f"made {present['cost']['finished']} here, {record['cost']['finished']} there"
    said = f"{record['digest'][:12]} {record['title']} differs in {', '.join(wrong[:NAMED])}{more_names} ({made})"
    return (Fate.REPLACED if prefer_theirs else Fate.REFUSED), said


def _bring(store: Store, tar: tarfile.TarFile, one: Archived) -> None:
    folder = store.staging(one.record["digest"]) / "imported"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for name, member in one.files.items():
            _write(tar, member, folder / name, one.record["files"][name]["sha256"])
        store.adopt(folder, one.record)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty, or gone with the commit
            folder.parent.rmdir()


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, sha256: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    hashed, left = hashlib.sha256(), member.size
    with path.open("xb") as file:
        for chunk in _chunks(tar, member):
            hashed.update(chunk)
            left -= len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if left or hashed.hexdigest() != sha256:
        raise StoreError(f"{member.name} is not what its record says (its sha256 differs): copy the archive again")


def _chunks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream = tar.extractfile(member)
    while stream and (chunk := stream.read(CHUNK)):
        yield chunk


def _require_space(store: Store, need: int) -> None:
    free = shutil.disk_usage(store.root).free
    if free < need:
        raise StoreError(
            f"store {store.root}: {free // 2**20} MiB free, the archive needs {need // 2**20} MiB: "
            "free space or choose another disk with --store DIR"
        )
