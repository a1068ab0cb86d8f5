"""Own what the denoiser is trained to minimise: noise draws, weighted errors, learned uncertainty. Knows no optimizer.

Source: Karras et al. 2024 (EDM2); weights of Karras et al. 2022 (EDM), table 1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from faceassay.sampling import ConditionTensors
from faceassay_plugins.generators.edm2.layers import MPFourier, MPLinear
from faceassay_plugins.generators.edm2.network import Denoiser

UNCERTAINTY_FEATURES = 128


class Uncertainty(nn.Module):
    """Learn u(sigma), the logarithm of the error expected at each noise level; not needed for sampling."""

    def __init__(self) -> None:
        super().__init__()
        self.features = MPFourier(UNCERTAINTY_FEATURES)
        self.linear = MPLinear(UNCERTAINTY_FEATURES, 1)

    def forward(self, sigma: Tensor) -> Tensor:
        """Return u [B] of noise levels [B]."""
        u: Tensor = self.linear(self.features(sigma.log() / 4))
        return u[:, 0]


def noise_levels(standard_normal: Tensor, mean: float, deviation: float) -> Tensor:
    """Return noise levels whose logarithm has the given mean and standard deviation (EDM, table 1)."""
    return (mean + deviation * standard_normal).exp()


def weighted_errors(denoiser: Denoiser, x: Tensor, noise: Tensor, sigma: Tensor, condition: ConditionTensors) -> Tensor:
    """Return (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 x (D(x + sigma noise) - x)^2.

    A network that outputs zero has an error of about one at every noise level when the data have the standard
    deviation sigma_data.

    Args:
        denoiser: the network.
        x: clean images, [B, 3, H, W] in [-1, 1].
        noise: standard normal, like ``x``.
        sigma: noise levels, [B].
        condition: what ``denoiser`` is conditioned on.

    Returns:
        Squared errors like ``x``.
    """
    denoised: Tensor = denoiser(x + sigma.view(-1, 1, 1, 1) * noise, sigma, condition)
    return error_weights(sigma, denoiser.sigma_data).view(-1, 1, 1, 1) * (denoised - x).square()


def error_weights(sigma: Tensor, sigma_data: float) -> Tensor:
    """Return (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 of noise levels [B] (EDM, table 1)."""
    return (sigma.square() + sigma_data**2) / (sigma * sigma_data).square()


def uncertain_loss(errors: Tensor, uncertainty: Tensor) -> Tensor:
    """Return the loss of EDM2: errors / exp(u) + u, summed over values, averaged over images.

    Args:
        errors: weighted squared errors, [B, 3, H, W].
        uncertainty: u of each image's noise level, [B].
    """
    u = uncertainty.view(-1, 1, 1, 1)
    return torch.sum(errors / u.exp() + u) / len(errors)


class Objective(nn.Module):
    """Be what training minimises: the loss of a denoiser together with its learned uncertainty.

    Attributes:
        summed: whether the loss is a sum over the values of an image, as EDM2's is, and not their mean.
        notes: what ``forward`` returns beside loss and error, by the names of columns of the history.
    """

    summed: ClassVar[bool] = True
    notes: tuple[str, ...] = ()

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.uncertainty = Uncertainty()

    def forward(self, x: Tensor, noise: Tensor, sigma: Tensor, condition: ConditionTensors) -> tuple[Tensor, ...]:
        """Return the loss and, without gradient, the mean weighted error, both scalars; arguments of a ``Batch``."""
        errors = weighted_errors(self.denoiser, x, noise, sigma, condition)
        return uncertain_loss(errors, self.uncertainty(sigma)), errors.detach().mean()


def error_without_network(sigma_data: float) -> float:
    """Return the largest weighted error per value that a network that outputs zero can have on average over noise.

    For a clean value x it is (sigma_data^4 + sigma^2 x^2) / (sigma_data^2 (sigma^2 + sigma_data^2)), between 1 at low
    noise and x^2 / sigma_data^2 at high noise; and x^2 is at most 1.
    """
    return max(1.0, sigma_data**-2)
