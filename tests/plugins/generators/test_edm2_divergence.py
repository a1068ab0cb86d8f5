"""Trainings that fail: they stop, say why, and keep the state before the failing step."""

from __future__ import annotations

import pytest
import torch

from edm2_fits import fit
from faceassay import DivergenceError
from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.loss import error_without_network, weighted_errors
from faceassay_plugins.generators.edm2.network import Denoiser
from fakes import stage_context

NAN, GROWING = 1e38, 100.0


@pytest.fixture
def hot(small):
    """Return a function that gives ``small`` another learning rate, beyond the bounds of the parameter."""
    return lambda rate, **more: small.model_copy(update={"learning_rate": rate, **more})


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("faceassay_plugins.generators.edm2.training.PATIENCE", 3)


def failed_step(plugin, faces, folder):
    with pytest.raises(DivergenceError) as error:
        fit(plugin, faces, folder)
    return int(str(error.value).split("step ")[1].split(" ")[0])


def test_a_loss_that_is_not_finite_stops_at_its_step(hot, faces, tmp_path):
    with pytest.raises(DivergenceError, match=r"loss of step \d of 6 is (nan|inf).*lower learning_rate.*saved"):
        fit(hot(NAN), faces, tmp_path)


def test_an_error_above_the_ceiling_for_too_long_stops(hot, faces, tmp_path, impatient):
    with pytest.raises(DivergenceError, match=r"at step \d of 6 it is \d.* above 40 for 3 steps.*lower learning_rate"):
        fit(hot(GROWING), faces, tmp_path)


def test_a_guide_that_diverges_is_named(hot, faces, tmp_path):
    with pytest.raises(DivergenceError, match="of the guide is"):
        fit(hot(NAN, guide_channels=8), faces, tmp_path)


@pytest.mark.parametrize("rate", [NAN, GROWING])
def test_the_state_before_the_failing_step_is_kept(rate, hot, faces, tmp_path, impatient):
    failed = failed_step(hot(rate), faces, tmp_path)
    step, tensors, _ = stage_context(tmp_path).checkpoints.load()
    assert step == failed - 1
    assert tensors


@pytest.mark.parametrize("rate", [NAN, GROWING])
def test_a_failed_training_fails_at_the_same_step_when_it_is_resumed(rate, hot, faces, tmp_path, impatient):
    first = failed_step(hot(rate), faces, tmp_path)
    assert failed_step(hot(rate), faces, tmp_path) == first


def test_a_state_kept_before_it_failed_can_be_resumed_with_a_lower_learning_rate(
    hot, small, faces, tmp_path, impatient
):
    failed_step(hot(GROWING), faces, tmp_path)
    _, _, document = stage_context(tmp_path).checkpoints.load()
    assert document["excess"] == 2


def test_a_healthy_training_is_never_above_the_ceiling(small, faces, tmp_path, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.generators.edm2.training.PATIENCE", 1)
    assert "main.safetensors" in fit(small, faces, tmp_path)


@pytest.mark.parametrize("sigma_data", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("sigma", [0.01, 0.5, 3.0, 300.0])
def test_no_image_gives_a_network_of_zero_a_larger_error(sigma_data, value, sigma):
    plugin = Edm2(channels=8, channel_multipliers=(1,), blocks=1, attention_resolutions=(), sigma_data=sigma_data)
    x = torch.full((256, 3, 8, 8), value)
    errors = weighted_errors(
        Denoiser(plugin.architecture(8, 2)), x, torch.randn_like(x), torch.full((256,), sigma), torch.zeros(256, 2)
    )
    # A squared normal has variance 2: over 49,152 values four deviations are 2.6 %.
    assert errors.mean().item() <= 1.026 * error_without_network(sigma_data)


def test_white_images_under_much_noise_give_the_largest_error():
    plugin = Edm2(channels=8, channel_multipliers=(1,), blocks=1, attention_resolutions=())
    x = torch.ones(4, 3, 8, 8)
    errors = weighted_errors(
        Denoiser(plugin.architecture(8, 2)), x, torch.randn_like(x), torch.full((4,), 1e4), torch.zeros(4, 2)
    )
    assert errors.mean().item() == pytest.approx(error_without_network(0.5), rel=1e-3)
