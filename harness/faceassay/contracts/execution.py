"""Own the contracts of executors and observers: who runs stages, who watches them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from faceassay.contracts.plugin import Plugin


class StageView(Protocol):
    """Show an observer one stage."""

    @property
    def kind(self) -> str:
        """Stage kind, e.g. ``recognizer``."""

    @property
    def title(self) -> str:
        """What the stage makes, for people."""

    @property
    def digest(self) -> str:
        """sha256 (hex) of the stage's key."""

    @property
    def plugin(self) -> Plugin:
        """The plugin that does the work."""

    @property
    def work(self) -> int:
        """Expected amount of work, in ``unit``."""

    @property
    def unit(self) -> str:
        """What the work is counted in."""


@dataclass(frozen=True)
class Resources:
    """Say what a stage may use: a torch device name and the number of worker processes of a synthesis."""

    device: str = "cpu"
    workers: int = 1


@dataclass(frozen=True)
class Outcome:
    """Tell how a stage ended: its record, or the error in one line.

    Attributes:
        digest: key of the stage.
        record: the artifact's record, None when the stage failed.
        error: one line, None when it succeeded.
        reused: True when another process had finished the stage meanwhile.
    """

    digest: str
    record: Mapping[str, Any] | None
    error: str | None = None
    reused: bool = False


class StageOrder(Protocol):
    """A picklable order: calling it runs the stage in this process and returns its outcome, never raising."""

    def __call__(self) -> Outcome:
        """Run the stage."""


class Executor(Plugin):
    """Run stages somewhere."""

    def slots(self) -> int:
        """Return how many stages may be under way at once."""
        return 1

    @abstractmethod
    def submit(self, order: StageOrder) -> Future[Outcome]:
        """Start ``order`` and return a future; an executor that runs in place returns a finished one."""

    def close(self) -> None:
        """End whatever is still under way; called however the run ends."""


class Observer(Plugin):
    """Watch a run: progress, tracking. Every method may be left out; an error in one stops no run."""

    def run_started(self, stages: Sequence[StageView], estimates: Mapping[str, float | None]) -> None:
        """Learn the stages that will run and their estimated seconds by digest (None = not known yet)."""

    def stage_started(self, stage: StageView) -> None:
        """Learn that a stage begins."""

    def stage_progressed(self, stage: StageView, done: int, total: int) -> None:
        """Learn how far a stage is, in its own unit."""

    def stage_finished(self, stage: StageView, outcome: Outcome) -> None:
        """Learn how a stage ended."""

    def run_finished(self, results: Any, report: Sequence[Path]) -> None:
        """Learn the results of the whole matrix (``faceassay.results.Results``) and the files of its report."""

    def close(self) -> None:
        """Release what the observer holds; called however the run ends."""
