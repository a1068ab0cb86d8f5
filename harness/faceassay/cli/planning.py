"""Own the text of ``faceassay plan``: one line per stage, then what the missing ones will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from faceassay.estimates import Rates, estimate, expected_bytes, recorded_rates
from faceassay.graph import Graph, Stage
from faceassay.progress import duration, stage_count
from faceassay.states import State, required_stages, state_of
from faceassay.store import Store


def plan_lines(graph: Graph, store: Store, cost_table: Path) -> Iterator[str]:
    """Yield the lines of a plan."""
    rates, required = recorded_rates(store, cost_table), required_stages(graph, store)
    states = {key: state_of(stage, store) for key, stage in graph.stages.items()}
    rows = [_row(stage, states[key], rates) for key, stage in graph.stages.items()]
    yield tabulate(rows, ["state", "stage", "key", "work", "estimate"], disable_numparse=True)
    yield ""
    counts = Counter(str(state) for state in states.values())
    yield f"{stage_count(len(rows))}: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    yield from _totals(required, rates)


def _row(stage: Stage, state: State, rates: Rates) -> list[str]:
    seconds = None if state is State.DONE else estimate(stage, rates)
    cost = "" if state is State.DONE else "unknown" if seconds is None else f"about {duration(seconds)}"
    return [str(state), stage.title, stage.digest[:12], f"{stage.work} {stage.unit}", cost]


def _totals(required: list[Stage], rates: Rates) -> Iterator[str]:
    if not required:
        yield "nothing to run"
        return
    yield f"to run: {stage_count(len(required))}, {_time([estimate(stage, rates) for stage in required])}"
    yield f"network evaluations of sampling: {sum(map(_evaluations, required))}"
    yield f"disk: at most {expected_bytes(required) / 2**20:.0f} MiB"


def _time(seconds: list[float | None]) -> str:
    """Return the sum in words; what was never run is not guessed."""
    known = [value for value in seconds if value is not None]
    unknown = len(seconds) - len(known)
    if not unknown:
        return f"about {duration(sum(known))}"
    if not known:
        return "time unknown: none like them has run with this store yet"
    return f"about {duration(sum(known))} for {len(known)} of them; none like the other {unknown} has run yet"


def _evaluations(stage: Stage) -> int:
    per_image = getattr(stage.plugin, "evaluations_per_image", None)
    return stage.work * per_image() if stage.kind in ("search", "synthesis") and per_image else 0
