"""Own the executor that runs several stages of one machine side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import ClassVar

from pydantic import PrivateAttr

from faceassay.contracts import Executor, Outcome, StageOrder, parameter
from faceassay.lifeline import follow


class ProcessExecutor(Executor):
    """Run stages side by side in processes that are started once and used again."""

    name: ClassVar[str] = "processes"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Several stages side by side, each in a process of its own"

    processes: int = parameter(2, ge=1, unit="processes", description="stages under way at once")

    _pool: ProcessPoolExecutor | None = PrivateAttr(None)
    _lifeline: Connection | None = PrivateAttr(None)

    def slots(self) -> int:
        """Return the number of processes."""
        return self.processes

    def submit(self, order: StageOrder) -> Future[Outcome]:
        """Start ``order`` in a free process."""
        if self._pool is None:
            theirs, self._lifeline = multiprocessing.Pipe(duplex=False)
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, spawn, _start_process, (theirs,))
        return self._pool.submit(order)

    def close(self) -> None:
        """End the processes; what a stage had not yet checkpointed is lost."""
        if self._pool is not None and self._lifeline is not None:
            self._lifeline.close()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _start_process(lifeline: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    follow(lifeline)
