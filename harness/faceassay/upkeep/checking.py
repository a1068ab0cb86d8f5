"""Own the check of a whole store: every byte, every record, and what is left over. Repairs nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faceassay.contracts import StoreError
from faceassay.store import RECORD, Store, given_up
from faceassay.upkeep.records import refuse_bad_record

PARTS = ("artifacts", "staging", "failures", "locks", "store.json")
"""What a store consists of."""


@dataclass(frozen=True)
class Finding:
    """Hold one thing that was found; ``damage`` is what must not be, the rest is worth knowing."""

    damage: bool
    said: str


def findings(store: Store) -> Iterator[Finding]:
    """Yield what is wrong with a store, and what a killed process left in it."""
    for folder in sorted((store.root / "artifacts").glob("*/*")):
        yield from _of_artifact(Store(store.root), folder)
    for path in sorted(store.root.iterdir()):
        if path.name not in PARTS:
            yield Finding(False, f"{path} is no part of a store")
    yield from _left_over(store)


def _of_artifact(store: Store, folder: Path) -> Iterator[Finding]:
    kind, key = folder.parent.name, folder.name
    if not re.fullmatch("[0-9a-f]{64}", key):
        yield Finding(True, f"{folder} is no artifact: its name is no key")
        return
    try:
        record = store.record(kind, key)
        if record is None:
            yield Finding(True, f"{folder} has no {RECORD}: remove it and run again to have it made anew")
            return
        refuse_bad_record(record, kind, key)
        store.verified(kind, key, without_weights=True)
    except StoreError as error:
        text = str(error)
        yield Finding(True, text if str(folder) in text else f"{folder}: {text}")
        return
    if absent := given_up(record):
        yield Finding(False, f"{folder} ({record['title']}) is kept without {', '.join(absent)}")


def _left_over(store: Store) -> Iterator[Finding]:
    for path in sorted((store.root / "staging").glob("*")):
        under_way = "is being worked on" if store.is_locked(path.name) else "is what an interrupted stage goes on from"
        yield Finding(False, f"{path} {under_way}")
    for path in sorted((store.root / "failures").glob("*")):
        try:
            failure = json.loads(path.read_text(encoding="utf-8"))
            yield Finding(False, f"{failure['title']} failed: {failure['reason']}")
        except (OSError, ValueError, KeyError, TypeError):
            yield Finding(True, f"{path} cannot be read: remove it")
    for path in sorted((store.root / "locks").glob("*.lock")):
        if store.is_locked(path.stem) and not store.staging(path.stem).exists():
            yield Finding(False, f"{path} is held")
