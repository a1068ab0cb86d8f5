"""The network: published parameter counts, shapes, initial weights, errors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceassay_plugins.recognizers.iresnet.network import Backbone, Projection, initialise
from faceassay_plugins.recognizers.iresnet.plugin import BLOCKS, IResNet


def small(**options):
    return Backbone((1, 1, 1, 1), width=4, image_size=32, embedding=16, **options)


PUBLISHED = {
    "arcface_torch": {18: 24_025_600, 34: 34_139_328, 50: 43_590_848, 100: 65_156_160},
    "adaface": {18: 24_020_352, 34: 34_134_080, 50: 43_585_600, 100: 65_150_912},
}
EACH = pytest.mark.parametrize(
    ("family", "depth", "count"),
    [(family, depth, count) for family, counts in PUBLISHED.items() for depth, count in counts.items()],
)


@EACH
def test_parameter_counts_are_the_published_ones(family, depth, count):
    with torch.device("meta"):
        network = Backbone(BLOCKS[depth], family=family)
    assert sum(weight.numel() for weight in network.parameters()) == count


@EACH
def test_parameters_are_counted_without_building_the_network(family, depth, count):
    assert IResNet(family=family, depth=depth).parameter_count() == count


@pytest.mark.parametrize("family", ["arcface_torch", "adaface"])
def test_parameters_of_any_shape_are_counted(family):
    recipe = IResNet(family=family, depth=(2, 1, 3, 1), width=6, image_size=48, embedding=10)
    assert sum(weight.numel() for weight in recipe.backbone().parameters()) == recipe.parameter_count()


def test_the_names_of_networks_count_their_convolutions():
    with torch.device("meta"):
        network = Backbone(BLOCKS[50])
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) + 1 == 50  # and the linear layer


def test_every_stage_halves_the_image_in_its_first_block():
    network, sides = small(), []
    x = network.stem(torch.zeros(1, 3, 32, 32))
    for stage in network.stages:
        x = stage(x)
        sides.append((x.shape[1], x.shape[-1]))
    assert sides == [(4, 16), (8, 8), (16, 4), (32, 2)]


@pytest.mark.parametrize("channels_in", [3, 4, 8])
def test_a_projection_is_a_convolution_of_stride_2(channels_in):
    projection = Projection(channels_in, 8).to(memory_format=torch.channels_last)
    x = torch.randn(8, channels_in, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    strided = nn.Conv2d(channels_in, 8, 1, 2, bias=False).double()
    strided.load_state_dict(projection.state_dict())
    y = x.detach().double().contiguous().requires_grad_()
    ours, other = projection(x), strided(y)
    ours.square().sum().backward()
    other.square().sum().backward()
    for found, wanted in ((ours, other), (x.grad, y.grad), (projection.weight.grad, strided.weight.grad)):
        assert torch.allclose(found.double(), wanted, rtol=1e-4, atol=1e-4)


def test_the_weight_of_the_last_norm_is_fixed_at_one():
    network = small()
    assert not network.whiten.weight.requires_grad
    assert torch.equal(network.whiten.weight, torch.ones(16))
    assert network.whiten.bias.requires_grad


def test_the_last_norm_of_adaface_has_no_weights():
    assert list(small(family="adaface").whiten.parameters()) == []


def test_the_first_shortcut_of_adaface_keeps_every_second_pixel():
    """``MaxPool2d(1, 2)`` in its code."""
    network, x = small(family="adaface"), torch.randn(2, 4, 8, 8)
    first = network.stages[0][0]
    assert torch.equal(first.shortcut(x), nn.functional.max_pool2d(x, 1, 2))
    assert list(first.shortcut.parameters()) == []
    assert [type(stage[0].shortcut) for stage in network.stages[1:]] == [nn.Sequential] * 3


def test_every_weight_of_adaface_gets_a_gradient():
    network = small(family="adaface")
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_every_weight_but_the_fixed_one_gets_a_gradient():
    network = small()
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == ["whiten.weight"]


def test_dropped_features_do_not_reach_the_embedding():
    network, x = small().eval(), torch.randn(3, 3, 32, 32)
    nothing = network(x, torch.zeros(3, *network.final_shape))
    assert torch.allclose(nothing, network.whiten(network.linear.bias.expand(3, -1)))


def test_initial_weights_have_the_spread_of_arcface_torch():
    network = Backbone((1, 1, 1, 1), width=16, image_size=32, embedding=128)
    initialise(network, torch.Generator().manual_seed(1))
    convolution = network.stages[3][0].residual[4].weight
    assert convolution.std().item() == pytest.approx(0.1, rel=0.02)
    assert convolution.mean().item() == pytest.approx(0, abs=0.002)
    bound = network.linear.in_features**-0.5
    assert network.linear.weight.abs().max().item() == pytest.approx(bound, rel=0.001)


def test_initial_weights_of_adaface_have_the_variance_of_kaiming():
    network = Backbone((1, 1, 1, 1), width=16, image_size=32, embedding=128, family="adaface")
    initialise(network, torch.Generator().manual_seed(1))
    convolution, projection = network.stages[3][0].residual[4].weight, network.stages[3][0].shortcut[0].weight
    assert convolution.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert projection.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.03)
    assert network.linear.weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert not network.linear.bias.any()


def test_initial_weights_depend_on_the_generator_alone():
    first, second, third = small(), small(), small()
    for network, seed in ((first, 1), (second, 1), (third, 2)):
        initialise(network, torch.Generator().manual_seed(seed))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    assert not torch.equal(first.linear.weight, third.linear.weight)


@pytest.mark.parametrize("image_size", [8, 40, 0])
def test_a_side_not_divisible_by_sixteen_is_an_error(image_size):
    with pytest.raises(ValueError, match="divisible by 16"):
        Backbone((1, 1, 1, 1), image_size=image_size)


def test_three_stages_are_an_error():
    with pytest.raises(ValueError, match="4 counts"):
        Backbone((1, 1, 1))


def test_the_plugins_backbone_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    IResNet(depth=(1, 1, 1, 1), width=4, image_size=32).backbone()
    assert torch.equal(torch.get_rng_state(), before)
