"""Own the text of ``faceassay plan``: one line per stage, then what the missing ones will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from faceassay.contracts import Plugin, data_paths
from faceassay.estimates import Rates, estimate, expected_bytes, recorded_rates
from faceassay.fingerprints import unread
from faceassay.graph import Graph, Stage
from faceassay.inference import FEWEST_SEEDS, too_few
from faceassay.pricing import ASSUMPTIONS, Price, price, total
from faceassay.progress import duration, stage_count
from faceassay.report.words import counted
from faceassay.spec import MatrixSpec
from faceassay.spec.claim_entries import OF_TWO_ROWS
from faceassay.states import State, required_stages, state_of
from faceassay.store import Store

HEADER = ("state", "stage", "key", "work", "evaluations", "GPU-hours", "estimate")
PRICE_HEADER = (
    "not made yet",
    "stages",
    "network evaluations",
    "training images",
    "other passes",
    "PFLOP",
    "GPU-hours",
)


def plan_lines(graph: Graph, store: Store, cost_table: Path, teraflops: float = 200.0) -> Iterator[str]:
    """Yield the lines of a plan; GPU-hours are those at a sustained rate of ``teraflops``."""
    rates, required = recorded_rates(store, cost_table), required_stages(graph, store)
    states = {key: state_of(stage, store) for key, stage in graph.stages.items()}
    kept = {State.DONE, State.WITHOUT_WEIGHTS}
    made = {key for key, state in states.items() if state in kept} - {stage.digest for stage in required}
    rows = [_row(stage, states[key], key in made, rates, teraflops) for key, stage in graph.stages.items()]
    yield tabulate(rows, HEADER, disable_numparse=True, colalign=["left"] * 4 + ["right"] * 2 + ["left"])
    yield ""
    counts = Counter(str(state) for state in states.values())
    yield f"{stage_count(len(rows))}: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    yield from _totals(required, rates)
    yield from _absent(graph)
    yield from _price_list(required_stages(graph, store, even_absent=True), teraflops)


def unread_lines(matrix: MatrixSpec) -> Iterator[str]:
    """Yield what has to be read once to fingerprint the data of a matrix, where anything has; opens no data."""
    named: list[tuple[str, Plugin]] = [(f"data {name!r}", choice.plugin) for name, choice in matrix.data.items()]
    named += [(f"benchmark {benchmark.name!r}", benchmark.protocol) for benchmark in matrix.benchmarks]
    for name, plugin in named:
        paths = [path for path in data_paths(plugin).values() if isinstance(path, Path) and path.exists()]
        counts = [unread(path) for path in paths]
        files, size = (sum(column) for column in zip((0, 0), *counts, strict=True))
        if size:
            much = f"{size / 2**20:,.1f} MiB in {counted(files, 'file')}"
            yield f"{name}: {much} must be read first, once, to be fingerprinted"


def claim_lines(matrix: MatrixSpec) -> Iterator[str]:
    """Yield that the seeds of a matrix are too few for the claims beside it, where they are."""
    count = len(matrix.spec.seeds)
    if matrix.claims and count < FEWEST_SEEDS:
        about = [claim for claim in matrix.claims.claims if claim.entry.kind in OF_TWO_ROWS and not claim.entry.needs]
        yield f"{matrix.claims.path.name}: {counted(len(about), 'claim')} about differences; {too_few(count)}"


def _row(stage: Stage, state: State, made: bool, rates: Rates, teraflops: float) -> list[str]:
    about = [str(state), stage.title, stage.digest[:12], f"{stage.work} {stage.unit}"]
    if made:
        return [*about, "", "", ""]
    seconds, cost = estimate(stage, rates), price(stage)
    return [
        *about,
        f"{cost.evaluations:,}" if cost.evaluations else "",
        _hours(cost, teraflops) if cost.flops != 0 else "",
        "unknown" if seconds is None else f"about {duration(seconds)}",
    ]


def _absent(graph: Graph) -> Iterator[str]:
    absent = [stage for stage in graph.stages.values() if stage.absent]
    if absent:
        yield f"absent: {stage_count(len(absent))} cannot run, their data is not there"
        yield from (f"  {reason}" for reason in dict.fromkeys(text for stage in absent for text in stage.absent))


def _price_list(stages: list[Stage], teraflops: float) -> Iterator[str]:
    """Yield the price of ``stages`` by kind and in total, and what it assumes."""
    of_kinds: dict[str, list[Price]] = {}
    for stage in stages:
        of_kinds.setdefault(stage.kind, []).append(price(stage))
    priced = {kind: prices for kind, prices in of_kinds.items() if any(one != Price() for one in prices)}
    if priced:
        every = [one for prices in priced.values() for one in prices]
        rows = [_price_row(kind, prices, teraflops) for kind, prices in [*priced.items(), ("total", every)]]
        yield ""
        yield tabulate(rows, PRICE_HEADER, disable_numparse=True, colalign=["left"] + ["right"] * 6)
        yield ASSUMPTIONS
        yield f"GPU-hours: at {teraflops:g} sustained TFLOP/s (--teraflops), an assumption, not a measurement"


def _price_row(kind: str, prices: list[Price], teraflops: float) -> list[str]:
    cost = total(prices)
    operations = "unknown" if cost.flops is None else f"{cost.flops / 1e15:,.2f}"
    counts = (len(prices), cost.evaluations, cost.training_images, cost.passes)
    return [kind, *(f"{count:,}" for count in counts), operations, _hours(cost, teraflops)]


def _hours(cost: Price, teraflops: float) -> str:
    hours = cost.gpu_hours(teraflops)
    if hours is None:
        return "unknown"
    return "<0.01" if 0 < hours < 0.005 else f"{hours:,.2f}"


def _totals(required: list[Stage], rates: Rates) -> Iterator[str]:
    if not required:
        yield "nothing to run"
        return
    yield f"to run: {stage_count(len(required))}, {_time([estimate(stage, rates) for stage in required])}"
    yield f"network evaluations of sampling: {sum(price(stage).evaluations for stage in required)}"
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
