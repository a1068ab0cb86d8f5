"""Mixing and guiding denoisers against closed forms of Gaussian modes: at one noise level and along trajectories.

For 1-D modes (m_i, v_i) and weights w_i the score-mixed flow is dx/ds = s sum w_i (x - m_i) / (v_i + s^2), so its
linear part from s_max to s is prod ((v_i + s^2) / (v_i + s_max^2))^(w_i / 2): a start of variance s_max^2 ends at
s_max^2 prod (v_i / (v_i + s_max^2))^w_i, which for s_max^2 far above v_i is s_max^(2 (1 - sum w)) prod v_i^w_i.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.stats import norm

from faceassay.sampling import NetworkDenoiser, autoguide, heun, mix_scores

HIGH = 80.0
FINE = 512  # steps; relative error of the spreads below 2e-4


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class GaussianNetwork:
    """A network over Gaussian classes: condition [B, 2] holds each image's mean and variance."""

    def __call__(self, x, sigma, condition):
        mean, variance = (condition[:, k].view(-1, 1, 1, 1) for k in (0, 1))
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (variance * x + noise * mean) / (variance + noise)

    def under(self, mean, variance, batch=1):
        condition = torch.tensor([[mean, variance]], dtype=torch.float64).repeat(batch, 1)
        return NetworkDenoiser(self, condition)


def class_denoisers(modes, batch=2):
    network = GaussianNetwork()
    return [network.under(mean, variance, batch) for mean, variance in modes]


def never(x, sigma):
    raise AssertionError("a branch of weight 0 was evaluated")


def images(batch=2, size=3, seed=0, dtype=torch.float64):
    return torch.randn(batch, 3, size, size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def column(*values):
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def levels(batch=2, value=0.7):
    return torch.full((batch,), value, dtype=torch.float64)


def affine_end(denoise, steps=FINE, **levels):
    """Return slope and intercept of the affine map from standard noise to sample."""
    at_zero, at_one = heun(denoise, column(0.0, 1.0), steps=steps, **levels).flatten().tolist()
    return at_one - at_zero, at_zero


def ended_variance(modes, weights, high=HIGH):
    return high**2 * math.prod((v / (v + high**2)) ** w for (_, v), w in zip(modes, weights, strict=True))


# --- the formula at one noise level


@given(
    weights=st.lists(st.floats(-2, 3), min_size=1, max_size=4),
    sigma=st.floats(0.01, 50),
    x=st.floats(-5, 5),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_the_mixed_denoiser_has_the_mixed_score(weights, sigma, x, seed):
    modes = np.random.default_rng(seed).uniform([-1, 0.05], [1, 1], (len(weights), 2))
    scores = [-(x - m) / (v + sigma**2) for m, v in modes]
    mixed = mix_scores(class_denoisers(modes, batch=1), weights)(column(x), levels(1, sigma)).item()
    expected = x + sigma**2 * float(np.dot(weights, scores))
    assert mixed == pytest.approx(expected, rel=1e-9, abs=1e-9 * sigma**2)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.3, 0.4), (0.9, 0.4), (1.5, -0.5)])
def test_the_mixed_denoiser_adds_what_the_weights_leave_of_the_noisy_image(weights):
    x, sigma = images(), levels()
    parts = class_denoisers([(0.2, 0.1), (-0.4, 0.3)])
    by_hand = weights[0] * parts[0](x, sigma) + weights[1] * parts[1](x, sigma) + (1 - sum(weights)) * x
    torch.testing.assert_close(mix_scores(parts, weights)(x, sigma), by_hand, rtol=0, atol=1e-12)


def test_at_one_noise_level_the_mixed_score_is_that_of_the_weighted_product_of_densities():
    modes, weights, sigma, x, step = [(0.5, 0.04), (-0.3, 1.0)], (0.4, 0.6), 0.3, 0.2, 1e-5

    def log_product(at):
        return sum(w * norm.logpdf(at, m, math.sqrt(v + sigma**2)) for (m, v), w in zip(modes, weights, strict=True))

    mixed = mix_scores(class_denoisers(modes, batch=1), weights)(column(x), levels(1, sigma)).item()
    gradient = (log_product(x + step) - log_product(x - step)) / (2 * step)
    assert (mixed - x) / sigma**2 == pytest.approx(gradient, rel=1e-6)


