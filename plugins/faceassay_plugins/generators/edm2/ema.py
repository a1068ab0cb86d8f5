"""Own power-function averages of a network's tensors over training. Knows nothing of what the tensors mean.

Source: Karras et al. 2024 (EDM2).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def exponent(length: float) -> float:
    """Return gamma of the power-function average whose relative length is ``length``.

    The weight of training time t at time T is proportional to t^gamma; its standard deviation over T is the length
    s = sqrt((gamma + 1) / ((gamma + 2)^2 (gamma + 3))), a cubic in gamma + 2 (EDM2).

    Args:
        length: relative length, above 0 and below 1 / sqrt(12), where the average would be uniform.

    Raises:
        ValueError: when the length is outside.
    """
    if not 0 < length < 12**-0.5:
        raise ValueError(f"the relative length of an average must lie in (0, {12**-0.5:.3f}) (got {length})")
    roots = np.roots([1.0, 1.0, -(length**-2), length**-2])
    return float(max(roots.real)) - 2


class PowerAverage:
    """Keep the power-function average of named tensors.

    Attributes:
        tensors: the average, by name.
    """

    def __init__(self, length: float, tensors: Mapping[str, Tensor]) -> None:
        self.exponent = exponent(length)
        self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, tensors: Mapping[str, Tensor], images: int, batch: int) -> None:
        """Move towards ``tensors``, the state after ``images`` images, the last ``batch`` of them new."""
        keep = (1 - batch / images) ** (self.exponent + 1)
        torch._foreach_lerp_(list(self.tensors.values()), [tensors[name] for name in self.tensors], 1 - keep)
