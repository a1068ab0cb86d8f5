"""Own the networks IResNet of two families: layers, their initial weights. Knows no loss, no training.

Sources: ``arcface_torch`` (insightface) and ``adaface`` (the ``IR_*`` of AdaFace, CVLface, TFace and evoLVe). They
differ in the shortcut of the first block, in the last BatchNorm and in the initial weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from faceassay_plugins.recognizers.iresnet.size import Family

STAGES = 4


class Block(nn.Module):
    """Compute BN, conv3x3, BN, PReLU, conv3x3 (with the stride), BN, and add the shortcut; nothing follows the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(channels_in),
            nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels_in, H, W] to [B, channels, H/stride, W/stride]."""
        total: Tensor = self.residual(x) + self.shortcut(x)
        return total


class Projection(nn.Conv2d):
    """Project every second pixel of every second row to other channels: a convolution of one pixel with stride 2.

    It takes the pixels first and has no stride itself: with one, oneDNN's AVX2 kernel writes past its memory where
    fewer than 8 channels come in, channels last (uxlfoundation/oneDNN, 6035).
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels_in, H, W] to [B, channels, H/2, W/2]."""
        return super().forward(x[:, :, ::2, ::2])


class Subsampling(nn.Module):
    """Keep every second pixel of every second row: the MaxPool(1, stride 2) of AdaFace's family, without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C, H/2, W/2]."""
        return x[:, :, ::2, ::2]


class Backbone(nn.Module):
    """Map face images to raw embeddings (He et al. 2016, in the form of Deng et al. 2019 and arcface_torch).

    A stem keeps the size; each of the four stages halves it in its first block and doubles the channels of the one
    before; BatchNorm, a fully connected layer and a BatchNorm make the embedding. The weights of the last are fixed at
    1; in AdaFace's family it has neither weights nor biases.

    Args:
        blocks: residual blocks of the four stages.
        width: channels of the stem and of the first stage (the papers' networks have 64).
        image_size: side of the images in pixels, divisible by 16.
        embedding: length of the embedding.
        family: whose network it is.

    Raises:
        ValueError: when the image size or the number of stages does not fit.
    """

    def __init__(
        self, blocks: Sequence[int], width: int = 64, image_size: int = 112, embedding: int = 512,
        family: Family = "arcface_torch",
    ) -> None:  # fmt: skip
        super().__init__()
        if image_size < 2**STAGES or image_size % 2**STAGES or len(blocks) != STAGES:
            raise ValueError(
                f"blocks {tuple(blocks)} on {image_size} px: need {STAGES} counts and a side divisible by {2**STAGES}"
            )
        self.image_size, self.family = image_size, family
        channels = [width, *(width << stage for stage in range(STAGES))]
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width))
        self.stages = nn.Sequential(
            *(
                _stage(before, after, count, family)
                for (before, after), count in zip(pairwise(channels), blocks, strict=True)
            )
        )
        self.final_shape = (channels[-1], image_size >> STAGES, image_size >> STAGES)
        self.norm = nn.BatchNorm2d(channels[-1])
        self.linear = nn.Linear(math.prod(self.final_shape), embedding)
        self.whiten = nn.BatchNorm1d(embedding, affine=family == "arcface_torch")
        if self.whiten.affine:
            self.whiten.weight.requires_grad_(False)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """Embed images [B, 3, S, S] in [-1, 1] as [B, embedding], not normalised.

        Args:
            x: the images.
            kept: factors [B, *final_shape] on the last feature map; dropout, drawn by whoever trains.
        """
        final = self.norm(self.stages(self.stem(x)))
        if kept is not None:
            final = final * kept
        embedded: Tensor = self.whiten(self.linear(final.flatten(1)))
        return embedded


def initialise(network: Backbone, random: torch.Generator) -> None:
    """Draw the weights of ``network`` in place from ``random``; BatchNorm and PReLU keep their constants.

    Of ``arcface_torch``: convolutions N(0, 0.1), the linear layer U(-b, b) with b = 1/sqrt(inputs), PyTorch's default.
    Of ``adaface``: both normal of variance 2 / fan out (He et al. 2015), the bias of the linear layer 0.
    """
    draw = _draw_normal if network.family == "arcface_torch" else _draw_kaiming
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module, random)


def _draw_normal(layer: nn.Conv2d | nn.Linear, random: torch.Generator) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, std=0.1, generator=random)
    else:
        bound = layer.in_features**-0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=random)
        nn.init.uniform_(layer.bias, -bound, bound, generator=random)


def _draw_kaiming(layer: nn.Conv2d | nn.Linear, random: torch.Generator) -> None:
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=random)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _stage(channels_in: int, channels: int, count: int, family: Family) -> nn.Sequential:
    first = Block(channels_in, channels, 2, _halving(channels_in, channels, family))
    return nn.Sequential(first, *(Block(channels, channels, 1, nn.Identity()) for _ in range(count - 1)))


def _halving(channels_in: int, channels: int, family: Family) -> nn.Module:
    """Return the shortcut of a block that halves the side."""
    if family == "adaface" and channels_in == channels:
        return Subsampling()
    return nn.Sequential(Projection(channels_in, channels), nn.BatchNorm2d(channels))
