"""Register the harness's own executor and observers, like any other distribution would."""

from __future__ import annotations

from faceassay.contracts import Executor, Observer
from faceassay.hookspecs import hookimpl


@hookimpl
def faceassay_executors() -> list[type[Executor]]:
    """Return the executors of one machine."""
    from faceassay.processes import ProcessExecutor
    from faceassay.serial import SerialExecutor

    return [SerialExecutor, ProcessExecutor]


@hookimpl
def faceassay_observers() -> list[type[Observer]]:
    """Return the progress display and the MLflow writer."""
    from faceassay.progress import ProgressDisplay
    from faceassay.tracking import MlflowWriter

    return [ProgressDisplay, MlflowWriter]
