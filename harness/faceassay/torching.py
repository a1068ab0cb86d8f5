"""Own torch's process-wide settings while a stage runs; they are put back afterwards.

What is set for the whole process cannot differ between its threads: stages that compute with torch take turns there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from faceassay.contracts import FaceassayError

_turn = threading.RLock()


SETTINGS = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what deterministic cuBLAS asks for
    "GOMP_SPINCOUNT": "20000",  # threads that spin long while they wait slow a busy machine down many times over
}
"""Environment set where the user has not; OpenMP reads its part when torch is first imported."""


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Compute with ``threads`` CPU threads and deterministic algorithms inside the block."""
    _set_environment()
    import torch

    with _turn:
        before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would import torch's compiler: 1.5 s
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_deterministic_debug_mode(before[1])


def require_device(name: str) -> None:
    """Check that torch computes on the device ``name``.

    Raises:
        FaceassayError: when this machine or this build of torch has no such device.
    """
    if name == "cpu":
        return
    _set_environment()
    import torch

    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise FaceassayError(f"device {name!r} cannot be used ({reason}): choose another with --device") from error


def _set_environment() -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
