"""Weights and multiply-adds from the formulas, against the published sizes and against the network itself."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from faceassay import Generator
from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.network import Denoiser

SHAPES = [
    {"blocks": 1},
    {"blocks": 1, "condition": "class_centres"},
    {"blocks": 2, "channel_multipliers": (1, 3)},
    {"blocks": 1, "channel_multipliers": (2, 1, 1), "attention_resolutions": (8, 4)},
    {"blocks": 1, "channel_multipliers": (1,), "attention_resolutions": (16,), "head_channels": 8},
]


def architecture(**parameters):
    narrow = {"channels": 16, "channel_multipliers": (1, 2), "attention_resolutions": ()}
    return Edm2(**{**narrow, **parameters}).architecture(16, 5)


@pytest.mark.parametrize(
    ("channels", "size", "classes", "attention", "millions", "giga"),
    [
        (128, 64, 1000, (16, 8), 124.7, 44.9),
        (192, 64, 1000, (16, 8), 280.2, 100.8),
        (64, 64, 10_000, (16, 8), 33.6, 11.3),
        (64, 112, 10_000, (28, 14), 33.6, 35.9),
        (96, 112, 10_000, (28, 14), 73.7, 79.5),
        (128, 112, 10_000, (28, 14), 129.3, 140.1),
        (192, 112, 10_000, (28, 14), 287.1, 312.3),
    ],
)
def test_published_sizes(channels, size, classes, attention, millions, giga):
    shape = Edm2(channels=channels, attention_resolutions=attention).architecture(size, classes)
    assert (round(shape.parameters / 1e6, 1), round(shape.multiply_adds / 1e9, 1)) == (millions, giga)


@pytest.mark.parametrize("parameters", SHAPES)
def test_the_network_has_as_many_parameters(parameters):
    with torch.device("meta"):
        network = Denoiser(architecture(**parameters))
    assert architecture(**parameters).parameters == sum(tensor.numel() for tensor in network.parameters())


@pytest.mark.parametrize("parameters", SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_torch_counts_two_operations_for_each_multiply_add(parameters, batch):
    shape = architecture(**parameters)
    network = Denoiser(shape).eval()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.randn(batch, 3, 16, 16), torch.ones(batch), torch.rand(batch, 5))
    assert counter.get_total_flops() == 2 * batch * shape.multiply_adds


def test_a_generator_knows_the_multiply_adds_of_an_evaluation():
    plugin = Edm2(channels=64, attention_resolutions=(28, 14))
    assert plugin.multiply_adds(112, 10_000) == plugin.architecture(112, 10_000).multiply_adds


def test_the_cost_of_a_generator_that_says_nothing_is_unknown():
    assert Generator.multiply_adds(Edm2(), 64, 10) is None
