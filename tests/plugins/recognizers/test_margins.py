"""Margins against closed forms in NumPy, brute force, and numerical derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceassay_plugins.recognizers.margins import adaface, arcface, cosface, norm_quality


def cosines(rows=5, classes=7, seed=0):
    return np.random.default_rng(seed).uniform(-0.8, 0.95, (rows, classes))


def logits(place, cosine, labels, **options):
    return place(torch.tensor(cosine), torch.tensor(labels), **options).numpy()


def derivative(function, cosine, step=1e-6):
    upper, lower = function(cosine + step), function(cosine - step)
    return (upper - lower) / (2 * step)


def target_gradient(place, cosine):
    x = torch.tensor([[cosine, 0.1]], dtype=torch.float64, requires_grad=True)
    place(x, torch.tensor([0]))[0, 0].backward()
    return x.grad[0, 0].item()


def test_arcface_is_the_cosine_of_the_widened_angle():
    cosine, labels = cosines(), [0, 3, 6, 2, 2]
    expected = 64.0 * cosine
    for row, label in enumerate(labels):
        expected[row, label] = 64.0 * np.cos(np.arccos(cosine[row, label]) + 0.5)
    np.testing.assert_allclose(logits(arcface, cosine, labels), expected, rtol=1e-10)


def test_cosface_subtracts_from_the_target():
    cosine, labels = cosines(), [0, 3, 6, 2, 2]
    expected = 30.0 * cosine
    for row, label in enumerate(labels):
        expected[row, label] -= 30.0 * 0.35
    np.testing.assert_allclose(logits(cosface, cosine, labels, scale=30.0, margin=0.35), expected, rtol=1e-10)


@pytest.mark.parametrize("place", [arcface, cosface])
def test_label_minus_one_leaves_the_row_alone(place):
    cosine = cosines(3)
    result = logits(place, cosine, [2, -1, 0])
    np.testing.assert_allclose(result[1], 64.0 * cosine[1])
    assert result[0, 2] < 64.0 * cosine[0, 2]


@pytest.mark.parametrize("place", [arcface, cosface])
def test_a_margin_of_zero_only_scales(place):
    cosine = cosines()
    np.testing.assert_allclose(logits(place, cosine, [0, 1, 2, 3, 4], margin=0.0), 64.0 * cosine, rtol=1e-10)


@pytest.mark.parametrize("cosine", [-0.85, -0.3, 0.0, 0.4, 0.99])
def test_the_gradient_of_arcface_is_the_derivative_of_the_closed_form(cosine):
    expected = derivative(lambda c: 64.0 * math.cos(math.acos(c) + 0.5), cosine)
    assert target_gradient(arcface, cosine) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_of_arcface_is_not_straight_through():
    assert target_gradient(arcface, 0.9) > 1.8 * 64.0


def test_the_gradient_of_cosface_is_the_scale():
    assert target_gradient(cosface, 0.4) == pytest.approx(64.0)


def test_beyond_pi_the_target_is_linear_in_the_cosine():
    beyond = math.cos(math.pi - 0.5 + 0.05)
    expected = 64.0 * (beyond - 0.5 * math.sin(0.5))
    assert logits(arcface, [[beyond, 0.1]], [0])[0, 0] == pytest.approx(expected)
    assert target_gradient(arcface, beyond) == pytest.approx(64.0)


def test_the_target_keeps_falling_with_the_angle_through_the_guard():
    cosine = np.cos(np.linspace(0.01, math.pi - 0.001, 400))[:, None]
    target = logits(arcface, cosine, [0] * 400)[:, 0]
    assert (np.diff(target) < 0).all()


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1.0000001])
def test_the_gradient_is_finite_at_the_poles(cosine):
    x = torch.tensor([[cosine, 0.0]], requires_grad=True)
    arcface(x, torch.tensor([0])).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("labels", [[0, 7], [-2, 0]])
@pytest.mark.parametrize("place", [arcface, cosface])
def test_a_label_out_of_range_is_an_error(place, labels):
    with pytest.raises(ValueError, match=r"-1\.\.6"):
        logits(place, cosines(2), labels)


def test_the_input_is_left_unchanged():
    cosine = torch.tensor(cosines())
    before = cosine.clone()
    arcface(cosine, torch.tensor([0, 1, 2, 3, 4]))
    assert torch.equal(cosine, before)


def test_the_straight_through_gradient_is_the_scale():
    for cosine in (-0.99, -0.3, 0.4, 0.9):
        held = {
            "arcface": lambda c, y: arcface(c, y, gradient="straight_through"),
            "adaface": lambda c, y: adaface(c, y, torch.tensor([0.4]), gradient="straight_through"),
        }
        assert all(target_gradient(place, cosine) == pytest.approx(64.0) for place in held.values())


def test_straight_through_arcface_has_no_guard():
    """insightface: cos(theta + m) wherever theta is."""
    cosine = np.cos(np.linspace(0.01, math.pi - 0.01, 50))[:, None]
    expected = 64.0 * np.cos(np.arccos(cosine[:, 0]) + 0.5)
    found = logits(arcface, cosine, [0] * 50, gradient="straight_through")
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9, atol=1e-9)


def quality(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_adaface_is_the_formula_of_the_paper():
    """Kim et al. 2022: s (cos(theta + g_angle) - g_add), g_angle = -m z, g_add = m z + m."""
    cosine, labels, z = cosines(), [0, 3, 6, 2, 2], [-0.9, -0.2, 0.0, 0.3, 1.0]
    expected = 64.0 * cosine
    for row, label in enumerate(labels):
        theta = math.acos(cosine[row, label])
        expected[row, label] = 64.0 * (math.cos(theta - 0.4 * z[row]) - 0.4 * z[row] - 0.4)
    found = adaface(torch.tensor(cosine), torch.tensor(labels), quality(*z)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("z", [-1.0, 0.0])
def test_adaface_is_arcface_at_the_worst_quality_and_cosface_at_the_mean(z):
    cosine, labels = torch.tensor(cosines()), torch.tensor([0, 3, 6, 2, 2])
    other = arcface(cosine, labels, margin=0.4) if z else cosface(cosine, labels, margin=0.4)
    assert torch.allclose(adaface(cosine, labels, quality(*[z] * 5)), other)


@pytest.mark.parametrize("cosine", [-0.8, 0.1, 0.9])
def test_the_gradient_of_adaface_is_the_derivative_of_the_formula(cosine):
    expected = derivative(lambda c: 64.0 * math.cos(math.acos(c) - 0.4 * 0.7), cosine)
    found = target_gradient(lambda x, labels: adaface(x, labels, quality(0.7)), cosine)
    assert found == pytest.approx(expected, rel=1e-6)


def test_adaface_leaves_a_row_without_label_alone():
    cosine = torch.tensor(cosines(2))
    assert torch.equal(adaface(cosine, torch.tensor([-1, 2]), quality(0.5, 0.5))[0], 64.0 * cosine[0])


def test_angles_of_adaface_stay_between_the_poles():
    found = adaface(quality(-1.0, 1.0)[:, None], torch.tensor([0, 0]), quality(-1.0, 1.0))[:, 0]
    expected = [64.0 * math.cos(math.pi - 1e-3), 64.0 * (math.cos(1e-3) - 0.8)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_the_quality_is_the_standardised_norm_times_h():
    norms = torch.tensor([10.0, 20.0, 23.0, 90.0], dtype=torch.float64)
    found = norm_quality(norms, quality(20.0), quality(5.0), 0.333)
    expected = [0.333 * -10 / 5.001, 0.0, 0.333 * 3 / 5.001, 1.0]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("gradient", ["exact", "straight_through"])
def test_extreme_cosines_of_16_bits_have_finite_gradients(dtype, gradient):
    labels, quality = torch.tensor([0, 0, -1]), torch.full((3,), 0.5, dtype=dtype)
    losses = (
        lambda cosine: arcface(cosine, labels, gradient=gradient),
        lambda cosine: cosface(cosine, labels),
        lambda cosine: adaface(cosine, labels, quality, gradient=gradient),
    )
    for loss in losses:
        cosine = torch.tensor([[1.0, -1], [-1, 1], [1, 0.5]], dtype=dtype, requires_grad=True)
        logits = loss(cosine)
        logits.logsumexp(1).sum().backward()
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()
        assert cosine.grad.isfinite().all()
