"""Own one verification: a stage run once more, away from the store, from its stored inputs, and the verdict on it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faceassay.certificates.comparing import Difference, differences
from faceassay.certificates.tolerances import NONE, TOLERANCES, Tolerance, environment_differences
from faceassay.contracts import Resources, StoreError
from faceassay.environment import describe_environment
from faceassay.execute import Order
from faceassay.graph import Stage
from faceassay.store import Record, Store, given_up


class Verdict(StrEnum):
    """What a verification ends in."""

    SAME = "same bytes"
    WITHIN = "within tolerance"
    DIFFERENT = "different"
    UNVERIFIABLE = "cannot be verified"
    DAMAGED = "damaged"
    FAILED = "failed"


CERTIFIED = (Verdict.SAME, Verdict.WITHIN)
"""Verdicts that certify a stage."""
WRONG = (Verdict.DIFFERENT, Verdict.DAMAGED, Verdict.FAILED)
"""Verdicts that tell that something is wrong."""


@dataclass(frozen=True)
class Verified:
    """Hold the verdict on one stage.

    Attributes:
        stage: which.
        verdict: what came out.
        reason: why, in words; '' where the bytes are the same.
        then: the environment that made the artifact, with its device.
        now: the environment of the second run.
        apart: in what both differ, as far as that may change bytes.
        found: the largest difference in each file that differs.
        seconds: what the second run took.
    """

    stage: Stage
    verdict: Verdict
    reason: str
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    apart: Sequence[str] = ()
    found: Sequence[Difference] = field(default_factory=tuple)
    seconds: float = 0.0


def verify(stage: Stage, store: Store, resources: Resources) -> Verified:
    """Run ``stage`` once more and compare; the store is only read.

    Args:
        stage: its artifact is in the store.
        store: where its artifact and its inputs are.
        resources: where to compute.
    """
    record = store.record(stage.kind, stage.digest) or {}
    then = {**record["environment"], "device": record["cost"]["device"]}
    now = {**describe_environment(), "device": resources.device}
    verdict, reason = _obstacle(stage, record, store)
    if verdict is not None:
        return Verified(stage, verdict, reason, then, now)
    apart = environment_differences(then, now)
    started = time.monotonic()
    with TemporaryDirectory(prefix="faceassay-verify-") as folder:
        scratch = _scratch(stage, store, Path(folder))
        outcome = Order(stage, scratch.root, resources)()
        seconds = round(time.monotonic() - started, 3)
        if outcome.record is None:
            return Verified(stage, Verdict.FAILED, str(outcome.error), then, now, apart, (), seconds)
        folders = store.folder(stage.kind, stage.digest), scratch.folder(stage.kind, stage.digest)
        allowed = TOLERANCES[stage.kind] if apart else NONE
        found = differences(*folders, (record, outcome.record), allowed)
    verdict, reason = _judged(found, apart, allowed)
    return Verified(stage, verdict, reason, then, now, apart, found, seconds)


def _obstacle(stage: Stage, record: Record, store: Store) -> tuple[Verdict | None, str]:
    """Return why a stage cannot be run again and compared, if so."""
    for name, source in [("", stage), *stage.stages().items()]:
        whose = f"its input {name} ({source.title})" if name else "its artifact"
        held = store.record(source.kind, source.digest) if name else record
        if held is None:
            return Verdict.UNVERIFIABLE, f"{whose} is not in the store"
        if missing := given_up(held):
            return Verdict.UNVERIFIABLE, f"{whose} is kept without its weights ({', '.join(missing)})"
        try:
            store.verified(source.kind, source.digest)
        except StoreError as error:
            return Verdict.DAMAGED, f"{whose}: {error}"
    return None, ""


def _scratch(stage: Stage, store: Store, folder: Path) -> Store:
    """Return a store that holds nothing but links to the inputs of ``stage``."""
    scratch = Store.open(folder)
    for source in stage.stages().values():
        link = scratch.folder(source.kind, source.digest)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(store.folder(source.kind, source.digest).resolve(), target_is_directory=True)
    return scratch


def _judged(found: Sequence[Difference], apart: Sequence[str], allowed: Tolerance) -> tuple[Verdict, str]:
    if not found:
        return Verdict.SAME, ""
    worst = max(found, key=lambda one: (not one.within, one.largest))
    said = f"{worst.file}{f' {worst.part}' if worst.part else ''}: {worst.said}"
    limit = f"; {worst.limit:g} is allowed" if math.isfinite(worst.largest) else ""
    where = f"; {'; '.join(apart)}" if apart else ""
    if apart and all(one.within for one in found):
        return Verdict.WITHIN, f"{said}{limit}{where}"
    return Verdict.DIFFERENT, f"{said}{limit} ({allowed.reason}){where}"
