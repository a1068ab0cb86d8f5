"""Own the size of the IResNet, parameters and multiply-adds, from its shape alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

Family = Literal["arcface_torch", "adaface"]
"""Whose network: insightface's, or the one of AdaFace, CVLface, TFace and evoLVe."""
KERNEL_AREA = 9
IMAGE_CHANNELS = 3


def parameters(blocks: Sequence[int], width: int, image_size: int, embedding: int, family: Family) -> int:
    """Return the parameters of the network, those included that are fixed: IR50 of AdaFace's family has 43,585,600.

    Arguments are those of ``multiply_adds``.
    """
    total = IMAGE_CHANNELS * KERNEL_AREA * width + 3 * width  # with BatchNorm (2) and PReLU (1)
    for before, wide, count in _stages(blocks, width):
        total += (before + wide) * wide * KERNEL_AREA + 2 * before + 5 * wide
        total += (count - 1) * (2 * wide * wide * KERNEL_AREA + 7 * wide)
        total += before * wide + 2 * wide if _projects(before, wide, family) else 0
    channels = width << (len(blocks) - 1)
    inputs = channels * (image_size >> len(blocks)) ** 2
    return total + 2 * channels + inputs * embedding + embedding + (2 * embedding if family == "arcface_torch" else 0)


def multiply_adds(blocks: Sequence[int], width: int, image_size: int, embedding: int, family: Family) -> int:
    """Return the multiply-adds of one image: convolutions and the linear layer (arcface_torch r50 6.3 G, r100 12.1 G).

    Args:
        blocks: residual blocks of the stages; the first of each halves the side.
        width: channels of the stem and of the first stage; each further stage doubles them.
        image_size: side of the images in pixels.
        embedding: length of the embedding.
        family: whose network it is.
    """
    side = image_size
    total = side**2 * KERNEL_AREA * IMAGE_CHANNELS * width
    for before, wide, count in _stages(blocks, width):
        total += side**2 * KERNEL_AREA * before * wide  # the first block halves the side in its second convolution
        side //= 2
        total += side**2 * KERNEL_AREA * wide**2 * (2 * count - 1)
        total += side**2 * before * wide if _projects(before, wide, family) else 0
    return total + side**2 * (width << (len(blocks) - 1)) * embedding


def _stages(blocks: Sequence[int], width: int) -> Iterator[tuple[int, int, int]]:
    """Yield the channels before and in each stage, and its number of blocks."""
    channels = [width, *(width << stage for stage in range(len(blocks)))]
    yield from ((before, wide, count) for (before, wide), count in zip(pairwise(channels), blocks, strict=True))


def _projects(channels_in: int, channels: int, family: Family) -> bool:
    """Tell whether the shortcut of a block that halves the side is a convolution."""
    return family == "arcface_torch" or channels_in != channels
