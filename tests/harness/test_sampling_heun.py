"""Heun's sampler against probability-flow ODEs that have closed solutions, and images against tensors.

A Gaussian N(m, v) has the denoiser (v x + s^2 m) / (v + s^2), and its flow from s_max to s is
x(s) = m + (x_max - m) sqrt((v + s^2) / (v + s_max^2)). In one dimension the flow of any distribution keeps the
quantile of a point, which solves a mixture too. The last step, Euler's to noise level 0, is by itself the denoiser at
sigma_min; so convergence is measured against that denoiser of the exact x(sigma_min), which has no floor. Against
the exact x(0) the error would stop at (x - m) sigma_min^2 / (2 v).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from faceassay.contracts import FaceassayError
from faceassay.noise import noise_levels
from faceassay.sampling import from_images, heun, to_images, to_noise

STEPS = (33, 65, 129, 257)  # 32, 64, 128 and 256 intervals between the noise levels
HIGH, LOW = 80.0, 0.002

SHARES = np.array([0.3, 0.7])
MEANS = np.array([-0.6, 0.5])
SDS = np.array([0.1, 0.2])
BIAS = 0.001


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gaussian(mean, variance):
    def denoise(x, sigma):
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (variance * x + noise * mean) / (variance + noise)

    return denoise


def mixture(x, sigma):
    """Denoise under the mixture of SHARES, MEANS and SDS in each pixel: the components' denoisers by posterior."""
    shares, means, variances = (torch.from_numpy(a).to(x) for a in (SHARES, MEANS, SDS**2))
    noise = sigma.view(-1, 1, 1, 1, 1) ** 2
    total = variances + noise
    posterior = (shares.log() - 0.5 * total.log() - 0.5 * (x[..., None] - means) ** 2 / total).softmax(-1)
    return (posterior * (variances * x[..., None] + noise * means) / total).sum(-1)


def mixture_cdf(x, sigma):
    return float(SHARES @ norm.cdf((x - MEANS) / np.sqrt(SDS**2 + sigma**2)))


def mixture_flow(z, sigma):
    """Follow the exact flow of the mixture from ``HIGH`` z down to ``sigma``: the point of the same quantile."""
    quantile = mixture_cdf(HIGH * z, HIGH)
    return brentq(lambda x: mixture_cdf(x, sigma) - quantile, -5, 5, xtol=1e-14)


def mixture_mean_of_clean(x, sigma):
    """Return E[x0 | x] of the mixture at one number, by the definition of the conditional mean of two Gaussians."""
    total = SDS**2 + sigma**2
    weights = SHARES * norm.pdf(x, MEANS, np.sqrt(total))
    return float(weights @ (MEANS + SDS**2 / total * (x - MEANS)) / weights.sum())


def gaussian_end(z, mean, variance):
    """Return the exact flow of N(mean, variance) down to LOW, then the denoiser there."""
    scale = math.sqrt((variance + LOW**2) / (variance + HIGH**2)) * variance / (variance + LOW**2)
    return mean + (HIGH * z - mean) * scale


def mixture_samples():
    return heun(mixture, noise(batch=625, size=4), steps=128).flatten().numpy()


def slopes(errors):
    """Return the orders of convergence seen between successive halvings of the step."""
    return [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]


def column(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype).view(-1, 1, 1, 1)


