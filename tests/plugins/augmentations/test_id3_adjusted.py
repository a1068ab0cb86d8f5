"""ID3's adjusted score against numerical gradients of densities in closed form, in float64."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from faceassay.sampling import CountedNetwork, NetworkDenoiser, autoguide, heun
from faceassay_plugins.augmentations.id3.adjusted import AdjustedDenoiser
from tilted_gaussians import (
    ALONG,
    MEAN,
    OTHER_MEAN,
    OTHER_VARIANCE,
    PIXELS,
    VARIANCE,
    WANTED,
    cosine_by_hand,
    denoised_by_hand,
    gaussian,
    images,
    linear_features,
    log_density_by_hand,
    on_the_circle,
    rows_of,
    slope_by_hand,
    tensor,
)

W = 7.0
LEVELS = [0.05, 0.5, 2.0, 15.0]


def adjusted(denoise=None, features=linear_features, wanted=WANTED, weight=W, rows=3, **options):
    identity = torch.from_numpy(np.tile(wanted, (rows, 1)))
    return AdjustedDenoiser(denoise or gaussian(), features, identity, weight, **options)


def sigmas(*levels):
    return torch.tensor(levels, dtype=torch.float64)


def score(denoise, x, sigma):
    """Return (D~ - x) / sigma^2 of rows [B, PIXELS]."""
    denoised = rows_of(denoise(tensor(x), sigmas(*[sigma] * len(x))))
    assert denoised.dtype == np.float64
    return (denoised - x) / sigma**2


def assert_slope(found, log_density, x):
    """Compare with the numerical gradient of ``log_density`` at every row."""
    wanted = np.stack([slope_by_hand(log_density, row) for row in x])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7 * np.abs(wanted).max())


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize(("space", "gain"), [("score", lambda s: 1.0), ("epsilon", lambda s: math.sqrt(1 + s * s) / s)])
def test_the_score_is_that_of_the_tilted_density(space, gain, sigma):
    """Equation 7: grad [log p_sigma(x) + W c(D(x))], W being W sqrt(1 + sigma^2) / sigma in the other space."""
    x = images(3, 1 + sigma)

    def log_density(row):
        return log_density_by_hand(row, sigma) + gain(sigma) * W * cosine_by_hand(denoised_by_hand(row, sigma))

    assert_slope(score(adjusted(space=space), x, sigma), log_density, x)


@pytest.mark.parametrize("sigma", LEVELS)
def test_what_is_added_is_the_gradient_of_the_agreement_alone(sigma):
    """Where the tilt is small beside the score a wrong tilt would hide in the sum."""
    x = images(3, 1 + sigma)
    added = score(adjusted(), x, sigma) - score(gaussian(), x, sigma)
    assert_slope(added / W, lambda row: cosine_by_hand(denoised_by_hand(row, sigma)), x)


@pytest.mark.parametrize("abar", [0.9999, 0.7, 0.02])
def test_epsilon_is_the_score_as_the_paper_prints_it(abar):
    """In the paper's variables: sqrt(1 - abar) grad log p_t(x_t) + W grad c, the first without its 1/sqrt(1 - abar)."""
    noisy, sigma = images(3), math.sqrt((1 - abar) / abar)
    denoised = rows_of(adjusted(space="epsilon")(tensor(noisy / math.sqrt(abar)), sigmas(*[sigma] * 3)))
    printed = math.sqrt(abar / (1 - abar)) * (denoised - noisy / math.sqrt(abar))

    def log_density(row):
        spread = abar * VARIANCE + 1 - abar
        data = -((row - math.sqrt(abar) * MEAN) ** 2 / (2 * spread)).sum()
        return math.sqrt(1 - abar) * data + W * cosine_by_hand(denoised_by_hand(row / math.sqrt(abar), sigma))

    assert_slope(printed, log_density, noisy)


