"""Own what a checked plugin is handed: recorded sources, a stage's context, arrays that are compared afterwards."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Sources, StageContext

SEED, OTHER_SEED = 20_240_501, 77
"""Seeds of the stages that are compared."""


@dataclass
class RecordedSources(Sources):
    """Serve every input and write down what is read; what was not declared is served too, and told.

    Attributes:
        others: the inputs that were not declared.
        read: names of what was read.
    """

    others: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def open(self, name: str) -> Any:
        """Return the input ``name`` and write down that it was read."""
        if name in self.others or name in self.openers:
            self.read.add(name)
        if name in self.others and name not in self.openers:
            if name not in self._opened:
                self._opened[name] = self.others[name]()
            return self._opened[name]
        return super().open(name)

    @property
    def undeclared(self) -> list[str]:
        """What was read without being declared."""
        return sorted(self.read - self.openers.keys())


@dataclass
class KeptCheckpoints:
    """Keep every state in memory, always due; go on from ``start``."""

    start: tuple[int, dict[str, Any], dict[str, Any]] | None = None
    saved: list[tuple[int, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def due(self) -> bool:
        """Return True: whatever can be kept is kept."""
        return True

    def save(self, step: int, tensors: Mapping[str, Any], document: Mapping[str, Any] | None = None) -> None:
        """Keep a copy, through JSON as a file would."""
        import json

        copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        self.saved.append((step, copies, json.loads(json.dumps(dict(document or {})))))

    def load(self) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
        """Return the state to go on from."""
        if self.start is None:
            return None
        step, tensors, document = self.start
        return step, {name: tensor.clone() for name, tensor in tensors.items()}, dict(document)


@dataclass
class Told:
    """Collect what a stage reports of itself."""

    evaluations: int = 0
    passes: Counter[str] = field(default_factory=Counter)
    progress: list[tuple[int, int]] = field(default_factory=list)

    def count(self, evaluations: int) -> None:
        """Add to the network evaluations."""
        self.evaluations += evaluations


def context(folder: Path, told: Told, checkpoints: KeptCheckpoints | None = None, seed: int = SEED) -> StageContext:
    """Return the context of a stage that writes into ``folder``/work."""
    (folder / "work").mkdir()
    (folder / "scratch").mkdir()
    return StageContext(
        folder=folder / "work",
        scratch=folder / "scratch",
        seed=seed,
        checkpoints=checkpoints or KeptCheckpoints(),
        threads=1,
        progress=lambda done, total: told.progress.append((done, total)),
        count_evaluations=told.count,
        count_passes=told.passes.update,
    )


@dataclass
class Handed:
    """Hold copies of arrays that are handed over, by name, to be compared with what they were.

    Attributes:
        is_frozen: whether they are made read-only, so that whoever writes into one is stopped on that line.
    """

    is_frozen: bool = False
    _arrays: dict[str, tuple[NDArray[Any], str]] = field(default_factory=dict)

    def over(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of ``array`` to hand over, and remember what it holds."""
        copy = np.array(array)
        self._arrays[name] = copy, _digest(copy)
        copy.flags.writeable = not self.is_frozen
        return copy

    def changed(self) -> list[str]:
        """Return the names of those that are no longer what they were."""
        return [name for name, (array, digest) in self._arrays.items() if _digest(array) != digest]


def content(value: Any) -> str:
    """Return sha256 (hex) of arrays and plain values, nested in any way."""
    total = hashlib.sha256()
    if isinstance(value, np.ndarray):
        total.update(_digest(value).encode())
    elif isinstance(value, Mapping):
        total.update("".join(f"{name}:{content(value[name])}" for name in sorted(value)).encode())
    elif isinstance(value, list | tuple):
        total.update("".join(map(content, value)).encode())
    else:
        total.update(repr(value).encode())
    return total.hexdigest()


def files(folder: Path) -> dict[str, str]:
    """Return sha256 (hex) of every file in ``folder``, by its path there."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _digest(array: NDArray[Any]) -> str:
    head = f"{array.dtype} {array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()