def noise(batch=5, size=4, dtype=torch.float64, seed=0):
    return torch.randn(batch, 3, size, size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


# --- noise levels


@pytest.mark.parametrize(("steps", "low", "high", "rho"), [(2, 0.002, 80, 7), (18, 0.002, 80, 7), (5, 0.1, 3, 1.5)])
def test_the_rho_th_roots_of_the_levels_are_evenly_spaced(steps, low, high, rho):
    levels = np.array(noise_levels(steps, low, high, rho)[:-1])
    np.testing.assert_allclose(levels, np.linspace(high ** (1 / rho), low ** (1 / rho), steps) ** rho, rtol=1e-12)


def test_the_levels_go_from_the_highest_to_the_lowest_to_zero():
    levels = noise_levels(32, LOW, HIGH, 7)
    assert levels[0] == pytest.approx(HIGH, rel=1e-13)
    assert levels[-2] == pytest.approx(LOW, rel=1e-13)
    assert levels[-1] == 0
    assert len(levels) == 33


def test_with_rho_one_the_levels_are_a_straight_line():
    assert noise_levels(5, 1.0, 5.0, 1.0) == pytest.approx([5, 4, 3, 2, 1, 0])


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_fewer_than_two_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"at least 2 steps .got {steps}"):
        heun(gaussian(0, 1), noise(), steps=steps)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_min": 0.0},
        {"sigma_min": -0.002},
        {"sigma_min": 80.0},
        {"sigma_min": 81.0},
        {"sigma_min": math.nan},
        {"sigma_max": 0.002},
        {"sigma_max": 0.001},
        {"sigma_max": math.inf},
        {"sigma_max": math.nan},
        {"rho": 0.0},
        {"rho": -7.0},
        {"rho": math.nan},
        {"rho": math.inf},
    ],
)
def test_noise_levels_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="sigma_min < sigma_max"):
        heun(gaussian(0, 1), noise(), **wrong)


# --- exactness


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.25), (0.0, 1.0), (-0.5, 0.0025)])
def test_the_flow_of_a_gaussian_converges_to_its_closed_form(mean, variance):
    ends = heun(gaussian(mean, variance), column(-1.0, 0.5, 2.0), steps=1024).flatten().tolist()
    exact = [gaussian_end(z, mean, variance) for z in (-1.0, 0.5, 2.0)]
    assert ends == pytest.approx(exact, abs=5e-5)


def test_every_heun_step_on_a_gaussian_multiplies_as_the_formula_says():
    # On x' = a(s) (x - m) with a = s / (v + s^2), Heun's step h multiplies x - m by 1 + h (a1 + a2 (1 + h a1)) / 2.
    mean, variance, steps = 0.3, 0.25, 9
    roots = np.linspace(HIGH ** (1 / 7), LOW ** (1 / 7), steps)
    levels, product = roots**7, 1.0
    for now, after in itertools.pairwise(levels):
        a1, a2, h = now / (variance + now**2), after / (variance + after**2), after - now
        product *= 1 + h * (a1 + a2 * (1 + h * a1)) / 2
    product *= variance / (variance + levels[-1] ** 2)
    end = heun(gaussian(mean, variance), column(1.5), steps=steps).item()
    assert end == pytest.approx(mean + (1.5 * levels[0] - mean) * product, rel=1e-11)


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.25), (0.3, 0.04), (0.0, 1.0), (-0.5, 0.0025)])
def test_the_error_falls_with_the_square_of_the_step(mean, variance):
    exact = gaussian_end(1.0, mean, variance)
    seen = slopes([abs(heun(gaussian(mean, variance), column(1.0), steps=n).item() - exact) for n in STEPS])
    # The error is C h^2 (1 + c h + ...): the slope is 2 + O(h), its distance to 2 halves with h, and extrapolating
    # it once leaves O(h^2). A method of order 1 or 3 would give 1 or 3.
    assert all(1.95 < slope < 2.1 for slope in seen)
    assert 2 * seen[-1] - seen[-2] == pytest.approx(2, abs=0.01)


def test_the_error_on_a_mixture_falls_with_the_square_of_the_step():
    starts = (-1.0, 0.5, 2.0)  # away from the gap between the modes, where small steps are needed first
    exact = [mixture_mean_of_clean(mixture_flow(z, LOW), LOW) for z in starts]
    errors = [np.abs(heun(mixture, column(*starts), steps=n).flatten().numpy() - exact).max() for n in STEPS]
    assert all(1.8 < slope < 2.3 for slope in slopes(errors))


def test_a_mixture_keeps_the_quantile_of_every_point():
    starts = (-2.0, -1.0, -0.6, -0.5, 0.0, 0.5, 1.0, 2.0)
    ends = heun(mixture, column(*starts), steps=256).flatten().numpy()
    np.testing.assert_allclose(ends, [mixture_flow(z, 0) for z in starts], atol=3e-4)


