"""Own the list of what a store holds: one entry for each artifact. Renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faceassay.store import Record, Store, given_up


@dataclass(frozen=True)
class Listed:
    """Hold the facts about one artifact.

    Attributes:
        kind, key, title: which it is.
        bytes: size of the files that are there.
        finished: date and time in UTC, '' where the record has none.
        given_up: whether its weights were given up.
        users: the matrices that use it, of those that were asked about.
    """

    kind: str
    key: str
    title: str
    bytes: int
    finished: str
    given_up: bool
    users: tuple[str, ...]


def listed(store: Store, users: Mapping[str, Sequence[str]], kind: str | None = None) -> list[Listed]:
    """Return every artifact of ``store`` whose record can be read, the oldest first.

    Args:
        store: where to look.
        users: names of matrices by the digests that they use.
        kind: the only kind to list, None for all.
    """
    found = [_listed(record, users) for record in store.records() if kind in (None, record["kind"])]
    return sorted(found, key=lambda one: (one.finished, one.kind, one.key))


def bytes_of(record: Record) -> int:
    """Return the size of the files of an artifact that are there."""
    absent = given_up(record)
    return sum(described["bytes"] for name, described in record["files"].items() if name not in absent)


def _listed(record: Record, users: Mapping[str, Sequence[str]]) -> Listed:
    kind, key, title = record["kind"], record["digest"], record.get("title", "")
    finished = record.get("cost", {}).get("finished", "")
    return Listed(kind, key, title, bytes_of(record), finished, bool(given_up(record)), tuple(users.get(key, ())))
