"""Own how figures sample: rows of classes and weights, rendered by the augmentation that does so in a synthesis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Augmentation, ImageBatch, IntArray, Sources, SynthesisPlan
from faceassay.seeds import row_noise

BLOCK = 32
"""Images rendered together, where nothing else is said."""


def rendered(
    augmentation: Augmentation, sources: Sources, classes: IntArray, weights: NDArray[np.float64],
    noise: NDArray[np.uint64], block_size: int = BLOCK,
) -> ImageBatch:  # fmt: skip
    """Render rows that are in no plan.

    Args:
        augmentation: renders them.
        sources: the opened inputs, the generator among them.
        classes: the classes that each image is made of, int64 [N, k].
        weights: their weights, float64 [N, k].
        noise: the key of each image's noise, uint64 [N].
        block_size: images rendered together.

    Returns:
        uint8 [N, S, S, 3].
    """
    plan = SynthesisPlan(("figure",), np.zeros(len(classes), np.int64), classes, weights, block_size)
    blocks = map(plan.block, range(plan.blocks))
    size = sources.generator.image_size
    return np.concatenate(
        [augmentation.render(sources, block, row_noise(noise[block.start :][: len(block)], size)) for block in blocks]
    )
