"""Own the numerical solution of the Tammes problem: points on the sphere that push their nearest ones away."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from faceassay.contracts import FloatArray
from faceassay.contracts.running import Checkpoints

BLOCK = 1024
"""Points whose cosines to all others are in memory at once: fixed, because the bytes of a product depend on it."""
SHARPEST = 1e4
"""The last beta: the smooth maximum of a few pairs is then within 1e-4 of the largest cosine."""
ANNEALED = 0.8
"""The share of the steps in which beta rises; the rest polishes at the last one."""
MOMENTUM = 0.9


def spread_out(
    start: NDArray[np.floating],
    steps: int,
    *,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FloatArray:
    """Lower the largest cosine between the rows of ``start`` by descent (ID3, section 3.5).

    What is minimised is (1 / beta) logsumexp(beta cos) over all pairs, beta rising from sqrt(d) to ``SHARPEST``. The
    gradient of each point is divided by the point's own share of the softmax, which is close to its curvature divided
    by beta / d: a step of d / (6 beta) with momentum is then stable for every point, and the pull on a point is the
    softmax-weighted mean of the others. Points are normalised after each step. Time is 4 N^2 d multiply-adds a step,
    memory a few times BLOCK x N and N x d numbers of float32.

    Args:
        start: unit vectors [N, d], N at least 2, no two the same.
        steps: how many; none returns ``start``.
        device: a torch device name.
        checkpoints: where to go on from and what to keep; the bytes are those of an uninterrupted run.
        progress: called with (done, total) in steps.

    Returns:
        The best of all iterates, that of the lowest largest cosine, float32 [N, d].
    """
    state = _State.resumed(checkpoints, device) or _State.at(torch.from_numpy(start.astype(np.float32)).to(device))
    while state.step <= steps:
        state.advance(_beta(state.step / max(1, ANNEALED * steps), start.shape[1]))
        if checkpoints is not None and checkpoints.due():
            state.keep(checkpoints)
        progress(min(state.step, steps), steps)
    best: FloatArray = state.best.cpu().numpy()
    return best


@dataclass
class _State:
    points: Tensor
    velocity: Tensor
    best: Tensor
    largest: float = math.inf
    step: int = 0

    @classmethod
    def at(cls, points: Tensor) -> _State:
        return cls(points, torch.zeros_like(points), points)

    @classmethod
    def resumed(cls, checkpoints: Checkpoints | None, device: str) -> _State | None:
        kept = checkpoints.load() if checkpoints is not None else None
        if kept is None:
            return None
        step, tensors, document = kept
        return cls(**{name: tensor.to(device) for name, tensor in tensors.items()}, **document, step=step)

    def keep(self, checkpoints: Checkpoints) -> None:
        tensors = {"points": self.points, "velocity": self.velocity, "best": self.best}
        checkpoints.save(self.step, tensors, {"largest": self.largest})

    def advance(self, beta: float) -> None:
        """Judge the points as they are, and take one step."""
        pull, largest = _pulls(self.points, beta)
        if largest < self.largest:
            self.largest, self.best = largest, self.points
        pull -= (pull * self.points).sum(1, keepdim=True) * self.points
        self.velocity = MOMENTUM * self.velocity - self.points.shape[1] / (6 * beta) * pull
        self.points = normalize(self.points + self.velocity)
        self.step += 1


def _beta(done: float, width: int) -> float:
    softest = math.sqrt(width)  # cosines of random directions have a standard deviation of 1 / sqrt(d)
    return float(softest * (SHARPEST / softest) ** min(1.0, done))


def _pulls(points: Tensor, beta: float) -> tuple[Tensor, float]:
    """Return what pulls on each point, [N, d], and the largest cosine."""
    pulls, largest = torch.empty_like(points), -math.inf
    for start in range(0, len(points), BLOCK):
        cosines = points[start : start + BLOCK] @ points.T
        cosines.diagonal(start).fill_(-math.inf)
        largest = max(largest, float(cosines.max()))
        pulls[start : start + BLOCK] = cosines.mul_(beta).softmax(1) @ points
    return pulls, largest