# --- the formula along a whole trajectory


@pytest.mark.parametrize(
    ("variances", "weights", "rounded"),
    [
        ((0.04, 1.0), (0.5, 0.5), "0.200"),
        ((0.25, 0.25), (0.4, 0.4), "1.90"),
        ((0.25, 0.25), (0.6, 0.6), "0.033"),
        ((0.04, 1.0), (0.2, 0.8), "0.525"),
        ((0.04, 1.0), (1.5, -0.5), "0.008"),
        ((0.04, 1.0, 0.25), (0.2, 0.3, 0.5), "0.263"),
        ((0.25, 0.25), (0.0, 1.0), "0.25"),
    ],
)
def test_a_mix_ends_at_a_weighted_geometric_mean_of_the_variances(variances, weights, rounded):
    modes = [(0.0, v) for v in variances]
    slope, _ = affine_end(mix_scores(class_denoisers(modes), weights))
    assert slope**2 == pytest.approx(ended_variance(modes, weights), rel=1e-3)
    limit = HIGH ** (2 * (1 - sum(weights))) * math.prod(v**w for v, w in zip(variances, weights, strict=True))
    assert slope**2 == pytest.approx(limit, rel=2e-3)
    assert f"{limit:.{len(rounded) - 2}f}" == rounded


def test_a_mix_is_not_the_product_of_the_densities():
    slope, _ = affine_end(mix_scores(class_denoisers([(0, 0.04), (0, 1.0)]), (0.5, 0.5)))
    product = 1 / (0.5 / 0.04 + 0.5 / 1.0)
    assert product == pytest.approx(0.077, abs=5e-4)
    assert slope**2 > 2.5 * product


@pytest.mark.parametrize("total", [0.8, 1.0, 1.2])
def test_off_the_line_the_spread_grows_as_the_starting_noise_to_one_minus_the_sum(total):
    spreads = []
    for high in (80.0, 160.0):
        mixed = mix_scores(class_denoisers([(0, 0.25), (0, 0.25)]), (total / 2, total / 2))
        spreads.append(affine_end(mixed, sigma_max=high)[0])
    assert math.log2(spreads[1] / spreads[0]) == pytest.approx(1 - total, abs=1e-3)


@pytest.mark.parametrize(
    ("means", "weights"), [((0.6, -0.2), (0.5, 0.5)), ((0.6, -0.2), (1.5, -0.5)), ((0.6, -0.2, 0.1), (0.2, 0.3, 0.5))]
)
def test_with_equal_variances_a_mix_ends_at_the_weighted_mean(means, weights):
    slope, centre = affine_end(mix_scores(class_denoisers([(m, 0.25) for m in means]), weights))
    reached = np.dot(means, weights)
    # The start has mean 0, not that of the mix, so a share sqrt(v / (v + s_max^2)) of the way is missing.
    assert centre == pytest.approx(reached * (1 - 0.5 / math.sqrt(0.25 + HIGH**2)), abs=1e-4)
    assert slope == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("weights", [(0.4, 0.4), (0.6, 0.6)])
def test_off_the_line_a_mix_is_drawn_to_the_normalised_weighted_mean(weights):
    _, centre = affine_end(mix_scores(class_denoisers([(0.6, 0.25), (-0.2, 0.25)]), weights))
    total = sum(weights)
    reached = (0.6 * weights[0] - 0.2 * weights[1]) / total
    assert centre == pytest.approx(reached * (1 - (0.25 / (0.25 + HIGH**2)) ** (total / 2)), abs=1e-4)


def test_with_unequal_variances_a_mix_ends_where_an_adaptive_solver_ends():
    modes, weights = [(0.6, 0.04), (-0.2, 1.0)], (0.5, 0.5)

    def slope(s, x):
        return s * sum(w * (x - m) / (v + s**2) for (m, v), w in zip(modes, weights, strict=True))

    solved = solve_ivp(slope, (HIGH, 0), [0.5 * HIGH], method="DOP853", rtol=1e-11, atol=1e-12).y[0, -1]
    ended = heun(mix_scores(class_denoisers(modes, batch=1), weights), column(0.5), steps=FINE).item()
    assert ended == pytest.approx(solved, abs=1e-4)


