"""How embedding and attributes enter the network: size, magnitude, linearity, what is left out."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from faceassay_plugins.generators.edm2.network import Denoiser
from faceassay_plugins.generators.id3 import Id3
from faceassay_plugins.generators.id3.conditioning import VectorConditioning

TINY = Id3(channels=16, channel_multipliers=(1, 2), blocks=1, attention_resolutions=(8,))


def shape(identity=6, attributes=2):
    return TINY.shape(16, VectorConditioning(identity, attributes))


def spherical(rows, width):
    return torch.nn.functional.normalize(torch.randn(rows, width), dim=1)


def magnitude(x):
    return x.square().mean().sqrt().item()


@pytest.mark.parametrize("attributes", [0, 2])
def test_the_network_has_as_many_parameters(attributes):
    network = Denoiser(shape(attributes=attributes))
    assert sum(tensor.numel() for tensor in network.parameters()) == shape(attributes=attributes).parameters


@pytest.mark.parametrize("attributes", [0, 2])
def test_torch_counts_two_operations_for_each_multiply_add(attributes):
    network = Denoiser(shape(attributes=attributes)).eval()
    condition = {"identity": spherical(3, 6)} | ({"attributes": torch.randn(3, 2)} if attributes else {})
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.randn(3, 3, 16, 16), torch.ones(3), condition)
    assert counter.get_total_flops() == 2 * 3 * shape(attributes=attributes).multiply_adds


def test_without_attributes_the_network_is_smaller_by_their_map():
    assert shape().parameters - shape(attributes=0).parameters == 2 * 32


@pytest.mark.parametrize("width", [4, 128, 512])
def test_an_embedding_of_any_width_has_unit_magnitude(width):
    part = VectorConditioning(width, 0).module(256)
    assert magnitude(part({"identity": spherical(400, width)})) == pytest.approx(1, abs=0.03)


def test_embedding_and_standardised_attributes_together_have_unit_magnitude():
    part = VectorConditioning(128, 4).module(256)
    condition = {"identity": spherical(2000, 128), "attributes": torch.randn(2000, 4)}
    assert magnitude(part(condition)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("dropped", ["identity", "attributes"])
def test_half_of_the_power_is_left_where_one_is_dropped(dropped):
    part = VectorConditioning(128, 4).module(256)
    condition = {"identity": spherical(2000, 128), "attributes": torch.randn(2000, 4)}
    condition[dropped] = torch.zeros_like(condition[dropped])
    assert magnitude(part(condition)) == pytest.approx(math.sqrt(0.5), abs=0.04)


def test_conditions_dropped_together_add_nothing():
    part = VectorConditioning(6, 2).module(32)
    assert not part({"identity": torch.zeros(2, 6), "attributes": torch.zeros(2, 2)}).any()


def test_both_conditions_reach_the_image():
    network = Denoiser(shape()).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("gain"):
            torch.nn.init.ones_(parameter)
    x, sigma = torch.randn(1, 3, 16, 16), torch.ones(1)
    condition = {"identity": spherical(1, 6), "attributes": torch.randn(1, 2)}
    plain = network(x, sigma, condition)
    for name, other in {"identity": spherical(1, 6), "attributes": torch.randn(1, 2)}.items():
        assert not torch.allclose(network(x, sigma, {**condition, name: other}), plain)


def test_estimates_take_the_usual_widths_for_granted():
    assert TINY.conditioning(10) == VectorConditioning(512, 4)
    assert TINY.model_copy(update={"attributes": False}).conditioning(10) == VectorConditioning(512, 0)
    assert TINY.multiply_adds(16, 10) == TINY.shape(16, VectorConditioning(512, 4)).multiply_adds
