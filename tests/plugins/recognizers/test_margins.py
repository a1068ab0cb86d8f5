"""Margins against closed forms in NumPy, brute force, and numerical derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceassay_plugins.recognizers.margins import arcface, cosface


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
