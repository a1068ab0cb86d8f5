"""Own EDM2's magnitude-preserving layers: unit variance in, unit variance out. Knows no U-Net.

Source: Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models" (EDM2). The property
holds for independent unit-normal input; borders padded with zeros, box down-sampling and averaging by attention lose
magnitude.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SILU_MAGNITUDE = 0.596
"""Root mean square of silu(x) for a standard normal x."""
EPSILON = 1e-4


def normalize(x: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
    """Scale ``x`` to a root mean square of one over ``dims`` (all but the first by default).

    The norm is taken in float32; a vector of zeros stays zero.
    """
    dims = tuple(range(1, x.ndim)) if dims is None else dims
    norm = torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=torch.float32)
    root_mean_square: Tensor = norm / math.sqrt(math.prod(x.shape[dim] for dim in dims))
    return x / (root_mean_square + EPSILON).to(x.dtype)


def mp_silu(x: Tensor) -> Tensor:
    """Apply SiLU and restore unit magnitude."""
    return functional.silu(x) / SILU_MAGNITUDE


def mp_sum(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Interpolate from ``a`` to ``b`` by ``t`` in [0, 1] and restore unit magnitude (independent inputs)."""
    norm = math.hypot(1 - t, t)
    return torch.add(a * ((1 - t) / norm), b, alpha=t / norm)


def mp_cat(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Concatenate [B, Na, ...] and [B, Nb, ...] so that ``b`` contributes the share ``t`` at unit magnitude."""
    channels_a, channels_b = a.shape[1], b.shape[1]
    scale = math.sqrt((channels_a + channels_b) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * (scale * (1 - t) / math.sqrt(channels_a)), b * (scale * t / math.sqrt(channels_b))], dim=1)


class MPFourier(nn.Module):
    """Map a number to fixed random Fourier features sqrt(2) cos(f x + p), f ~ 2 pi N(0, 1), p ~ 2 pi U(0, 1)."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * torch.randn(features))
        self.register_buffer("phases", 2 * math.pi * torch.rand(features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [B, n] of ``x`` [B]."""
        return (x[:, None] * self.frequencies + self.phases).cos() * math.sqrt(2)


class MPLayer(nn.Module):
    """Hold the weight of a linear map without bias whose rows act with unit norm.

    In training every forward pass first overwrites the weight by its normalised self (forced weight normalisation,
    EDM2), so that the effective learning rate cannot decay by growth of the weight.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.frozen = False

    @property
    def fan_in(self) -> int:
        """Number of inputs of one output."""
        return self.weight[0].numel()

    def freeze(self, precision: torch.dtype) -> None:
        """Replace the weight, once and for good, by the one that acts, in ``precision``: for sampling."""
        self.weight = nn.Parameter(self.acting_weight().detach().to(precision), requires_grad=False)
        self.frozen = True

    def acting_weight(self) -> Tensor:
        """Return the weight that multiplies the input: rows of norm one."""
        if self.frozen:
            return self.weight
        if self.training:
            with torch.no_grad():
                self.weight.copy_(normalize(self.weight))
        return normalize(self.weight) / math.sqrt(self.fan_in)


class MPLinear(MPLayer):
    """Map [B, n_in] to [B, n_out]."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_out, channels_in)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the map in the floating-point type of ``x``."""
        return functional.linear(x, self.acting_weight().to(x.dtype))


class MPConv(MPLayer):
    """Convolve [B, C_in, H, W] to [B, C_out, H, W] with a square kernel of odd side, padded with zeros."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_out, channels_in, kernel, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution in the floating-point type of ``x``."""
        return functional.conv2d(x, self.acting_weight().to(x.dtype), padding=self.weight.shape[-1] // 2)
