"""Own the processes that render a synthesis side by side. Which worker renders a block changes no byte of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from faceassay.contracts import FaceassayError, Resources
from faceassay.graph import Stage
from faceassay.inputs import open_artifact, open_sources
from faceassay.lifeline import follow
from faceassay.store import Store
from faceassay.threads import fixed_threads

_worker: dict[str, Any] = {}
"""What a worker process keeps between two blocks; empty in every other process."""


def render_missing(stage: Stage, store: Store, resources: Resources, progress: Callable[[int, int], None]) -> None:
    """Render the missing blocks of a synthesis in ``resources.workers`` processes.

    Raises:
        FaceassayError: when a worker dies; what a worker raises is raised here.
    """
    from faceassay.stages.synthesis import missing_blocks

    stored = open_artifact(stage.stages()["plan"], store)
    missing = missing_blocks(stored, store.staging(stage.digest))
    if not missing:
        return
    done = len(stored.plan) - sum(len(stored.plan.block(index)) for index in missing)
    spawn, workers = multiprocessing.get_context("spawn"), min(resources.workers, len(missing))
    theirs, lifeline = multiprocessing.Pipe(duplex=False)
    arguments = (theirs, stage, store.root, resources.device)
    with lifeline, theirs, ProcessPoolExecutor(workers, spawn, _start_worker, arguments) as pool:
        try:
            futures = {pool.submit(_render, index): index for index in missing}
            for future in as_completed(futures):
                future.result()
                done += len(stored.plan.block(futures[future]))
                progress(done, len(stored.plan))
        except BrokenProcessPool as error:
            raise FaceassayError(
                "a worker process died, perhaps for lack of memory: finished blocks are kept; "
                "run again, perhaps with fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker(lifeline: Connection, stage: Stage, root: Path, device: str) -> None:
    follow(lifeline)
    store = Store.open(root)
    sources = open_sources(stage, store, device)
    _worker.update(stage=stage, store=store, sources=sources, stored=sources.open("plan"))


def _render(index: int) -> None:
    from faceassay.stages.synthesis import render_block

    stage: Stage = _worker["stage"]
    with fixed_threads(stage.threads):
        scratch = _worker["store"].staging(stage.digest)
        render_block(stage.plugin, _worker["sources"], _worker["stored"], index, scratch)  # type: ignore[arg-type]