@pytest.mark.parametrize("sigma", LEVELS)
def test_the_noisy_gradient_is_taken_at_the_papers_noisy_image(sigma):
    x = images(3, 1 + sigma)
    found = score(adjusted(gradient="noisy"), x, sigma)

    def log_density(row):
        return log_density_by_hand(row, sigma) + W * cosine_by_hand(row / math.sqrt(1 + sigma**2))

    assert_slope(found, log_density, x)


@pytest.mark.parametrize("sigma", LEVELS)
def test_c_skip_is_exact_where_the_data_have_the_variance_of_sigma_data(sigma):
    denoise, x = gaussian(variance=np.full(PIXELS, 0.3**2)), images(3, 1 + sigma)
    found = score(adjusted(denoise, gradient="c_skip", sigma_data=0.3), x, sigma)

    def log_density(row):
        agreement = cosine_by_hand(denoised_by_hand(row, sigma, variance=0.3**2))
        return log_density_by_hand(row, sigma, variance=0.3**2) + W * agreement

    assert_slope(found, log_density, x)


def test_c_skip_is_not_exact_where_they_have_another():
    x = images(3)
    exact, skip = (score(adjusted(gradient=gradient), x, 0.5) for gradient in ("exact", "c_skip"))
    assert np.abs(exact - skip).max() > 0.01 * np.abs(exact).max()


def test_a_jacobian_that_is_no_diagonal_and_not_symmetric_is_transposed():
    """The gradient of c(D(x)) is J^T grad c, not J grad c."""
    matrix = images(PIXELS, 0.3, seed=1)

    def denoise(x, sigma):
        return torch.tanh(x.flatten(1) @ torch.from_numpy(matrix).T).reshape(x.shape) / (1 + sigma.view(-1, 1, 1, 1))

    x = images(3)
    added = (score(adjusted(denoise), x, 0.7) - score(denoise, x, 0.7)) / W
    assert_slope(added, lambda row: cosine_by_hand(np.tanh(matrix @ row) / 1.7), x)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("guidance", [1.3, 0.4])
def test_the_gradient_goes_through_the_guide_too(guidance, sigma):
    """Autoguided, the density is p_main^w p_guide^(1-w) at each level, and D is affine in both denoisers."""
    composed = autoguide(gaussian(), gaussian(OTHER_MEAN, OTHER_VARIANCE), guidance)
    x, other = images(3, 1 + sigma), (OTHER_MEAN, OTHER_VARIANCE)

    def log_density(row):
        both = guidance * log_density_by_hand(row, sigma) + (1 - guidance) * log_density_by_hand(row, sigma, *other)
        denoised = guidance * denoised_by_hand(row, sigma) + (1 - guidance) * denoised_by_hand(row, sigma, *other)
        return both + W * cosine_by_hand(denoised)

    assert_slope(score(adjusted(composed, networks=2), x, sigma), log_density, x)


