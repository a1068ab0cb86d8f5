"""Own the serial executor: one stage after the other, in this process."""

from __future__ import annotations

from concurrent.futures import Future
from typing import ClassVar

from faceassay.contracts import Executor, Outcome, StageOrder


class SerialExecutor(Executor):
    """Run each stage in place when it is submitted."""

    name: ClassVar[str] = "serial"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "One stage after the other in this process"

    def submit(self, order: StageOrder) -> Future[Outcome]:
        """Run ``order`` and return a finished future."""
        future: Future[Outcome] = Future()
        future.set_result(order())
        return future
