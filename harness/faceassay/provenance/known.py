"""Own what is known of a stage that ran, failed or is to run: its key, its code, its record; found by a key's start."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from faceassay.contracts import FaceassayError
from faceassay.graph import Graph, Stage, code_table
from faceassay.store import Record, Store

SHORTEST = 6
"""Digits of a key that are asked for at least."""
SHOWN = 12
"""Digits of a key that are shown."""


@dataclass(frozen=True)
class Known:
    """Hold what is known of one stage.

    Attributes:
        digest: sha256 (hex) of its key.
        kind: stage kind.
        title: what it makes, for people.
        document: its key.
        code: for each digest of code in the key the digests of the modules; empty where nobody recorded them.
        record: what the store says of its artifact, empty while there is none.
        failure: why it failed when it last ran, '' where it did not.
    """

    digest: str
    kind: str
    title: str
    document: Mapping[str, Any]
    code: Mapping[str, Mapping[str, str]]
    record: Record = field(default_factory=dict)
    failure: str = ""

    @property
    def short(self) -> str:
        """The beginning of the key."""
        return self.digest[:SHOWN]

    @property
    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """The part of the key that stands for the inputs, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.document["inputs"]
        return found


Find = Callable[[str], Known | None]
"""Return what is known of the stage with a digest, None where nothing is."""


def of_record(record: Record) -> Known:
    """Return what the record of an artifact says."""
    digest, kind, title = record["digest"], record["kind"], record["title"]
    return Known(digest, kind, title, record["key"], record.get("code", {}), record)


def of_stage(stage: Stage, store: Store) -> Known:
    """Return what is known of a stage of a matrix, whether it ran or not."""
    record, failure = store.record(stage.kind, stage.digest), store.failure(stage.digest)
    reason = str(failure["reason"]) if failure and record is None else ""
    document, code = stage.key.document, code_table(stage)
    return Known(stage.digest, stage.kind, stage.title, document, code, record or {}, reason)


def finder(store: Store, graph: Graph | None = None) -> Find:
    """Return how a digest is looked up: among the stages of ``graph``, then in the store."""
    stages = graph.stages if graph else {}
    return lambda digest: of_stage(stages[digest], store) if digest in stages else _in_store(store, digest)


def chosen(store: Store, start: str) -> Known:
    """Return the artifact, or the failed stage, whose key begins with ``start``.

    Raises:
        FaceassayError: when ``start`` is no beginning of a key, of none, or of several.
    """
    if len(start) < SHORTEST or not re.fullmatch("[0-9a-f]{1,64}", start):
        raise FaceassayError(f"{start!r} is no key: give its first {SHORTEST} or more of 64 digits (0-9, a-f)")
    digests = {digest for _, digest in store.find(start)}
    digests |= {path.stem for path in (store.root / "failures").glob(f"{start}*.json")}
    found = [known for known in (_in_store(store, digest) for digest in sorted(digests)) if known]
    if not found:
        raise FaceassayError(f"no key in the store {store.root} begins with {start}: see faceassay store ls")
    if len(found) > 1:
        several = "; ".join(f"{known.digest[: len(start) + SHORTEST]} {known.title}" for known in found)
        raise FaceassayError(f"{len(found)} keys in the store {store.root} begin with {start}: {several}")
    return found[0]


def _in_store(store: Store, digest: str) -> Known | None:
    for kind, key in store.find(digest):
        record = store.record(kind, key)
        if record is not None:
            return of_record(record)
    return _failed(store, digest)


def _failed(store: Store, digest: str) -> Known | None:
    failure = store.failure(digest)
    if failure is None or not isinstance(failure.get("key"), dict):
        return None
    about = {name: failure[name] for name in ("environment", "distribution") if name in failure}
    code = failure.get("code", {})
    return Known(digest, failure["kind"], failure["title"], failure["key"], code, about, str(failure["reason"]))


def text_of(value: Any, longest: int = 100) -> str:
    """Return ``value`` as JSON on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."
