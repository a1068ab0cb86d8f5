"""Own the processes that train one stage together: torchrun's launcher, one rank each, what they tell the parent.

What they compute is the plugin's: the context tells its rank and how many there are, and torch.distributed is ready.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

from faceassay.checkpoints import FolderCheckpoints
from faceassay.contracts import FaceassayError, StageContext
from faceassay.graph import Stage
from faceassay.inputs import open_sources, stage_module
from faceassay.lifeline import follow
from faceassay.store import Store, write_atomically
from faceassay.threads import fixed_threads

PROGRESS, FAILURE = "ranks-progress.json", "ranks-failure.json"
POLL_SECONDS = 0.5
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Signals whose handlers the launcher replaces; they are put back."""


@dataclass
class _Told:
    """Hold what the first rank tells the parent when it is done."""

    log: list[str] = field(default_factory=list)
    evaluations: int = 0
    passes: Counter[str] = field(default_factory=Counter)

    def count(self, evaluations: int) -> None:
        self.evaluations += evaluations


@dataclass(frozen=True)
class _Orders:
    """Say to a rank what it needs to know; unlike the context of a stage it goes to another process."""

    stage: Stage
    root: Path
    folder: Path
    scratch: Path
    device: str
    interval: float
    lifeline: Connection

    def context(self, rank: int, told: _Told) -> StageContext:
        """Return the context of one rank; only the first has somebody to talk to."""
        context = StageContext(
            folder=self.folder,
            scratch=self.scratch,
            seed=self.stage.seed,
            checkpoints=FolderCheckpoints(self.scratch / "checkpoints", self.interval),
            threads=self.stage.threads,
            device=f"cuda:{rank}" if self.device == "cuda" else self.device,
            rank=rank,
            world=self.stage.world,
        )
        if rank:
            return context
        note = _noting(self.scratch / PROGRESS)
        return replace(
            context, progress=note, log=told.log.append, count_evaluations=told.count, count_passes=told.passes.update
        )


def run_together(stage: Stage, store: Store, context: StageContext, interval: float) -> None:
    """Run ``stage`` in ``stage.world`` processes, started as torchrun starts them, on this machine.

    Args:
        stage: the stage; it is run once in every process.
        store: where its inputs are.
        context: that of the parent, whose folders and device the processes share; a device ``cuda`` becomes the card
            of the process's number.
        interval: seconds between two checkpoints.

    Raises:
        FaceassayError: when a process dies; what the first one raised says why.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=stage.world,
        run_id=stage.digest,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )
    theirs, lifeline = multiprocessing.Pipe(duplex=False)
    for name in (PROGRESS, FAILURE):
        (context.scratch / name).unlink(missing_ok=True)
    orders = _Orders(stage, store.root, context.folder, context.scratch, context.device, interval, theirs)
    with lifeline, theirs, _handlers_put_back(), _forwarding(context):
        try:
            told = elastic_launch(config, _rank)(orders)[0]
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            raise _explained(context.scratch / FAILURE, rank, failure.exitcode) from error
    for line in told.log:
        context.log(line)
    context.count_evaluations(told.evaluations)
    context.count_passes(told.passes)


def _rank(orders: _Orders) -> _Told:
    """Run the stage as one of its processes; torchrun has said in the environment which."""
    follow(orders.lifeline)
    rank, stage, told = int(os.environ["RANK"]), orders.stage, _Told()
    context = orders.context(rank, told)
    with fixed_threads(stage.threads), _group(context.device), _failure_noted(orders.scratch / FAILURE, rank):
        sources = open_sources(stage, Store.open(orders.root), context.device)
        stage_module(stage.kind).run(stage.plugin, sources, context)
    told.passes.update(sources.passes)
    return told


@contextmanager
def _group(device: str) -> Iterator[None]:
    """Be in one group with the other processes inside the block."""
    import torch
    from torch import distributed

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _noting(path: Path) -> Callable[[int, int], None]:
    return lambda done, total: write_atomically(path, json.dumps([done, total]))


@contextmanager
def _failure_noted(path: Path, rank: int) -> Iterator[None]:
    """Keep what is raised first, before the group is left: the others fail for want of the one that is gone."""
    try:
        yield
    except Exception as error:
        with suppress(FileExistsError), path.open("x") as file:
            text = str(error) if isinstance(error, FaceassayError) else f"{type(error).__name__}: {error}"
            json.dump({"reason": f"{text} (process {rank})", "traceback": traceback.format_exc()}, file)
        raise


def _explained(noted: Path, rank: int, exit_code: int) -> FaceassayError:
    """Return why a process ended, with its traceback; one that raised has exit code 1."""
    if exit_code != 1 or not noted.exists():
        return FaceassayError(f"process {rank} died with exit code {exit_code}, perhaps for lack of memory: run again")
    said = json.loads(noted.read_text())
    explained = FaceassayError(said["reason"])
    explained.add_note(said["traceback"])
    return explained


@contextmanager
def _forwarding(context: StageContext) -> Iterator[None]:
    """Pass on what the first rank notes of its progress while the block runs."""
    stop = threading.Event()

    def forward() -> None:
        while not stop.wait(POLL_SECONDS):
            with suppress(OSError, ValueError):
                done, total = json.loads((context.scratch / PROGRESS).read_text())
                context.progress(done, total)

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _handlers_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