@pytest.mark.parametrize("gradient", ["exact", "c_skip", "noisy"])
def test_each_image_has_its_own_noise_level_and_identity(gradient):
    levels, x = sigmas(0.1, 3.0, 0.8), tensor(images(3))
    wanted = torch.nn.functional.normalize(torch.from_numpy(images(3, seed=2)[:, :5]))
    together = AdjustedDenoiser(gaussian(), linear_features, wanted, W, gradient=gradient)(x, levels)
    for i in range(3):
        alone = AdjustedDenoiser(gaussian(), linear_features, wanted[i : i + 1], W, gradient=gradient)
        torch.testing.assert_close(together[i : i + 1], alone(x[i : i + 1], levels[i : i + 1]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gradient", ["exact", "c_skip", "noisy"])
def test_from_a_noise_level_upwards_nothing_is_added_and_nobody_is_asked(gradient):
    passes, x, levels = Counter(), tensor(images(3)), sigmas(2.0, 1.0, 0.999)
    denoise = adjusted(gradient=gradient, guided_below=1.0, count=passes.update)
    found, plain = denoise(x, levels), gaussian()(x, levels)
    assert torch.equal(found[:2], plain[:2])
    assert not torch.allclose(found[2], plain[2])
    assert (passes["recognizer_forward"], passes["recognizer_backward"]) == (1, 1)
    passes.clear()
    assert torch.equal(denoise(x, levels + 1), gaussian()(x, levels + 1))
    assert not passes


@pytest.mark.parametrize(
    ("gradient", "networks", "backwards"), [("exact", 1, 3), ("exact", 2, 6), ("c_skip", 2, 0), ("noisy", 2, 0)]
)
def test_passes_are_counted_once_for_each_image_and_network(gradient, networks, backwards):
    passes = Counter()
    adjusted(gradient=gradient, networks=networks, count=passes.update)(tensor(images(3)), sigmas(1, 1, 1))
    assert passes == Counter(recognizer_forward=3, recognizer_backward=3, denoiser_backward=backwards)


def test_main_and_guide_of_one_network_share_a_forward_pass():
    calls = []

    def network(x, sigma, condition):
        calls.append(len(x))
        return gaussian()(x, sigma) * condition.view(-1, 1, 1, 1)

    counted = CountedNetwork(network)
    main, guide = (NetworkDenoiser(counted, torch.full((3,), value)) for value in (1.0, 0.9))
    adjusted(autoguide(main, guide, 1.3))(tensor(images(3)), sigmas(1, 1, 1))
    assert (calls, counted.evaluations) == ([6], 6)


@pytest.mark.parametrize("gradient", ["exact", "c_skip", "noisy"])
def test_no_weight_gets_a_gradient_and_the_result_keeps_no_graph(gradient):
    layer = torch.nn.Linear(PIXELS, PIXELS).double()
    head = torch.nn.Linear(PIXELS, 5).double()

    def denoise(x, sigma):
        return layer(x.flatten(1)).reshape(x.shape)

    x = tensor(images(3))
    with torch.no_grad():
        found = adjusted(denoise, lambda x: head(x.flatten(1)), gradient=gradient)(x, sigmas(1, 1, 1))
    assert not found.requires_grad
    assert not x.requires_grad
    assert all(weight.grad is None for part in (layer, head) for weight in part.parameters())


def sampled(weight=W, steps=200, noise=None, variance=VARIANCE, **options):
    """Return samples of the tilted Gaussian whose agreement is a.x, and the noise that they were made of."""
    noise = images(4, seed=3) if noise is None else noise
    options = {"features": on_the_circle, "wanted": np.array([1.0, 0.0]), "rows": len(noise), **options}
    denoise = adjusted(gaussian(variance=variance), weight=weight, **options)
    return rows_of(heun(denoise, tensor(noise), steps=steps)), noise


def test_samples_are_those_of_the_tilted_gaussian():
    """exp(W a.x) moves N(m, V) to N(m + W V a, V); from sigma 80 downwards the share sqrt(v)/80 of that is lost."""
    x, noise = sampled()
    start = np.sqrt(VARIANCE / (VARIANCE + 80**2))
    by_hand = MEAN + W * VARIANCE * ALONG * (1 - start) + start * (80 * noise - MEAN)
    np.testing.assert_allclose(x, by_hand, atol=2e-3)
    assert np.abs(W * VARIANCE * ALONG).max() > 0.05


def test_samples_end_nearer_to_the_identity_the_larger_the_weight():
    agreements = [(sampled(weight)[0] @ ALONG).mean() for weight in (0.0, 0.19, 5.0)]
    assert agreements == sorted(agreements)
    expected = 5.0 * (VARIANCE * ALONG**2).sum()
    assert agreements[2] - agreements[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("below", [0.5, 2.0])
def test_guiding_below_a_level_alone_loses_a_known_share_of_the_tilt(below):
    """sqrt(v / (v + level^2)) of it, for data of variance v."""
    variance = np.full(PIXELS, 0.25)
    tilts = [
        sampled(steps=400, variance=variance, guided_below=level)[0] - sampled(0.0, 400, variance=variance)[0]
        for level in (math.inf, below)
    ]
    kept = 1 - math.sqrt(0.25 / (0.25 + below**2))
    np.testing.assert_allclose(tilts[1] / tilts[0], kept, rtol=0.03)
