"""ID3's algorithm 2 against its closed form where the score is linear: Gaussian data, one recursion by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay.contracts import FaceassayError
from faceassay_plugins.augmentations.id3.adjusted import AdjustedDenoiser
from faceassay_plugins.augmentations.id3.langevin import fresh_noise, langevin
from faceassay_plugins.augmentations.id3.schedule import alpha_bars, noise_level
from tilted_gaussians import ALONG, MEAN, VARIANCE, gaussian, images, on_the_circle, rows_of, tensor

STEPS, GAMMA = 1000, 2e-3


def abar_by_hand(steps=STEPS):
    """Return abar_T ... abar_1 of the linear schedule from 1e-4 to 0.02."""
    kept, found = 1.0, []
    for t in range(steps):
        kept *= 1 - (1e-4 + (0.02 - 1e-4) * t / (steps - 1))
        found.append(kept)
    return found[::-1]


def recursion(x, fresh, pull=None):
    """Take algorithm 2's steps with the score of N(sqrt(abar) m, abar v + 1 - abar) written out, and a ``pull``."""
    for abar, eps in zip(abar_by_hand(len(fresh)), fresh, strict=True):
        centre, spread = np.sqrt(abar) * MEAN, abar * VARIANCE + 1 - abar
        slope = (centre - x) / spread + (pull(abar, spread) if pull else 0)
        x = x + GAMMA * slope + np.sqrt(2 * GAMMA) * eps
    return x


def eps(steps=STEPS, count=3):
    return np.random.default_rng(8).normal(0, 1, (steps, count, 3, 2, 2))


def test_the_schedule_is_linear_from_1e_4_to_0_02():
    np.testing.assert_allclose(alpha_bars(1000), abar_by_hand()[::-1], rtol=1e-12)
    assert alpha_bars(1000)[0] == pytest.approx(0.9999)
    assert alpha_bars(1000)[-1] == pytest.approx(4.04e-5, rel=0.01)
    assert noise_level(0.2) == pytest.approx(2)


def test_each_step_is_that_of_algorithm_2():
    start, fresh = images(3), eps()
    found = langevin(gaussian(), tensor(start), fresh, step_size=GAMMA, steps=STEPS)
    np.testing.assert_allclose(rows_of(found), recursion(start, fresh.reshape(STEPS, 3, -1)), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("space", ["score", "epsilon"])
def test_the_pull_of_the_identity_is_that_of_the_papers_variables(space):
    """With cos = a.D(x) it is sqrt(abar) v a / (abar v + 1 - abar); epsilon divides it by sqrt(1 - abar)."""
    weight, start, fresh = 3.0, images(3), eps(200)
    wanted = torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(3, 1)
    denoise = AdjustedDenoiser(gaussian(), on_the_circle, wanted, weight, space=space)

    def pull(abar, spread):
        gradient = weight * np.sqrt(abar) * VARIANCE * ALONG / spread
        return gradient if space == "score" else gradient / np.sqrt(1 - abar)

    found = rows_of(langevin(denoise, tensor(start), fresh, step_size=GAMMA, steps=200))
    np.testing.assert_allclose(found, recursion(start, fresh.reshape(200, 3, -1), pull), rtol=1e-9, atol=1e-11)
    assert np.abs(found - recursion(start, fresh.reshape(200, 3, -1))).max() > 1e-3


def test_mean_and_variance_of_the_images_are_those_of_the_recursion():
    """E x <- E x + gamma (centre - E x) / spread; Var x <- (1 - gamma / spread)^2 Var x + 2 gamma."""
    mean, variance, rows = 0.3, 0.25, 400
    centre, spread = 0.0, 1.0
    for abar in abar_by_hand(100):
        pull = GAMMA / (abar * variance + 1 - abar)
        centre += pull * (np.sqrt(abar) * mean - centre)
        spread = (1 - pull) ** 2 * spread + 2 * GAMMA
    noise = np.random.default_rng(9).standard_normal((rows, 3, 2, 2), dtype=np.float32)
    denoise = gaussian(np.full(12, mean), np.full(12, variance))
    x = langevin(denoise, torch.from_numpy(noise), fresh_noise(noise, 100), step_size=GAMMA, steps=100)
    deviation = np.sqrt(spread / (rows * 12))
    assert x.mean().item() == pytest.approx(centre, abs=4 * deviation)
    assert x.var().item() == pytest.approx(spread, rel=4 * np.sqrt(2 / (rows * 12)))


def test_the_noise_of_a_row_is_its_own_in_any_block():
    noise = np.random.default_rng(0).standard_normal((5, 3, 4, 4), dtype=np.float32)
    together, others = list(fresh_noise(noise, 3)), list(fresh_noise(noise[[4, 2]], 3))
    for all_rows, some in zip(together, others, strict=True):
        assert all_rows.dtype == np.float32
        np.testing.assert_array_equal(all_rows[[4, 2]], some)


def test_the_noise_is_new_in_every_row_and_step_and_standard_normal():
    noise = np.random.default_rng(0).standard_normal((20, 3, 8, 8), dtype=np.float32)
    fresh = np.stack([*fresh_noise(noise, 10), noise]).reshape(11 * 20, -1)
    correlations = np.corrcoef(fresh)[np.triu_indices(220, 1)]
    assert np.abs(correlations).max() < 6 / np.sqrt(192)
    assert fresh.mean() == pytest.approx(0, abs=4 / np.sqrt(fresh.size))
    assert fresh.std() == pytest.approx(1, abs=4 / np.sqrt(2 * fresh.size))


def test_a_step_too_large_is_an_error_and_no_image():
    with pytest.raises(FaceassayError, match="step_size 5 left the finite numbers: take a smaller one"):
        langevin(gaussian(), tensor(images(3)), eps(), step_size=5, steps=STEPS)


def test_noise_for_another_number_of_steps_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        langevin(gaussian(), tensor(images(3)), eps(20), step_size=GAMMA, steps=21)
