"""Time and memory of a piece of work beside a reference, in turn in one process; a line of the report."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30


@dataclass(frozen=True)
class Measured:
    """Hold one line of the table; ``peak`` is in bytes."""

    work: str
    ours: float
    reference: float
    ratio: str
    wanted: str
    holds: bool
    peak: int | None
    peak_of: str = ""


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternated(ours: Callable[[], object], reference: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Return the median seconds of both, run in turn so that what else the machine does meets both alike."""
    turns = [(timed(ours), timed(reference)) for _ in range(repeats)]
    return statistics.median(own for own, _ in turns), statistics.median(other for _, other in turns)


def memory(entry: str) -> int:
    """Return an entry of this process's status in bytes: ``VmRSS`` now, ``VmHWM`` the peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[entry].split()[0]) * 1024


def peak_above_inputs(work: Callable[[], object]) -> int:
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before


def faster(work, ours, reference, at_least, peak=None, peak_of="") -> Measured:
    times = reference / ours
    wanted = f"at least {at_least}x faster"
    return Measured(work, ours, reference, f"{times:.1f}x faster", wanted, times >= at_least, peak, peak_of)


def slower(work, ours, reference, at_most, peak, limit, peak_of) -> Measured:
    times = ours / reference
    wanted = f"at most {at_most:.3g}x the time" + (f", {limit / GIB:g} GiB {peak_of}" if limit else "")
    holds = times <= at_most and (limit is None or peak <= limit)
    return Measured(work, ours, reference, f"{times:.2f}x the time", wanted, holds, peak, peak_of)
