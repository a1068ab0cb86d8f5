"""Own the display of a run: which stage, how far, how long still. Estimates come from recorded costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import PrivateAttr
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from faceassay.contracts import Observer, Outcome, StageView, parameter


class ProgressDisplay(Observer):
    """Show a bar for the run and one for the stage on a terminal, a line per stage elsewhere."""

    name: ClassVar[str] = "progress"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Progress with time left, on the terminal or line by line"

    quiet: bool = parameter(False, description="show nothing but failures")

    _console: Console = PrivateAttr(default_factory=lambda: Console(stderr=True, highlight=False))
    _bars: Progress | None = PrivateAttr(None)
    _whole: TaskID = PrivateAttr(TaskID(0))
    _part: TaskID = PrivateAttr(TaskID(0))
    _clock: _Clock = PrivateAttr(default_factory=lambda: _Clock())

    def run_started(self, stages: Sequence[StageView], estimates: Mapping[str, float | None]) -> None:
        """Start the display."""
        self._clock = _Clock(stages, estimates)
        if self.quiet or not stages:
            return
        self._say(f"{stage_count(len(stages))} to run; {self._clock.left()}")
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}", markup=False),
            )
            self._bars = Progress(*columns, console=self._console, transient=True)
            self._whole = self._bars.add_task("all stages", total=len(stages), left=self._clock.left())
            self._part = self._bars.add_task("", total=None, left="")
            self._bars.start()

    def stage_started(self, stage: StageView) -> None:
        """Show the stage."""
        self._clock.start(stage)
        if self._bars:
            self._bars.reset(self._part, total=max(stage.work, 1), description=stage.title, left="")

    def stage_progressed(self, stage: StageView, done: int, total: int) -> None:
        """Move the bars."""
        self._clock.advance(stage, done, total)
        if self._bars:
            self._bars.update(self._part, completed=done, total=max(total, 1))
            self._bars.update(self._whole, left=self._clock.left())

    def stage_finished(self, stage: StageView, outcome: Outcome) -> None:
        """Show how the stage ended."""
        seconds = self._clock.finish(stage, computed=outcome.error is None and not outcome.reused)
        ended = f"failed: {outcome.error}" if outcome.error else f"{seconds:.1f} s"
        if not self.quiet or outcome.error:
            left = f"; {self._clock.left()}" if self._clock.finished < self._clock.total else ""
            line = f"[{self._clock.finished}/{self._clock.total}] {stage.title}: {ended}{left}"
            self._say(line, style="red" if outcome.error else None)
        if self._bars:
            self._bars.update(self._whole, advance=1, left=self._clock.left())

    def close(self) -> None:
        """Remove the bars."""
        if self._bars:
            self._bars.stop()

    def _say(self, line: str, style: str | None = None) -> None:
        """Print one line as one line: a log is searched by lines, and a terminal folds what is too wide for it."""
        self._console.print(line, markup=False, soft_wrap=True, style=style)


class _Clock:
    """Estimate the time left from estimates, and from what like stages took in this run."""

    def __init__(self, stages: Sequence[StageView] = (), estimates: Mapping[str, float | None] | None = None) -> None:
        self.total = len(stages)
        self.finished = 0
        self._waiting = {stage.digest: stage for stage in stages}
        self._estimates = dict(estimates or {})
        self._rates: dict[tuple[str, str], float] = {}
        self._running: dict[str, _Running] = {}
        self._side_by_side = 1

    def start(self, stage: StageView) -> None:
        self._waiting.pop(stage.digest, None)
        self._running[stage.digest] = _Running(self._expected(stage))
        self._side_by_side = max(self._side_by_side, len(self._running))

    def advance(self, stage: StageView, done: int, total: int) -> None:
        if stage.digest in self._running:
            self._running[stage.digest].advance(done, total)

    def finish(self, stage: StageView, *, computed: bool = True) -> float:
        """Return the seconds that a stage took, 0 for one that never started; learn from it if it was computed."""
        self._waiting.pop(stage.digest, None)
        running = self._running.pop(stage.digest, None)
        self.finished += 1
        seconds = running.seconds() if running else 0.0
        if running and computed and stage.work:
            self._rates[stage.kind, stage.plugin.name] = seconds / stage.work
        return seconds

    def left(self) -> str:
        """Return the time left in words; what nobody knows is not guessed."""
        running = [stage.left() for stage in self._running.values()]
        expected = [self._expected(stage) for stage in self._waiting.values()] + running
        known = [seconds for seconds in expected if seconds is not None]
        unknown = len(expected) - len(known)
        if unknown and not known:
            return "time left not known yet"
        without = f", without {stage_count(unknown)} of unknown cost" if unknown else ""
        longest = max((seconds for seconds in running if seconds is not None), default=0.0)
        return f"about {duration(max(longest, sum(known) / self._side_by_side))} left{without}"

    def _expected(self, stage: StageView) -> float | None:
        rate = self._rates.get((stage.kind, stage.plugin.name))
        return rate * stage.work if rate is not None else self._estimates.get(stage.digest)


class _Running:
    """Time one stage. Its speed counts from the first report, since a resumed stage begins in the middle."""

    def __init__(self, expected: float | None) -> None:
        self._started = time.monotonic()
        self._ends = None if expected is None else self._started + expected
        self._first: tuple[int, float] | None = None

    def advance(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        first, since = self._first
        if first < done <= total:
            self._ends = now + (now - since) * (total - done) / (done - first)

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def left(self) -> float | None:
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())


def stage_count(count: int) -> str:
    """Return ``1 stage``, ``2 stages``."""
    return "1 stage" if count == 1 else f"{count} stages"


def duration(seconds: float) -> str:
    """Return seconds for people: ``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
