"""Own the execution of one stage: lock, run in a staging folder, commit or keep the failure. Decides no order."""

from __future__ import annotations

import json
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from faceassay import keys
from faceassay.checkpoints import DEFAULT_INTERVAL, FolderCheckpoints
from faceassay.contracts import DataError, FaceassayError, Outcome, Resources, StageContext, data_paths
from faceassay.environment import describe_environment, peak_memory_bytes
from faceassay.given import plugin_digest
from faceassay.graph import THREADED_KINDS, Stage, code_table
from faceassay.hookspecs import ENTRY_POINT_GROUP
from faceassay.inputs import input_contents, open_sources, stage_module
from faceassay.states import is_current
from faceassay.store import NO_SPACE, Store, given_up, write_atomically
from faceassay.threads import fixed_threads

COST_INTERVAL = 2.0
"""Seconds between two notes of the time spent, which a killed attempt leaves behind."""


def _silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Order:
    """Order one stage. Calling it runs the stage in this process; it never raises what the stage raises."""

    stage: Stage
    store: Path
    resources: Resources = field(default_factory=Resources)
    checkpoint_interval: float = DEFAULT_INTERVAL
    progress: Callable[[int, int], None] = _silent

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the progress behind: whoever shows it stays in the process that gave the order."""
        return Order, (self.stage, self.store, self.resources, self.checkpoint_interval)

    def __call__(self) -> Outcome:
        """Run the stage unless its artifact is there and made from the present inputs."""
        store, stage = Store.open(self.store), self.stage
        with store.lock(stage.digest):
            try:
                record = store.record(stage.kind, stage.digest)
                if record is not None and is_current(stage, record, store) and not given_up(record):
                    store.verified(stage.kind, stage.digest)
                    return Outcome(stage.digest, record, reused=True)
                return Outcome(stage.digest, _run(self, store))
            except Exception as error:  # noqa: BLE001 - whatever a stage raises fails this stage and no other
                reason = explain(error, stage, store)
                store.fail(stage.digest, failure_document(stage, reason))
                return Outcome(stage.digest, None, reason)


@dataclass
class _Meter:
    """Count what an attempt costs; the time is noted in the staging folder, so that attempts add up."""

    staging: Path
    forward: Callable[[int, int], None]
    evaluations: int = 0
    passes: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _noted: float = 0.0
    _progress: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        try:
            before = json.loads((self.staging / "cost.json").read_text())
        except (OSError, ValueError):
            before = {"seconds": 0.0, "attempts": 0}
        self._before: dict[str, Any] = before
        self.note()

    def seconds(self) -> float:
        return float(self._before["seconds"]) + time.monotonic() - self._started

    def attempts(self) -> int:
        return int(self._before["attempts"]) + 1

    def progress(self, done: int, total: int) -> None:
        self._progress = done, total
        if time.monotonic() - self._noted >= COST_INTERVAL:
            self.note()
        self.forward(done, total)

    def note(self) -> None:
        self._noted = time.monotonic()
        document = {"seconds": self.seconds(), "attempts": self.attempts(), "progress": self._progress}
        write_atomically(self.staging / "cost.json", json.dumps(document))

    def count(self, evaluations: int) -> None:
        self.evaluations += evaluations


def noted_progress(store: Store, key: str) -> tuple[int, int] | None:
    """Return (done, total) as the stage of ``key`` last noted it, in whatever process it runs, or None."""
    try:
        done, total = json.loads((store.staging(key) / "cost.json").read_text())["progress"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return int(done), int(total)


def _run(order: Order, store: Store) -> Mapping[str, Any]:
    stage, staging = order.stage, store.staging(order.stage.digest)
    inputs = input_contents(stage, store)
    _drop_what_other_inputs_made(staging, inputs)
    work = staging / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    meter = _Meter(staging, order.progress)
    context = StageContext(
        folder=work,
        scratch=staging,
        seed=stage.seed,
        checkpoints=FolderCheckpoints(staging / "checkpoints", order.checkpoint_interval),
        threads=stage.threads,
        device=order.resources.device,
        progress=meter.progress,
        log=meter.log.append,
        count_evaluations=meter.count,
        count_passes=meter.passes.update,
    )
    try:
        with_torch = stage.kind in THREADED_KINDS
        with fixed_threads(stage.threads if with_torch else 1, with_torch=with_torch):
            _compute(order, store, context)
        _require_unchanged(stage)
    finally:
        meter.note()
    return store.commit(stage.kind, stage.digest, work, _facts(order, inputs, meter))


def _compute(order: Order, store: Store, context: StageContext) -> None:
    stage, resources = order.stage, order.resources
    if stage.kind == "synthesis" and resources.workers > 1:
        from faceassay.workers import render_missing

        render_missing(stage, store, resources, context.progress)
    if stage.world > 1:
        from faceassay.ranks import run_together

        return run_together(stage, store, context, order.checkpoint_interval)
    sources = open_sources(stage, store, resources.device)
    stage_module(stage.kind).run(stage.plugin, sources, context)
    context.count_passes(sources.passes)


def _require_unchanged(stage: Stage) -> None:
    """Check, once the plugin has read its files, that they are those that the key tells of.

    Raises:
        DataError: when one is not: the artifact would be kept under the key of another.
    """
    now, told = keys.plugin_document(stage.plugin, plugin_digest(type(stage.plugin))), stage.key.document["plugin"]
    changed = [name for name in data_paths(stage.plugin) if now["parameters"].get(name) != told["parameters"].get(name)]
    if changed:
        raise DataError(f"{' and '.join(changed)} of {stage.plugin.name} changed meanwhile: run again")


def _drop_what_other_inputs_made(staging: Path, inputs: Mapping[str, Any]) -> None:
    """Keep checkpoints and blocks of an earlier attempt only while they come from the same bytes of the same inputs."""
    made_from, text = staging / "inputs.json", json.dumps(inputs, sort_keys=True)
    if not made_from.exists() or made_from.read_text() != text:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True, exist_ok=True)
        write_atomically(made_from, text)


def _facts(order: Order, inputs: Mapping[str, Any], meter: _Meter) -> dict[str, Any]:
    stage = order.stage
    cost = {
        "seconds": round(meter.seconds(), 3),
        "attempts": meter.attempts(),
        "device": order.resources.device,
        "threads": stage.threads,
        "workers": order.resources.workers,
        "peak_memory_bytes": peak_memory_bytes(),
        "network_evaluations": meter.evaluations,
        "passes": dict(sorted(meter.passes.items())),
        "work": stage.work,
        "unit": stage.unit,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    facts = {"title": stage.title, "key": stage.key.document, "inputs": inputs, "cost": cost, "code": code_table(stage)}
    about = {"distribution": _distribution(stage), "environment": describe_environment(), "log": meter.log}
    return facts | about


def failure_document(stage: Stage, reason: str) -> dict[str, Any]:
    """Return what the store keeps of the failure that is being handled."""
    return {
        "title": stage.title,
        "kind": stage.kind,
        "reason": reason,
        "traceback": traceback.format_exc(),
        "key": stage.key.document,
        "code": code_table(stage),
        "distribution": _distribution(stage),
        "environment": describe_environment(),
        "failed": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def explain(error: Exception, stage: Stage, store: Store) -> str:
    """Return in one line what failed, in which plugin of which distribution, and what to do."""
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return f"no space left for the store {store.root}: finished stages are kept; free space and run again"
    text = " ".join(str(error).split()) or "no message"
    said = text if isinstance(error, FaceassayError) else f"{type(error).__name__}: {text}"
    return f"{stage.kind} plugin {stage.plugin.name!r} {stage.plugin.version} ({_distribution(stage)}): {said}"


def _distribution(stage: Stage) -> str:
    """Name the distribution with an entry point in the plugin's package; an editable one lists no modules."""
    top = type(stage.plugin).__module__.partition(".")[0]
    points = entry_points(group=ENTRY_POINT_GROUP)
    named = (point.dist for point in points if point.dist and point.module.partition(".")[0] == top)
    return next((f"{found.name} {found.version}" for found in named), f"module {top}")
