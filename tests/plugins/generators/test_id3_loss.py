"""Equation 3 against hand calculations: each term alone, their sum, and the gradient of the identity term."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from faceassay_plugins.generators.id3.loss import IdentityObjective
from id3_inputs import Linear

IMAGES = 4
SIGMA = torch.tensor([0.01, 0.3, 2.0, 40.0])


class Fixed(nn.Module):
    """A denoiser that answers with its parameter."""

    sigma_data = 0.5

    def __init__(self):
        super().__init__()
        self.answer = nn.Parameter(torch.rand(IMAGES, 3, 8, 8) - 0.5)

    def forward(self, x, sigma, condition):
        self.asked = (x, sigma, condition)
        return self.answer


def given():
    """Return the arguments of the objective without weights."""
    x, noise = torch.rand(IMAGES, 3, 8, 8) - 0.5, torch.randn(IMAGES, 3, 8, 8)
    identity = nn.functional.normalize(torch.randn(IMAGES, 5), dim=1)
    return x, noise, SIGMA, {"identity": identity}, identity


def weights(denoising=0.0, identity=0.0, reconstruction=0.0):
    return torch.tensor([denoising, identity, reconstruction]).repeat(IMAGES, 1)


def cosines(identity, images):
    embedded = images.flatten(1).double().numpy() @ Linear().matrix.double().numpy().T
    return (identity.double().numpy() * embedded).sum(1) / np.linalg.norm(embedded, axis=1)


def mean_squares(x, denoised):
    return ((x - denoised) ** 2).double().mean((1, 2, 3)).numpy()


def test_the_denoiser_is_asked_for_the_noisy_image():
    objective, (x, noise, sigma, condition, identity) = IdentityObjective(Fixed(), None), given()
    objective(x, noise, sigma, condition, identity, weights(1))
    asked = objective.denoiser.asked
    assert torch.allclose(asked[0], x + sigma[:, None, None, None] * noise)
    assert (asked[1], asked[2]) == (sigma, condition)


def test_the_denoising_term_is_a_mean_over_values_and_images():
    objective, arguments = IdentityObjective(Fixed(), None), given()
    loss, error = objective(*arguments, weights(1))
    level, u = SIGMA.double().numpy(), objective.uncertainty(SIGMA).detach().double().numpy()
    errors = (level**2 + 0.25) / (0.5 * level) ** 2 * mean_squares(arguments[0], objective.denoiser.answer.detach())
    assert error.item() == pytest.approx(errors.mean(), rel=1e-5)
    assert loss.item() == pytest.approx((errors / np.exp(u) + u).mean(), rel=1e-5)


def test_the_reconstruction_term_is_half_the_mean_squared_error():
    objective, arguments = IdentityObjective(Fixed(), None), given()
    loss, error = objective(*arguments, weights(reconstruction=1))
    assert loss.item() == pytest.approx(mean_squares(arguments[0], objective.denoiser.answer.detach()).mean() / 2)
    assert error.item() == 0


def test_the_identity_term_is_minus_the_weighted_cosine():
    objective, arguments = IdentityObjective(Fixed(), Linear().features), given()
    own = [0.2, 0.1, 0.25, 0.3]
    loss, _, _ = objective(*arguments, torch.tensor([[0, weight, 0] for weight in own]))
    _, _, cosine = objective(*arguments, weights(1, identity=0.1))
    found = cosines(arguments[4], objective.denoiser.answer.detach())
    assert loss.item() == pytest.approx(-(found * own).mean(), rel=1e-4)
    assert cosine.item() == pytest.approx(found.mean(), rel=1e-4)


def test_the_identity_term_has_the_gradient_of_a_cosine():
    # d cos(y, f) / df = (y - cos f / |f|) / |f|, and f is linear in the pixels.
    objective, arguments = IdentityObjective(Fixed(), Linear().features), given()
    objective(*arguments, weights(identity=0.2))[0].backward()
    answer = objective.denoiser.answer
    matrix, y = Linear().matrix.double(), arguments[4].double()
    f = answer.detach().double().flatten(1) @ matrix.T
    length = f.norm(dim=1, keepdim=True)
    slope = (y - (y * f).sum(1, keepdim=True) / length**2 * f) / length @ matrix
    assert torch.allclose(answer.grad.flatten(1).double(), -0.2 / IMAGES * slope, rtol=1e-4, atol=1e-7)


def test_the_identity_term_pulls_towards_the_embedding():
    objective, arguments = IdentityObjective(Fixed(), Linear().features), given()
    _, _, before = objective(*arguments, weights(1, identity=1))
    objective(*arguments, weights(identity=1))[0].backward()
    with torch.no_grad():
        objective.denoiser.answer -= 0.1 * objective.denoiser.answer.grad
    assert objective(*arguments, weights(1, identity=1))[2] > before


def test_the_uncertainty_leaves_the_identity_term_alone():
    objective, arguments = IdentityObjective(Fixed(), Linear().features), given()
    objective(*arguments, weights(identity=1))[0].backward()
    assert not any(parameter.grad.any() for parameter in objective.uncertainty.parameters())


def test_only_images_with_the_term_are_looked_at():
    seen = []
    objective, arguments = IdentityObjective(Fixed(), lambda x: seen.append(len(x)) or Linear().features(x)), given()
    shares = weights(1, 0.1)
    shares[2] = torch.tensor([0, 0, 4.0])
    objective(*arguments, shares)
    assert seen == [3]


def test_a_share_without_such_images_passes():
    objective, arguments = IdentityObjective(Fixed(), Linear().features), given()
    loss, _, cosine = objective(*arguments, weights(reconstruction=1))
    assert loss.isfinite()
    assert cosine == 0


def test_the_recognizer_is_no_part_of_what_is_trained():
    network = nn.Linear(192, 5)
    objective = IdentityObjective(Fixed(), lambda x: network(x.flatten(1)))
    assert len(list(objective.parameters())) == 2
    assert not [name for name in objective.state_dict() if "features.weight" in name]
