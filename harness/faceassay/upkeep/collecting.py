"""Own what of a store may go: artifacts that no given matrix needs, failures, what interrupted stages left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from faceassay.contracts import StoreError
from faceassay.store import Record, Store

DRAWN = "figure"
"""The kind that no matrix names: it is kept while all that it was drawn from is."""


@dataclass(frozen=True)
class Garbage:
    """Hold one thing that may go: ``path`` of the stage ``key``, and why."""

    key: str
    path: Path
    bytes: int
    why: str


def garbage(store: Store, needed: Collection[str] | None) -> list[Garbage]:
    """Return what may go; what is being worked on, or read by a stage that is, may not.

    Args:
        store: where to look.
        needed: digests of the stages that are to be kept, None where nobody said: then every artifact stays, and
            what an interrupted stage goes on from.
    """
    running = {path.stem for path in (store.root / "locks").glob("*.lock") if store.is_locked(path.stem)}
    kept = running | {key for runs in running for key in _read_by(store, runs)}
    found = [] if needed is None else list(_artifacts(store, kept | set(needed)))
    going = {one.key for one in found}
    for path in sorted((store.root / "failures").glob("*.json")):
        if path.stem not in running:
            found.append(Garbage(path.stem, path, path.stat().st_size, "why a stage failed"))
    for path in sorted((store.root / "staging").glob("*")):
        useless = store.find(path.name) or (needed is not None and path.name not in needed)
        if path.name not in running | going and useless:
            found.append(Garbage(path.name, path, _size(path), "what an interrupted stage left"))
    return found


def sweep(store: Store, things: Collection[Garbage]) -> Iterator[str]:
    """Remove ``things`` one by one; yield what could not be removed, and why."""
    for one in things:
        try:
            with store.lock(one.key, wait=False):
                _remove(store, one)
        except StoreError as error:
            yield f"{one.path} stays: {error}"


def _remove(store: Store, one: Garbage) -> None:
    if one.path.parent.name == "failures":
        one.path.unlink(missing_ok=True)
    elif one.path.parent.name == "staging":
        shutil.rmtree(one.path, ignore_errors=True)
    elif one.path.exists():
        store.remove(one.path.parent.name, one.key)


def _artifacts(store: Store, kept: Collection[str]) -> Iterator[Garbage]:
    for folder in sorted((store.root / "artifacts").glob("*/*")):
        record = _record(store, folder)
        drawn = folder.parent.name == DRAWN and record is not None and _inputs(record) <= set(kept)
        if folder.name not in kept and not drawn:
            title = record.get("title", "") if record else "its record cannot be read"
            yield Garbage(folder.name, folder, _size(folder), title)


def _record(store: Store, folder: Path) -> Record | None:
    try:
        return store.record(folder.parent.name, folder.name)
    except StoreError:
        return None


def _inputs(record: Record) -> set[str]:
    return {document["stage"] for document in record["key"]["inputs"].values() if "stage" in document}


def _read_by(store: Store, key: str) -> Iterator[str]:
    """Yield the keys of the artifacts that a stage under way reads."""
    try:
        inputs = json.loads((store.staging(key) / "inputs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    yield from (source["key"] for source in inputs.values() if "key" in source)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
