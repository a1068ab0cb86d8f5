"""The training loss against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.loss import Uncertainty, noise_levels, uncertain_loss, weighted_errors
from faceassay_plugins.generators.edm2.network import Denoiser


class Halving:
    """A denoiser that halves its input."""

    sigma_data = 0.5

    def __call__(self, x, sigma, class_weights):
        return x / 2


def test_weighted_errors_equal_a_hand_calculation():
    x, noise, sigma = torch.tensor([[0.4]]), torch.tensor([[-1.0]]), torch.tensor([2.0])
    errors = weighted_errors(Halving(), x.view(1, 1, 1, 1), noise.view(1, 1, 1, 1), sigma, torch.zeros(1, 1))
    weight = (2.0**2 + 0.25) / (2.0 * 0.5) ** 2
    assert errors.item() == pytest.approx(weight * ((0.4 - 2.0) / 2 - 0.4) ** 2)


def test_the_loss_is_summed_over_values_and_averaged_over_images():
    errors, u = torch.rand(3, 3, 4, 4), torch.tensor([0.0, 1.0, -2.0])
    by_hand = sum(
        float(e) / np.exp(float(u_i)) + float(u_i)
        for image, u_i in zip(errors, u, strict=True)
        for e in image.flatten()
    )
    assert uncertain_loss(errors, u).item() == pytest.approx(by_hand / 3, rel=1e-5)


def test_the_loss_is_least_where_the_uncertainty_is_the_logarithm_of_the_mean_error():
    errors = torch.rand(1, 3, 8, 8)
    best = errors.mean().log()
    losses = [uncertain_loss(errors, (best + shift).view(1)).item() for shift in (-0.1, 0.0, 0.1)]
    assert losses[1] == min(losses)


def test_noise_levels_are_log_normal():
    logs = noise_levels(torch.randn(200_000), -0.8, 1.6).log()
    assert logs.mean().item() == pytest.approx(-0.8, abs=0.02)
    assert logs.std().item() == pytest.approx(1.6, abs=0.02)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 20.0])
def test_a_network_of_zero_has_an_error_of_one_at_every_noise_level(sigma):
    architecture = Edm2(channels=8, channel_multipliers=(1,), blocks=1, attention_resolutions=()).architecture(8, 2)
    x = 0.5 * torch.randn(256, 3, 8, 8)
    errors = weighted_errors(
        Denoiser(architecture), x, torch.randn_like(x), torch.full((256,), sigma), torch.zeros(256, 2)
    )
    assert errors.mean().item() == pytest.approx(1, abs=0.03)


def test_the_uncertainty_is_one_number_per_noise_level():
    uncertainty = Uncertainty()
    u = uncertainty(torch.tensor([0.1, 1.0, 0.1]))
    assert u.shape == (3,)
    assert u[0] == u[2] != u[1]
