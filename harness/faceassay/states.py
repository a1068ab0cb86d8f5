"""Own the states of stages: missing, running, done, failed, stale, absent; and which stages a run must make."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from faceassay.graph import Graph, Stage
from faceassay.store import Record, Store, given_up


class State(StrEnum):
    """Where a stage stands."""

    MISSING = "missing"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    WITHOUT_WEIGHTS = "without weights"
    """Done, and its weights given up on purpose: they are made again when a stage that must run reads them."""
    ABSENT = "absent"
    """Its data is not there."""


def state_of(stage: Stage, store: Store) -> State:
    """Return where ``stage`` stands in ``store``; files are not verified here."""
    if stage.absent:
        return State.ABSENT
    record = store.record(stage.kind, stage.digest)
    if record is not None and is_current(stage, record, store):
        return State.WITHOUT_WEIGHTS if given_up(record) else State.DONE
    if store.is_locked(stage.digest):
        return State.RUNNING
    if record is not None:
        return State.STALE
    return State.FAILED if store.failure(stage.digest) else State.MISSING


def is_current(stage: Stage, record: Record, store: Store) -> bool:
    """Tell whether the artifact was made from the inputs that the store holds now.

    An input that is gone (weights removed to save space) says nothing against it.
    """
    for name, source in stage.stages().items():
        present = store.record(source.kind, source.digest)
        if present is not None and present["content"] != record["inputs"][name]["content"]:
            return False
    return True


def settled_stages(graph: Graph, store: Store) -> frozenset[str]:
    """Return the digests of the stages that are done and whose inputs, however far back, are not stale."""
    records = {key: store.record(stage.kind, key) for key, stage in graph.stages.items()}
    current = {key for key, record in records.items() if record and is_current(graph.stages[key], record, store)}
    stale = {key for key, record in records.items() if record} - current
    return frozenset(
        key for key in current if not any(source.digest in stale for source in graph.ancestors(graph.stages[key]))
    )


def required_stages(graph: Graph, store: Store, *, even_absent: bool = False) -> list[Stage]:
    """Return the stages that must run so that every target is there, inputs before what needs them.

    Targets whose data is not there are left out, unless ``even_absent``: then what they would need counts too. What was
    kept without its weights is made again where one of these stages reads it.
    """
    settled = settled_stages(graph, store)
    whole = {key for key in settled if not given_up(store.record(graph.stages[key].kind, key) or {})}
    required: set[str] = set()

    def require(stage: Stage, there: Collection[str]) -> None:
        if stage.digest not in required and stage.digest not in there:
            required.add(stage.digest)
            for source in stage.stages().values():
                require(source, whole)

    for target in graph.targets():
        if even_absent or not target.absent:
            require(target, settled)
    return [stage for key, stage in graph.stages.items() if key in required]
