"""Own the choice among the states of a training: their scores, and a copy of the best. Measures and trains nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from faceassay.contracts import Chosen

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "best."
"""How the names of the best state's tensors begin in a checkpoint."""


class Choice:
    """Hold the scores of the states so far and the best state, of equal ones the earliest."""

    def __init__(self) -> None:
        self.scores: list[tuple[int, float]] = []
        self.best: dict[str, Tensor] = {}

    def add(self, updates: int, score: float, weights: Mapping[str, Tensor]) -> None:
        """Take note of the score of the state ``weights`` after ``updates`` steps."""
        self.scores.append((updates, score))
        if self.chosen().update == updates:
            self.best = {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}

    def chosen(self) -> Chosen:
        """Return which state is the best."""
        return Chosen.best_of(self.scores)

    def put_into(self, weights: Mapping[str, Tensor]) -> None:
        """Give ``weights`` the values of the best state."""
        for name, value in weights.items():
            value.copy_(self.best[name])

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps beside the scores."""
        return {f"{PREFIX}{name}": value for name, value in self.best.items()}

    def restore(self, scores: list[Any], tensors: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint has kept."""
        self.scores = [(updates, score) for updates, score in scores]
        self.best = {n.removeprefix(PREFIX): value for n, value in tensors.items() if n.startswith(PREFIX)}
