"""The U-Net and the denoiser: size, embedding of classes, preconditioning, the form for sampling."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.architecture import BlockShape
from faceassay_plugins.generators.edm2.layers import MPConv
from faceassay_plugins.generators.edm2.network import CLIP, Denoiser, EncoderBlock, precision_on, sampling_network

CPU = torch.device("cpu")


def tiny(classes=3, attention=(), **parameters):
    small = {"channels": 8, "channel_multipliers": (1, 2), "blocks": 1}
    return Edm2(**{**small, **parameters}, attention_resolutions=attention).architecture(8, classes)


def awake(architecture):
    """Return a denoiser whose gains, zero at the start, let the network speak."""
    network = Denoiser(architecture)
    for name, parameter in network.named_parameters():
        if name.endswith("gain"):
            nn.init.ones_(parameter)
    return network


def inputs(batch=2, classes=3, size=8):
    return torch.randn(batch, 3, size, size), torch.rand(batch) + 0.1, torch.eye(classes)[torch.arange(batch) % classes]


def test_an_untrained_denoiser_is_the_best_linear_one():
    x, sigma, classes = inputs()
    shrink = 0.25 / (sigma**2 + 0.25)
    assert torch.allclose(Denoiser(tiny())(x, sigma, classes), shrink.view(-1, 1, 1, 1) * x)


def test_without_noise_the_image_stays():
    x, _, classes = inputs()
    assert torch.allclose(awake(tiny())(x, torch.full((2,), 1e-5), classes), x, atol=1e-4)


def test_under_pure_noise_only_the_network_speaks_with_the_magnitude_of_the_data():
    noise, _, classes = inputs(64)
    denoised = awake(tiny())(1e5 * noise, torch.full((64,), 1e5), classes)
    assert denoised.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.3)
    assert abs(torch.corrcoef(torch.stack([denoised.flatten(), noise.flatten()]))[0, 1].item()) < 0.5


def test_the_network_sees_input_of_unit_magnitude():
    seen = []
    network = awake(tiny())
    network.unet.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    for sigma in (0.01, 1.0, 80.0):
        x = 0.5 * torch.randn(64, 3, 8, 8) + sigma * torch.randn(64, 3, 8, 8)
        network(x, torch.full((64,), sigma), torch.zeros(64, 3))
    assert [x.square().mean().sqrt().item() for x in seen] == pytest.approx([1] * 3, abs=0.03)


def test_images_of_a_batch_do_not_touch_each_other():
    network = sampling_network(tiny(), awake(tiny()).state_dict(), torch.float32, CPU)
    x, sigma, classes = inputs(3)
    alone = torch.cat([network(x[i : i + 1], sigma[i : i + 1], classes[i : i + 1]) for i in range(3)])
    assert torch.allclose(network(x, sigma, classes), alone, atol=1e-5)


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches_pass(batch):
    x, sigma, classes = inputs(batch)
    assert awake(tiny(attention=(4,)))(x, sigma, classes).shape == (batch, 3, 8, 8)


def test_the_label_embedding_keeps_its_magnitude_at_weights_near_0_7():
    embedding = Denoiser(tiny(classes=400, channels=128)).embedding
    one, seven, five = (
        embedding.label(torch.tensor([[a, b] + [0.0] * 398])).square().mean().sqrt().item()
        for a, b in ((1.0, 0.0), (0.7, 0.7), (0.5, 0.5))
    )
    assert one == pytest.approx(1, abs=0.1)
    assert seven / one == pytest.approx(0.99, abs=0.1)
    assert five / seven == pytest.approx(5 / 7, rel=1e-4)


def test_the_label_embedding_is_linear():
    embedding, (a, b) = Denoiser(tiny()).embedding.eval(), torch.rand(2, 1, 3)
    mixed = embedding.label(0.3 * a + 1.7 * b)
    assert torch.allclose(mixed, 0.3 * embedding.label(a) + 1.7 * embedding.label(b), atol=1e-6)


def test_no_class_is_a_label_embedding_of_zero():
    assert not Denoiser(tiny()).embedding.label(torch.zeros(1, 3)).any()


def test_the_class_changes_the_image():
    network = awake(tiny()).eval()
    x, sigma, _ = inputs()
    assert not torch.allclose(network(x, sigma, torch.eye(3)[:2]), network(x, sigma, torch.eye(3)[1:]))


def test_blocks_clip_what_grows_without_bound():
    block = EncoderBlock(BlockShape(4, 8, 8, 8), tiny())
    block.residual.second.freeze(torch.float32)
    block.residual.second.weight.mul_(1e6)
    assert block(torch.randn(1, 8, 4, 4), torch.zeros(1, 16)).abs().max().item() == CLIP


def test_dropout_acts_in_training_only():
    network = awake(tiny(dropout=0.5))
    x, sigma, classes = inputs()
    assert not torch.equal(network(x, sigma, classes), network(x, sigma, classes))
    network.eval()
    assert torch.equal(network(x, sigma, classes), network(x, sigma, classes))


def test_the_network_for_sampling_computes_what_evaluation_computes():
    network = awake(tiny(attention=(4,))).eval()
    x, sigma, classes = inputs()
    frozen = sampling_network(tiny(attention=(4,)), network.state_dict(), torch.float32, CPU)
    assert torch.allclose(frozen(x, sigma, classes), network(x, sigma, classes), atol=1e-5)


def test_the_network_for_sampling_leaves_the_given_tensors_alone():
    tensors = awake(tiny()).state_dict()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    sampling_network(tiny(), tensors, torch.bfloat16, CPU)
    assert all(torch.equal(tensors[name], before[name]) for name in before)


def test_the_network_for_sampling_passes_gradients_to_its_input():
    frozen = sampling_network(tiny(), awake(tiny()).state_dict(), torch.float32, CPU)
    x, sigma, classes = inputs()
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(frozen(x, sigma, classes).sum(), x)
    assert gradient.abs().min() >= 0
    assert gradient.any()


def test_bfloat16_runs_inside_and_float32_outside():
    network = awake(tiny(attention=(4,))).eval()
    x, sigma, classes = inputs()
    frozen = sampling_network(tiny(attention=(4,)), network.state_dict(), torch.bfloat16, CPU)
    denoised = frozen(x, sigma, classes)
    assert denoised.dtype == torch.float32
    assert {layer.weight.dtype for layer in frozen.modules() if isinstance(layer, MPConv)} == {torch.bfloat16}
    assert torch.allclose(denoised, network(x, sigma, classes), atol=0.05)


def test_auto_precision_follows_the_device():
    assert precision_on(torch.device("cuda"), "auto") == torch.bfloat16
    assert precision_on(CPU, "auto") == torch.float32
    assert precision_on(CPU, "bfloat16") == torch.bfloat16
