"""Multiply-adds of the IResNet: those that insightface states, and those that torch counts in the network."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceassay_plugins.recognizers.iresnet.plugin import IResNet


@pytest.mark.parametrize(("depth", "stated"), [(50, 6.3), (100, 12.1)])
def test_the_papers_networks_have_the_stated_billions(depth, stated):
    """insightface, arcface_torch, model zoo: r50 6.3 G, r100 12.1 G, with one decimal."""
    assert IResNet(depth=depth).multiply_adds() / 1e9 == pytest.approx(stated, abs=0.051)


@pytest.mark.parametrize(
    "parameters",
    [
        {"depth": (1, 1, 1, 1), "width": 4, "image_size": 16, "embedding": 8},
        {"depth": (2, 1, 3, 1), "width": 6, "image_size": 32, "embedding": 10},
        {"depth": 18, "width": 8, "image_size": 48, "embedding": 16},
        {"family": "adaface", "depth": (2, 1, 3, 1), "width": 6, "image_size": 32, "embedding": 10},
    ],
)
def test_torch_counts_two_operations_for_each(parameters):
    recognizer = IResNet(**parameters)
    network = recognizer.backbone().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, recognizer.image_size, recognizer.image_size))
    assert counter.get_total_flops() == 2 * recognizer.multiply_adds()
