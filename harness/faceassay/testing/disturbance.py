"""Own the watch over what is global in a process: random states and torch's settings. Everything is put back."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RANDOM = ("the random state of Python", "the random state of NumPy", "the random state of torch")
THREADS = 1
"""CPU threads of torch while a plugin is checked."""


@dataclass
class Disturbance:
    """Name what a plugin left otherwise than it found it.

    Attributes:
        random: global random states that it seeded or drew from.
        torch: settings of torch that it changed, with the values before and after.
    """

    random: list[str] = field(default_factory=list)
    torch: list[str] = field(default_factory=list)


@contextmanager
def watched(seed: int) -> Iterator[Disturbance]:
    """Run a block as a stage runs, under global random states of ``seed``, and say what it disturbs; put all back."""
    import torch

    from faceassay.torching import torch_settings

    seen, states = Disturbance(), (random.getstate(), np.random.get_state(), torch.get_rng_state())
    outside = _settings()
    with torch_settings(THREADS):
        try:
            _seed_all(seed)
            before, settings = _random_digests(), _settings()
            yield seen
            changed = zip(RANDOM, before, _random_digests(), strict=True)
            seen.random += [name for name, old, new in changed if old != new]
            seen.torch += [f"{name} ({was} before, {now} after)" for name, was, now in _changed(settings)]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])
            torch.set_default_dtype(outside["default dtype"])
            torch.set_grad_enabled(outside["gradients"])


def _seed_all(seed: int) -> None:
    """Seed and draw once, so that whoever seeds with the same number leaves another state."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    random.random()
    np.random.random()
    torch.rand(1)


def _settings() -> dict[str, Any]:
    import torch

    return {
        "threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "determinism": torch.get_deterministic_debug_mode(),
    }


def _changed(before: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, now in _settings().items():
        if now != before[name]:
            yield name, before[name], now


def _random_digests() -> tuple[str, ...]:
    import torch

    states = (
        repr(random.getstate()).encode(),
        _numpy_state(),
        torch.get_rng_state().numpy().tobytes(),
    )
    return tuple(hashlib.sha256(state).hexdigest() for state in states)


def _numpy_state() -> bytes:
    state: Any = np.random.get_state(legacy=False)
    numbers = state["state"]
    return repr((numbers["key"].tobytes(), numbers["pos"], state["has_gauss"], state["gauss"])).encode()