# --- score space and denoised space


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.3, 0.7), (1.5, -0.5), (1.0, 0.0)])
def test_both_spaces_are_one_where_the_weights_sum_to_one(weights):
    x, sigma = images(), levels()
    parts = class_denoisers([(0.2, 0.1), (-0.4, 0.3)])
    score, denoised = (mix_scores(parts, weights, space=space)(x, sigma) for space in ("score", "denoised"))
    assert torch.equal(score, denoised)


@pytest.mark.parametrize("weights", [(0.4, 0.4), (0.6, 0.6)])
def test_off_the_line_the_spaces_differ_by_the_rest_of_the_noisy_image(weights):
    x, sigma = images(), levels()
    parts = class_denoisers([(0.2, 0.1), (-0.4, 0.3)])
    score, denoised = (mix_scores(parts, weights, space=space)(x, sigma) for space in ("score", "denoised"))
    torch.testing.assert_close(score - denoised, (1 - sum(weights)) * x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("zero", [0.0, torch.zeros(2)])
def test_without_weights_score_mixing_leaves_the_noise_and_denoised_mixing_gives_nothing(zero):
    x, sigma = images(), levels()
    assert torch.equal(mix_scores([never, never], [zero, zero])(x, sigma), x)
    assert torch.equal(mix_scores([never, never], [zero, zero], space="denoised")(x, sigma), torch.zeros_like(x))


def test_without_weights_a_sample_in_score_space_is_the_scaled_noise():
    start = images()
    torch.testing.assert_close(heun(mix_scores([never, never], [0, 0]), start, steps=4), HIGH * start)


def test_without_weights_a_sample_in_denoised_space_is_zero():
    ended = heun(mix_scores([never, never], [0, 0], space="denoised"), images(), steps=4)
    torch.testing.assert_close(ended, torch.zeros_like(ended), rtol=0, atol=1e-12)


@pytest.mark.parametrize("total", [0.8, 1.2])
def test_off_the_line_denoised_mixing_ends_at_a_power_of_the_lowest_noise_level(total):
    # dx/ds = (x - W D) / s with D = (v x + s^2 m) / (v + s^2) has the homogeneous solution
    # h(s) = s^(1 - W) (v + s^2)^(W / 2): no limit but 0 or infinity for s -> 0. The last step makes W D of it.
    mean, variance, low = 0.6, 0.25, 0.002

    def h(s):
        return s ** (1 - total) * (variance + s**2) ** (total / 2)

    slope, centre = affine_end(
        mix_scores(class_denoisers([(mean, variance)] * 2), (total / 2, total / 2), space="denoised")
    )
    shrink = variance / (variance + low**2)
    assert slope == pytest.approx(total * shrink * HIGH * h(low) / h(HIGH), rel=5e-3)
    drift = quad(lambda u: total * math.exp(2 * u) / (variance + math.exp(2 * u)) / h(math.exp(u)),
                 math.log(low), math.log(HIGH))[0]  # fmt: skip
    at_low = mean * h(low) * drift
    assert centre == pytest.approx(total * (mean + shrink * (at_low - mean)), rel=5e-3)


# --- guidance


def test_a_guided_sample_of_gaussian_models_ends_at_its_closed_form():
    # Equal variances: guiding shifts the mean to m_guide + w (m_main - m_guide), the spread stays.
    main, guide = (GaussianNetwork().under(mean, 0.25, batch=2) for mean in (0.4, 0.1))
    slope, centre = affine_end(autoguide(main, guide, 1.3))
    assert slope == pytest.approx(0.5, rel=1e-3)
    assert centre == pytest.approx((0.1 + 1.3 * 0.3) * (1 - 0.5 / HIGH), abs=1e-4)


# --- what is refused


@pytest.mark.parametrize("weights", [(), (1.0,), (0.3, 0.3, 0.4)])
def test_counts_that_do_not_match_are_refused(weights):
    with pytest.raises(ValueError, match=f"2 denoisers and {len(weights)} weights"):
        mix_scores([never, never], weights)


def test_a_mix_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 denoisers"):
        mix_scores([], [])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, torch.tensor([0.5, math.nan])])
def test_weights_that_are_no_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="finite"):
        mix_scores([never, never], [wrong, 0.5])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_guidance_that_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="finite"):
        autoguide(never, never, wrong)


def test_an_unknown_space_is_refused():
    with pytest.raises(ValueError, match="'score' or 'denoised'"):
        mix_scores([never], [1.0], space="noise")
