"""Own the size of the IResNet in multiply-adds, from its shape alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

KERNEL_AREA = 9
IMAGE_CHANNELS = 3


def multiply_adds(blocks: Sequence[int], width: int, image_size: int, embedding: int) -> int:
    """Return the multiply-adds of one image: convolutions and the linear layer (arcface_torch r50 6.3 G, r100 12.1 G).

    Args:
        blocks: residual blocks of the stages; the first of each halves the side.
        width: channels of the stem and of the first stage; each further stage doubles them.
        image_size: side of the images in pixels.
        embedding: length of the embedding.
    """
    side, channels = image_size, width
    total = side**2 * KERNEL_AREA * IMAGE_CHANNELS * width
    for stage, count in enumerate(blocks):
        wide = width << stage
        total += side**2 * KERNEL_AREA * channels * wide  # the first block halves the side in its second convolution
        side, before, channels = side // 2, channels, wide
        total += side**2 * (before * wide + KERNEL_AREA * wide**2 * (2 * count - 1))
    return total + side**2 * channels * embedding
