"""Own the run of a matrix: which stages, in which order, and who is told. Computes no number itself."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from faceassay.checkpoints import DEFAULT_INTERVAL
from faceassay.contracts import Executor, Observer, Outcome, Resources, StoreError
from faceassay.estimates import estimate, expected_bytes, recorded_rates
from faceassay.execute import Order, failure_document, noted_progress
from faceassay.graph import Graph, Stage
from faceassay.states import required_stages
from faceassay.store import Store

POLL_SECONDS = 1.0
"""Time between two looks at the stages that run in other processes."""


@dataclass(frozen=True)
class Surroundings:
    """Say where and how a matrix runs; none of it changes a number."""

    store: Store
    executor: Executor
    resources: Resources = field(default_factory=Resources)
    checkpoint_interval: float = DEFAULT_INTERVAL
    cost_table: Path | None = None


@dataclass
class Watchers:
    """Tell observers; one that fails is dropped with a warning and stops no run."""

    observers: list[Observer] = field(default_factory=list)
    warn: Callable[[str], None] = warnings.warn

    def tell(self, event: str, *facts: Any) -> None:
        """Call the method ``event`` of every observer."""
        for observer in list(self.observers):
            try:
                getattr(observer, event)(*facts)
            except Exception as error:  # noqa: BLE001 - a display or a tracker must not cost a run
                self._drop(observer, error)

    def _drop(self, observer: Observer, error: Exception) -> None:
        with suppress(ValueError):  # another thread has dropped it meanwhile
            self.observers.remove(observer)
            self.warn(f"observer {observer.name!r} failed and is left out from here on: {_one_line(error)}")


def run_graph(graph: Graph, surroundings: Surroundings, watchers: Watchers) -> dict[str, str]:
    """Run every stage that is required and return the failures: digest -> reason in one line.

    A failed stage fails only what needs it.

    Raises:
        StoreError: before the first stage, when a cached artifact is damaged or the disk is too full.
    """
    store = surroundings.store
    required = required_stages(graph, store)
    _verify_cached(required, graph, store)
    _require_space(required, store)
    rates = recorded_rates(store, surroundings.cost_table)
    watchers.tell("run_started", required, {stage.digest: estimate(stage, rates) for stage in required})
    try:
        return _Schedule(required, surroundings, watchers).work_off()
    finally:
        surroundings.executor.close()


def _verify_cached(required: Sequence[Stage], graph: Graph, store: Store) -> None:
    """Check the bytes of every finished artifact that this run or its report will read."""
    making = {stage.digest for stage in required}
    readers = [*graph.targets(), *required]
    read = {stage.digest: stage for stage in readers} | {s.digest: s for r in required for s in r.stages().values()}
    for key, stage in read.items():
        if key not in making and not stage.absent:
            store.verified(stage.kind, key)


def _require_space(required: Sequence[Stage], store: Store) -> None:
    if not required:
        return
    need, free = expected_bytes(required), shutil.disk_usage(store.root).free
    if free < need:
        raise StoreError(
            f"store {store.root}: {free // 2**20} MiB free, this run may need {need // 2**20} MiB: "
            "free space or choose another disk with --store DIR"
        )


class _Schedule:
    """Submit each stage once all its inputs are there; skip what can no longer be had."""

    def __init__(self, stages: Sequence[Stage], surroundings: Surroundings, watchers: Watchers) -> None:
        self.waiting = list(stages)
        self.surroundings = surroundings
        self.watchers = watchers
        self.running: dict[Future[Outcome], Stage] = {}
        self.failures: dict[str, str] = {}

    def work_off(self) -> dict[str, str]:
        """Run everything; return the failures."""
        while self.waiting or self.running:
            for stage in self._ready():
                if len(self.running) >= self.surroundings.executor.slots():
                    break
                self.waiting.remove(stage)
                self._start(stage)
            self._collect()
        return self.failures

    def _ready(self) -> list[Stage]:
        unfinished = {stage.digest for stage in [*self.waiting, *self.running.values()]}
        return [stage for stage in self.waiting if not any(s.digest in unfinished for s in stage.stages().values())]

    def _start(self, stage: Stage) -> None:
        broken = [source for source in stage.stages().values() if source.digest in self.failures]
        if broken:
            reason = f"needs {broken[0].title}, which failed"
            self._end(stage, Outcome(stage.digest, None, reason))
            return
        self.watchers.tell("stage_started", stage)
        about = self.surroundings
        order = Order(
            stage, about.store.root, about.resources, about.checkpoint_interval, self._progress_of(stage)
        )  # fmt: skip
        self.running[about.executor.submit(order)] = stage

    def _progress_of(self, stage: Stage) -> Callable[[int, int], None]:
        return partial(self.watchers.tell, "stage_progressed", stage)

    def _collect(self) -> None:
        if not self.running:
            return
        while not (done := wait(self.running, POLL_SECONDS, FIRST_COMPLETED).done):
            self._look_after()
        for future in done:
            stage = self.running.pop(future)
            self._end(stage, self._outcome(future, stage))

    def _look_after(self) -> None:
        """Tell how far the stages are that run elsewhere."""
        for stage in self.running.values():
            progress = noted_progress(self.surroundings.store, stage.digest)
            if progress is not None:
                self.watchers.tell("stage_progressed", stage, *progress)

    def _outcome(self, future: Future[Outcome], stage: Stage) -> Outcome:
        about = self.surroundings
        try:
            return future.result()
        except Exception as error:  # noqa: BLE001 - an executor may lose a stage in any way: its process or machine dies
            reason = f"executor {about.executor.name!r} lost the stage: {_one_line(error)}"
            about.store.fail(stage.digest, failure_document(stage, reason))
            return Outcome(stage.digest, None, reason)

    def _end(self, stage: Stage, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.failures[stage.digest] = outcome.error
        self.watchers.tell("stage_finished", stage, outcome)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