def test_the_samples_of_a_mixture_have_its_moments():
    samples = mixture_samples()
    mean = SHARES @ MEANS
    second = SHARES @ ((MEANS - mean) ** 2 + SDS**2)
    fourth = SHARES @ ((MEANS - mean) ** 4 + 6 * (MEANS - mean) ** 2 * SDS**2 + 3 * SDS**4)
    # Five standard errors, and the sampler's own error: at 128 steps all but 1 of 300 samples are within BIAS.
    assert samples.mean() == pytest.approx(mean, abs=5 * math.sqrt(second / len(samples)) + BIAS)
    wanted = 5 * math.sqrt((fourth - second**2) / len(samples)) + 2 * BIAS
    assert samples.var() == pytest.approx(second, abs=wanted)


@pytest.mark.parametrize("component", [0, 1])
def test_the_samples_of_a_mixture_have_its_components(component):
    samples = mixture_samples()
    share, mean, sd = SHARES[component], MEANS[component], SDS[component]
    densities = SHARES * norm.pdf(samples[:, None], MEANS, SDS)
    responsibility = densities[:, component] / densities.sum(1)
    # With r the component's responsibility, E r = share, E r (x - mean) = 0 and E r (x - mean)^2 = share sd^2. Since
    # r <= 1, the variances of the terms are at most share (1 - share), share sd^2 and 3 share sd^4. Samples that are
    # off by BIAS move them by no more than BIAS, BIAS and 2 sd BIAS. The start is N(0, s_max^2) where the exact one
    # is N(mean, var + s_max^2): that moves a share by less than |mean of all| / (s_max sqrt(2 pi)) = 0.0009.
    error = 5 * math.sqrt(share / len(samples))
    assert responsibility.mean() == pytest.approx(share, abs=error * math.sqrt(1 - share) + BIAS)
    assert np.mean(responsibility * (samples - mean)) == pytest.approx(0, abs=error * sd + BIAS)
    wanted = error * math.sqrt(3) * sd**2 + 2 * sd * BIAS
    assert np.mean(responsibility * (samples - mean) ** 2) == pytest.approx(share * sd**2, abs=wanted)


# --- what is evaluated, in which type


@pytest.mark.parametrize("steps", [2, 3, 18, 32])
def test_a_sample_takes_two_evaluations_per_step_less_one(steps):
    calls = []
    heun(lambda x, sigma: calls.append(len(x)) or 0.5 * x, noise(batch=7), steps=steps)
    assert calls == [7] * (2 * steps - 1)


def test_each_level_is_evaluated_where_the_method_says():
    seen = []
    heun(lambda x, sigma: seen.append(sigma[0].item()) or 0.5 * x, noise(), steps=3, sigma_min=1, sigma_max=4, rho=1)
    assert seen == pytest.approx([4, 2.5, 2.5, 1, 1])


def test_a_denoiser_gets_one_noise_level_per_image():
    shapes = set()
    heun(lambda x, sigma: shapes.add((tuple(x.shape), tuple(sigma.shape))) or x, noise(batch=5, size=4), steps=3)
    assert shapes == {((5, 3, 4, 4), (5,))}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_the_state_is_at_least_float32(given, state):
    seen = set()
    end = heun(lambda x, sigma: seen.update({x.dtype, sigma.dtype}) or 0.5 * x, noise(dtype=given), steps=2)
    assert seen == {state}
    assert end.dtype == state


def test_a_network_of_lower_precision_does_not_lower_the_state():
    seen = set()
    end = heun(lambda x, sigma: seen.add(x.dtype) or (0.5 * x).half(), noise(dtype=torch.float32), steps=3)
    assert (seen, end.dtype) == ({torch.float32}, torch.float32)


def test_float32_follows_float64_closely():
    start = noise(dtype=torch.float32)
    low, high = heun(gaussian(0.3, 0.25), start), heun(gaussian(0.3, 0.25), start.double())
    # Rounding at level s is 2^-24 |x|, |x| up to 4 s, and shrinks by 0.5 / s until the end: 31 x 3 x 2^-24 x 4 x 0.5.
    torch.testing.assert_close(low.double(), high, atol=2e-5, rtol=0)


# --- what it leaves alone


