"""Own the EDM2 U-Net and the preconditioned denoiser over it. Training and sampling are elsewhere.

Source: Karras et al. 2024 (EDM2), configuration G without the post-hoc parts; preconditioning of Karras et al. 2022
(EDM), table 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceassay.sampling import ConditionTensors
from faceassay_plugins.generators.edm2.architecture import IMAGE_CHANNELS, Architecture, BlockShape, Resampling
from faceassay_plugins.generators.edm2.layers import (
    MPConv,
    MPFourier,
    MPLayer,
    MPLinear,
    mp_cat,
    mp_silu,
    mp_sum,
    normalize,
)

RESIDUAL_SHARE = 0.3
LABEL_SHARE = 0.5
SKIP_SHARE = 0.5
CLIP = 256.0


def resample(x: Tensor, mode: Resampling) -> Tensor:
    """Keep ``x`` [B, C, H, W], halve it by 2x2 averages, or double it by repetition."""
    if mode == "down":
        return functional.avg_pool2d(x, 2)
    return functional.interpolate(x, scale_factor=2, mode="nearest") if mode == "up" else x


class Residual(nn.Module):
    """Compute the residual branch of a block, modulated per channel by the embedding."""

    def __init__(self, channels_in: int, channels_out: int, architecture: Architecture) -> None:
        super().__init__()
        self.first = MPConv(channels_in, channels_out, 3)
        self.second = MPConv(channels_out, channels_out, 3)
        self.modulation = MPLinear(architecture.embedding_channels, channels_out)
        self.modulation_gain = nn.Parameter(torch.zeros(()))
        self.dropout = architecture.dropout

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, C_in, H, W] and [B, d_C] to [B, C_out, H, W]."""
        scale = self.modulation(embedding) * self.modulation_gain + 1
        y = mp_silu(self.first(mp_silu(x)) * scale[:, :, None, None].to(x.dtype))
        if self.dropout:
            y = functional.dropout(y, self.dropout, self.training)
        second: Tensor = self.second(y)
        return second


class SelfAttention(nn.Module):
    """Let all pixels attend to each other by cosine attention."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = MPConv(channels, 3 * channels, 1)
        self.output = MPConv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the same shape."""
        batch, channels, height, width = x.shape
        split = self.inputs(x).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        query, key, value = normalize(split, dims=(3,)).transpose(-1, -2).unbind(1)
        attended = functional.scaled_dot_product_attention(query, key, value)
        pixels = attended.transpose(1, 2).reshape(batch, height, width, channels)
        y: Tensor = self.output(pixels.permute(0, 3, 1, 2))
        return mp_sum(x, y, RESIDUAL_SHARE)


class Block(nn.Module):
    """Hold what blocks of encoder and decoder share: a skip path, a residual branch, and sometimes attention."""

    def __init__(self, shape: BlockShape, architecture: Architecture) -> None:
        super().__init__()
        channels = shape.channels
        self.resampling: Resampling = shape.resampling
        self.joins = shape.joins
        self.skip = nn.Identity() if shape.channels_in == channels else MPConv(shape.channels_in, channels, 1)
        self.residual = Residual(shape.branch_channels, channels, architecture)
        self.attention = SelfAttention(channels, architecture.heads(channels)) if shape.attention else nn.Identity()

    def merge(self, x: Tensor, y: Tensor) -> Tensor:
        """Join the skip path ``x`` and the residual branch ``y``, attend, and clip."""
        merged: Tensor = self.attention(mp_sum(x, y, RESIDUAL_SHARE))
        return functional.hardtanh(merged, -CLIP, CLIP)


class EncoderBlock(Block):
    """Normalise every pixel before the residual branch."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, C_in, H, W] and [B, d_C] to [B, C_out, H', W']."""
        x = normalize(self.skip(resample(x, self.resampling)), dims=(1,))
        return self.merge(x, self.residual(x, embedding))


class DecoderBlock(Block):
    """Run the residual branch on all input channels: those from below, and those of the encoder where it takes any."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, C_in, H, W] and [B, d_C] to [B, C_out, H', W']."""
        x = resample(x, self.resampling)
        return self.merge(self.skip(x), self.residual(x, embedding))


class LearnedConditions(MPLinear):
    """Map class weights [B, L] to the weighted sum [B, d_C] of the learned condition vectors."""

    def forward(self, class_weights: Tensor) -> Tensor:
        """Return the sum; one class alone has unit magnitude on average over the classes."""
        return super().forward(class_weights * math.sqrt(class_weights.shape[1]))


