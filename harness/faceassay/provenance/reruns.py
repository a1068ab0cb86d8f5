"""Own why stages of a matrix are to be run again: the nearest artifact that a store holds, and what sets it apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceassay.graph import Graph, Stage
from faceassay.provenance.differences import Comparison, places_apart
from faceassay.provenance.known import SHOWN, Known, finder, of_record, of_stage
from faceassay.states import State, state_of
from faceassay.store import Record, Store

MADE = (State.DONE, State.WITHOUT_WEIGHTS, State.RUNNING)


def rerun_lines(stages: Sequence[Stage], graph: Graph, store: Store) -> Iterator[str]:
    """Yield a line for each stage with its key and state, and under those that are not done, why.

    Args:
        stages: of ``graph``, inputs before what needs them.
        graph: the matrix.
        store: where its artifacts are.
    """
    records = sorted(store.records(), key=_finished, reverse=True)
    comparison = Comparison(finder(store), finder(store, graph))
    for stage in stages:
        state = state_of(stage, store)
        yield f"{stage.digest[:SHOWN]} {stage.title}: {state}"
        if state is State.STALE:
            yield from _stale(stage, store)
        elif state not in MADE:
            yield from _failure(stage, store)
            yield from _apart(stage, store, records, comparison)


def nearest(stage: Stage, records: Sequence[Record]) -> Known | None:
    """Return the artifact of the same kind and plugin whose key differs in the fewest places, None without any.

    Args:
        stage: what is to be made.
        records: of a store; of several that are as near, one of the same title counts first, then the first one.
    """
    alike = [
        record
        for record in records
        if record["kind"] == stage.kind and record["key"]["plugin"]["name"] == stage.plugin.name
    ]
    document = stage.key.document

    def far(record: Record) -> tuple[int, bool]:
        return places_apart(record["key"], document), record["title"] != stage.title

    found = min(alike, key=far, default=None)
    return of_record(found) if found else None


def _stale(stage: Stage, store: Store) -> Iterator[str]:
    record = store.record(stage.kind, stage.digest) or {"inputs": {}}
    for name, source in stage.stages().items():
        present, made_from = store.record(source.kind, source.digest), record["inputs"][name]["content"]
        if present is not None and present["content"] != made_from:
            held = f"the store now holds {present['content'][:SHOWN]} under the same key"
            yield f"  made from another {name}: {made_from[:SHOWN]}, {held} ({source.title})"


def _failure(stage: Stage, store: Store) -> Iterator[str]:
    failure = store.failure(stage.digest)
    if failure is not None:
        yield f"  failed: {failure['reason']}"


def _apart(stage: Stage, store: Store, records: Sequence[Record], comparison: Comparison) -> Iterator[str]:
    near = nearest(stage, records)
    if near is None:
        yield f"  nothing like it is in the store: no other {stage.kind} by {stage.plugin.name}"
        return
    yield f"  nearest in the store: {near.short} {near.title}, finished {_finished(near.record)}"
    for cause in comparison.causes(near, of_stage(stage, store)):
        whose = "" if cause.second.digest == stage.digest else f"{cause.second.title}: "
        yield from (f"    {whose}{line}" for line in cause.lines)


def _finished(record: Record) -> str:
    return str(record["cost"]["finished"])