def test_the_other_rows_of_a_batch_do_not_matter():
    one, other = noise(seed=0), noise(seed=1)
    other[2] = one[2]
    ends = [heun(mixture, start, steps=8) for start in (one, other)]
    assert torch.equal(ends[0][2], ends[1][2])
    assert not torch.equal(ends[0][1], ends[1][1])


def test_a_row_alone_ends_where_it_ends_in_a_batch():
    together = heun(mixture, noise(), steps=8)
    alone = torch.cat([heun(mixture, row[None], steps=8) for row in noise()])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


def test_no_gradient_is_kept():
    weight = torch.nn.Parameter(torch.tensor(0.5))
    end = heun(lambda x, sigma: weight * x, noise(dtype=torch.float32).requires_grad_(), steps=3)
    assert not end.requires_grad
    assert end.grad_fn is None


def test_a_denoiser_may_take_gradients_of_its_own():
    def guided(x, sigma):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return x - torch.autograd.grad((leaf**2).sum(), leaf)[0] / 4

    torch.testing.assert_close(heun(guided, noise(), steps=4), heun(lambda x, sigma: 0.5 * x, noise(), steps=4))


def test_the_noise_is_not_written_to():
    start = noise()
    heun(gaussian(0, 1), start, steps=3)
    assert torch.equal(start, noise())


def test_the_same_noise_gives_the_same_bytes():
    assert torch.equal(heun(mixture, noise(), steps=8), heun(mixture, noise(), steps=8))


def test_the_global_random_states_are_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    heun(gaussian(0, 1), noise(), steps=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_a_start_of_zero_stays_at_the_mean_of_a_centred_distribution():
    assert torch.equal(heun(gaussian(0.0, 0.25), torch.zeros(2, 3, 2, 2)), torch.zeros(2, 3, 2, 2))


# --- images and tensors


def test_every_grey_level_survives_both_conversions():
    grey = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_images(from_images(grey)), grey)


def test_images_become_tensors_by_the_formula():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    expected = (pixels.astype(np.float32) / np.float32(127.5) - 1).transpose(0, 3, 1, 2)
    tensors = from_images(pixels[:, :, ::-1])
    assert tensors.dtype == torch.float32
    assert np.array_equal(tensors.numpy(), expected[..., ::-1])


def test_tensors_become_images_by_the_formula():
    x = (2 * np.random.default_rng(0).standard_normal((2, 3, 4, 5))).astype(np.float32)
    expected = np.clip(np.floor(x * np.float32(127.5) + 128), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    assert np.array_equal(to_images(torch.from_numpy(x)), expected)


@pytest.mark.parametrize(("value", "grey"), [(-1, 0), (1, 255), (0, 128), (-50, 0), (50, 255)])
def test_values_are_clipped(value, grey):
    assert to_images(torch.full((1, 3, 2, 2), float(value))).tolist() == np.full((1, 2, 2, 3), grey).tolist()


@pytest.mark.parametrize(("value", "grey"), [(math.inf, 255), (-math.inf, 0)])
def test_infinite_values_are_clipped(value, grey):
    assert to_images(torch.full((1, 3, 2, 2), value)).tolist() == np.full((1, 2, 2, 3), grey).tolist()


@pytest.mark.parametrize(("level", "grey"), [(0.4, 0), (0.6, 1), (126.4, 126), (126.6, 127), (254.6, 255)])
def test_values_between_two_grey_levels_go_to_the_nearest(level, grey):
    assert to_images(torch.full((1, 3, 2, 2), level / 127.5 - 1)).tolist() == np.full((1, 2, 2, 3), grey).tolist()


def test_half_precision_is_converted_before_it_is_scaled():
    x = torch.linspace(-1, 1, 12).half().view(1, 3, 2, 2)
    assert np.array_equal(to_images(x), to_images(x.float()))


def test_nan_is_no_image():
    x = torch.zeros(1, 3, 2, 2)
    x[0, 1, 0, 1] = math.nan
    with pytest.raises(FaceassayError, match="NaN"):
        to_images(x)


def test_noise_keeps_its_bytes_on_the_way_to_a_device():
    noise = np.random.default_rng(0).standard_normal((2, 3, 4, 4), dtype=np.float32)
    assert np.array_equal(to_noise(noise).numpy(), noise)
