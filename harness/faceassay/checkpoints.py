"""Own the state a killed stage resumes from: one intact safetensors file and a JSON document. Knows no training."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_INTERVAL = 20.0
"""Seconds between two checkpoints; a killed training repeats at most this much."""


@dataclass
class FolderCheckpoints:
    """Keep the newest state in ``folder``; an older one goes only when a newer one is complete.

    Attributes:
        folder: where the states are; made when needed.
        interval: seconds between two checkpoints.
    """

    folder: Path
    interval: float = DEFAULT_INTERVAL
    _saved_at: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Tell whether the interval has passed since the last save."""
        return time.monotonic() - self._saved_at >= self.interval

    def save(self, step: int, tensors: Mapping[str, Any], document: Mapping[str, Any] | None = None) -> None:
        """Write the state after ``step`` steps and drop older ones."""
        from safetensors.torch import save

        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".step-{step:012d}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        _write(unfinished / "tensors.safetensors", weights)
        state: dict[str, Any] = {"step": step, "document": dict(document or {})}
        state["sha256"] = _digest(state, weights)
        _write(unfinished / "state.json", json.dumps(state).encode())
        complete = self.folder / f"step-{step:012d}"
        shutil.rmtree(complete, ignore_errors=True)
        unfinished.rename(complete)
        for older in self._complete()[:-1]:
            shutil.rmtree(older)
        self._saved_at = time.monotonic()

    def load(self) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
        """Return the newest state whose bytes are what was written, or None."""
        from safetensors.torch import load

        for folder in reversed(self._complete()):
            try:
                state = json.loads((folder / "state.json").read_bytes())
                weights = (folder / "tensors.safetensors").read_bytes()
                intact = state["sha256"] == _digest(state, weights)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if intact:
                return state["step"], load(weights), state["document"]
        return None

    def _complete(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))


def _digest(state: Mapping[str, Any], weights: bytes) -> str:
    text = json.dumps([state["step"], state["document"]])
    return hashlib.sha256(text.encode() + weights).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
