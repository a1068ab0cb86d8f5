"""Magnitude preservation: where it holds, and by how much it fails where it does not."""

from __future__ import annotations

import math

import pytest
import torch

from faceassay_plugins.generators.edm2.layers import (
    MPConv,
    MPFourier,
    MPLinear,
    mp_cat,
    mp_silu,
    mp_sum,
    normalize,
)
from faceassay_plugins.generators.edm2.network import RESIDUAL_SHARE, SelfAttention, resample


def magnitude(x):
    return x.square().mean().sqrt().item()


def test_normalize_gives_each_row_unit_magnitude():
    rows = normalize(torch.randn(5, 3, 3, 3) * torch.tensor([1, 10, 100, 1e3, 1e-1]).view(-1, 1, 1, 1))
    assert rows.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([1] * 5, rel=2e-3)


def test_normalize_over_channels_gives_each_pixel_unit_magnitude():
    pixels = normalize(5 * torch.randn(2, 16, 4, 4), dims=(1,))
    assert torch.allclose(pixels.square().mean(1), torch.ones(2, 4, 4), rtol=1e-3)


def test_normalize_keeps_the_direction():
    x = torch.randn(3, 7)
    assert torch.cosine_similarity(normalize(x), x).tolist() == pytest.approx([1] * 3)


def test_normalize_leaves_zero_at_zero():
    assert not normalize(torch.zeros(2, 4)).any()


def test_normalize_adds_epsilon_to_the_magnitude():
    x = torch.full((1, 9), 1e-4)
    assert normalize(x)[0, 0].item() == pytest.approx(0.5)


def test_normalize_keeps_reduced_precision():
    assert normalize(torch.randn(2, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_mp_silu_preserves_magnitude():
    assert magnitude(mp_silu(torch.randn(1_000_000))) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
def test_mp_sum_preserves_magnitude(t):
    assert magnitude(mp_sum(torch.randn(500_000), torch.randn(500_000), t)) == pytest.approx(1, abs=0.005)


def test_mp_sum_weighs_by_its_share():
    assert mp_sum(torch.tensor([1.0]), torch.tensor([0.0]), 0.3).item() == pytest.approx(0.7 / math.sqrt(0.58))


def test_mp_cat_preserves_magnitude():
    assert magnitude(mp_cat(torch.randn(8, 30, 64, 64), torch.randn(8, 90, 64, 64), 0.5)) == pytest.approx(1, abs=0.005)


def test_mp_cat_gives_both_inputs_the_same_weight_whatever_their_width():
    joined = mp_cat(torch.randn(8, 30, 64, 64), torch.randn(8, 90, 64, 64), 0.5)
    energy = joined.square().sum((0, 2, 3))
    assert (energy[:30].sum() / energy[30:].sum()).item() == pytest.approx(1, abs=0.01)


def test_fourier_features_have_unit_magnitude():
    features = MPFourier(4096)(torch.randn(64))
    assert features.shape == (64, 4096)
    assert magnitude(features) == pytest.approx(1, abs=0.01)


def test_a_linear_layer_preserves_magnitude():
    assert magnitude(MPLinear(256, 512)(torch.randn(4096, 256))) == pytest.approx(1, abs=0.01)


def test_a_1x1_convolution_preserves_magnitude():
    assert magnitude(MPConv(64, 128, 1)(torch.randn(8, 64, 32, 32))) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("size", "expected"), [(16, 0.957), (8, 0.917)])
def test_a_padded_convolution_preserves_magnitude_inside_only(size, expected):
    y = MPConv(64, 128, 3)(torch.randn(64, 64, size, size))
    assert magnitude(y[:, :, 1:-1, 1:-1]) == pytest.approx(1, abs=0.01)
    assert magnitude(y) == pytest.approx(expected, abs=0.006)


def test_box_down_sampling_halves_magnitude():
    assert magnitude(resample(torch.randn(8, 16, 32, 32), "down")) == pytest.approx(0.5, abs=0.005)


def test_up_sampling_repeats_pixels():
    x = torch.randn(1, 2, 2, 2)
    assert torch.equal(resample(x, "up"), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("channels", [64, 256])
def test_averaging_by_attention_loses_magnitude(channels):
    """With logits of unit variance the average over N pixels has variance e / N, and the chance correlation of keys
    and values, which are maps of the same C channels, adds 1 / C."""
    x = torch.randn(4, channels, 16, 16)
    norm = math.hypot(1 - RESIDUAL_SHARE, RESIDUAL_SHARE)
    averaged = (SelfAttention(channels, channels // 64)(x) * norm - (1 - RESIDUAL_SHARE) * x) / RESIDUAL_SHARE
    assert magnitude(averaged) == pytest.approx(math.sqrt(math.e / 256 + 1 / channels), rel=0.08)


def test_attention_equals_an_explicit_sum_over_pixels():
    attention, x = SelfAttention(8, 2), torch.randn(1, 8, 2, 3)
    with torch.no_grad():
        qkv = torch.einsum("oc,bchw->bohw", attention.inputs.acting_weight()[:, :, 0, 0], x).view(3, 2, 4, 6)
        query, key, value = qkv / (qkv.square().mean(2, keepdim=True).sqrt() + 1e-4)
        shares = (torch.einsum("hdq,hdk->hqk", query, key) / 2).softmax(-1)
        mixed = torch.einsum("hqk,hdk->hdq", shares, value).reshape(8, 6)
        y = (attention.output.acting_weight()[:, :, 0, 0] @ mixed).view(1, 8, 2, 3)
        assert torch.allclose(attention(x), mp_sum(x, y, RESIDUAL_SHARE), atol=1e-5)


def test_training_overwrites_the_weight_by_its_normalised_self():
    layer = MPLinear(16, 8)
    layer.weight.data *= 100
    layer(torch.randn(2, 16))
    assert layer.weight.square().mean(1).sqrt().tolist() == pytest.approx([1] * 8, rel=1e-3)


def test_evaluation_leaves_the_weight_alone():
    layer = MPLinear(16, 8).eval()
    before = layer.weight.clone()
    layer(torch.randn(2, 16))
    assert torch.equal(layer.weight, before)


def test_the_gradient_is_orthogonal_to_the_weight():
    layer = MPLinear(16, 1)
    layer(torch.randn(4, 16)).square().sum().backward()
    assert torch.cosine_similarity(layer.weight.grad, layer.weight.detach()).item() == pytest.approx(0, abs=1e-3)


def test_a_frozen_layer_computes_what_it_computed_before():
    layer, x = MPConv(4, 6, 3).eval(), torch.randn(2, 4, 5, 5)
    before = layer(x)
    layer.freeze(torch.float32)
    assert torch.equal(layer(x), before)
    assert not layer.weight.requires_grad


def test_a_layer_follows_the_precision_of_its_input():
    assert MPLinear(4, 4)(torch.randn(2, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
