"""Named sets of parameters: each builds a network of the size it is named after and follows EDM2 or the papers."""

from __future__ import annotations

import math

import pytest
import torch
import yaml

from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.network import Denoiser
from test_architecture import REPOSITORY

SIZES = {  # image size, classes, millions of weights, giga multiply-adds
    "xs-64": (64, 1000, 124.7, 44.9),
    "s-64": (64, 1000, 280.2, 100.8),
    "c64-64": (64, 10_000, 33.6, 11.3),
    "c64-112": (112, 10_000, 33.6, 35.9),
    "c96-112": (112, 10_000, 73.7, 79.5),
    "xs-112": (112, 10_000, 129.3, 140.1),
    "s-112": (112, 10_000, 287.1, 312.3),
}
OTHERS = {"toy": (32, 20), "m-64": (64, 1000)}
FACES = [name for name in SIZES if name not in ("xs-64", "s-64")]


def preset(name, **more):
    return Edm2(**Edm2.presets[name], **more)


def test_there_is_no_preset_but_these():
    assert set(Edm2.presets) == {*SIZES, *OTHERS}


@pytest.mark.parametrize("name", SIZES)
def test_the_network_has_its_published_size(name):
    size, classes, millions, giga = SIZES[name]
    shape = preset(name).architecture(size, classes)
    assert (round(shape.parameters / 1e6, 1), round(shape.multiply_adds / 1e9, 1)) == (millions, giga)


@pytest.mark.parametrize("name", [*SIZES, *OTHERS])
@pytest.mark.parametrize("role", ["main", "guide"])
def test_the_network_can_be_built_and_has_as_many_weights(name, role):
    plugin, (size, classes) = preset(name), (SIZES | OTHERS)[name][:2]
    plugin.check(size, classes)
    shape = plugin.architecture(size, classes, role)
    with torch.device("meta"):
        network = Denoiser(shape)
    assert sum(tensor.numel() for tensor in network.parameters()) == shape.parameters


def test_the_toy_is_what_the_demo_trains():
    demo = yaml.safe_load((REPOSITORY / "reports/demo/matrix.yaml").read_text())["generator"]
    assert preset("toy") == Edm2(**{key: value for key, value in demo.items() if key != "plugin"})


@pytest.mark.parametrize(("name", "rate"), [("xs-64", 0.012), ("s-64", 0.010), ("m-64", 0.009)])
def test_the_published_networks_follow_the_published_schedule(name, rate):
    plugin = preset(name)
    assert plugin.learning_rate_at(5_000_000) == pytest.approx(rate / 2)
    assert plugin.learning_rate_at(35_000 * 2048) == pytest.approx(rate)
    assert plugin.learning_rate_at(4 * 35_000 * 2048) == pytest.approx(rate / 2)


@pytest.mark.parametrize(("name", "updates"), [("xs-64", 2**19), ("s-64", 2**19), ("m-64", 2**20)])
def test_the_published_networks_see_a_thousand_or_two_mebi_images(name, updates):
    assert (preset(name).updates, preset(name).batch_size) == (updates, 2048)


def test_the_published_guide_is_the_smaller_network_after_an_eighth():
    plugin = preset("s-64")
    assert plugin.architecture(64, 1000, "guide") == preset("xs-64").architecture(64, 1000)
    assert plugin.guide_updates * plugin.batch_size == 2**27  # 134 million


@pytest.mark.parametrize("name", FACES)
def test_a_preset_for_faces_keeps_both_averages_of_the_papers_and_an_early_guide(name):
    plugin = preset(name)
    assert (plugin.main_length, plugin.further_lengths, plugin.guide_channels) == (0.05, (0.1,), None)
    assert plugin.guide_updates * plugin.batch_size == pytest.approx(plugin.images / 8, rel=1e-3)


@pytest.mark.parametrize(("name", "rate"), [("xs-112", 0.012), ("s-112", 0.010), ("c64-112", 0.017)])
def test_a_preset_for_faces_scales_the_learning_rate_by_the_root_of_the_batch(name, rate):
    plugin = preset(name)
    assert plugin.learning_rate == pytest.approx(rate * math.sqrt(plugin.batch_size / 2048), rel=2e-3)


def test_a_preset_can_be_changed_in_part():
    assert Edm2(**{**Edm2.presets["toy"], "images": 64}).updates == 4