class FrozenConditions(nn.Module):
    """Map class weights [B, L] to the weighted sum [B, d_C] of given condition vectors.

    Attributes:
        weight: the vectors as columns, [d_C, L]; part of the state, never trained.
    """

    weight: Tensor

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(channels, classes))

    def forward(self, class_weights: Tensor) -> Tensor:
        """Return the sum."""
        return functional.linear(class_weights, self.weight)


class Embedding(nn.Module):
    """Embed the noise level and the condition.

    What the condition adds, the label part of EDM2, is linear in it and not normalised again: mixed classes change the
    magnitude of the class signal, and a vector of zeros means "no condition".
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.features = MPFourier(architecture.noise_channels)
        self.noise = MPLinear(architecture.noise_channels, architecture.embedding_channels)
        self.label = architecture.conditioning.module(architecture.embedding_channels)

    def forward(self, noise: Tensor, condition: ConditionTensors) -> Tensor:
        """Return the embedding [B, d_C] of c_noise [B] and the conditions of B images."""
        return mp_silu(mp_sum(self.noise(self.features(noise)), self.label(condition), LABEL_SHARE))


class UNet(nn.Module):
    """Map a scaled noisy image to an image of the same shape, given the embedding."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width = architecture.levels[0].channels
        self.stem = MPConv(IMAGE_CHANNELS + 1, width, 3)
        self.encoder = nn.ModuleList(EncoderBlock(shape, architecture) for shape in architecture.encoder)
        self.decoder = nn.ModuleList(DecoderBlock(shape, architecture) for shape in architecture.decoder)
        self.output = MPConv(width, IMAGE_CHANNELS, 3)
        self.output_gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, 3, H, W] and [B, d_C] to [B, 3, H, W]."""
        x = self.stem(torch.cat([x, torch.ones_like(x[:, :1])], dim=1))
        skips = [x]
        for block in self.encoder:
            x = block(x, embedding)
            skips.append(x)
        for block in self.decoder:
            x = block(mp_cat(x, skips.pop(), SKIP_SHARE) if block.joins else x, embedding)
        output: Tensor = self.output(x) * self.output_gain
        return output


class Denoiser(nn.Module):
    """Be the preconditioned denoiser D(x; sigma, condition) = c_skip x + c_out F(c_in x, c_noise, condition).

    Attributes:
        precision: the floating-point type in which F runs; everything outside is float32.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.sigma_data = architecture.sigma_data
        self.precision = torch.float32
        self.embedding = Embedding(architecture)
        self.unet = UNet(architecture)

    def forward(self, x: Tensor, sigma: Tensor, condition: ConditionTensors) -> Tensor:
        """Denoise images.

        Args:
            x: noisy images, [B, 3, H, W], data range [-1, 1].
            sigma: noise levels above 0, [B].
            condition: what the conditioning of the architecture takes, float32 tensors [B, ...]; a row of zeros means
                "no condition".

        Returns:
            The denoised images, float32 [B, 3, H, W].
        """
        embedding = self.embedding(sigma.log() / 4, condition)
        total = (sigma.square() + self.sigma_data**2).view(-1, 1, 1, 1)
        sigma = sigma.view(-1, 1, 1, 1)
        network_input = (x / total.sqrt()).to(self.precision, memory_format=torch.channels_last)
        output = self.unet(network_input, embedding).float()
        denoised: Tensor = self.sigma_data**2 / total * x + sigma * self.sigma_data / total.sqrt() * output
        return denoised


def precision_on(device: torch.device, choice: str) -> torch.dtype:
    """Return the floating-point type that ``choice`` (auto, float32, bfloat16) stands for on ``device``."""
    if choice == "auto":
        choice = "bfloat16" if device.type == "cuda" else "float32"
    return torch.bfloat16 if choice == "bfloat16" else torch.float32


def sampling_network(
    architecture: Architecture, tensors: Mapping[str, Tensor], precision: torch.dtype, device: torch.device
) -> Denoiser:
    """Return a denoiser whose acting weights are fixed, so that no call normalises them again.

    Args:
        architecture: its shape.
        tensors: its state, float32, left unchanged.
        precision: the floating-point type in which F runs.
        device: where it runs.
    """
    with torch.device("meta"):
        network = Denoiser(architecture)
    network.load_state_dict({name: tensor.to(device) for name, tensor in tensors.items()}, assign=True)
    network.eval().requires_grad_(False)
    network.precision = precision
    for layer in network.modules():
        if isinstance(layer, MPLayer):
            layer.freeze(precision if isinstance(layer, MPConv) else torch.float32)
    return network
