"""Own the course of a training: which images each step sees, which class centres, at which learning rate. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from faceassay import seeds
from faceassay.contracts import IntArray

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.plugin import IResNet

DECAY_AT_MILESTONE = 0.1


def batches(images: int, batch_size: int, seed: int, first: int = 0) -> Iterator[IntArray]:
    """Yield the image numbers of every batch from step ``first`` on, int64 [batch_size], without end.

    Each epoch is a permutation of all images; the permutations follow on each other and are cut into full batches, so
    no batch is too small for BatchNorm, no image is dropped, and a set smaller than a batch repeats within it.
    """
    order = seeds.derive(seed, "order")
    epoch, offset = divmod(first * batch_size, images)
    pending = seeds.generator(order, epoch).permutation(images)[offset:]
    while True:
        while len(pending) < batch_size:
            epoch += 1
            pending = np.concatenate([pending, seeds.generator(order, epoch).permutation(images)])
        yield pending[:batch_size]
        pending = pending[batch_size:]


def sampled_classes(labels: IntArray, classes: int, rate: float, seed: int, step: int) -> IntArray:
    """Return the classes whose centres take part in ``step``, int64 [n], rising (An et al. 2021, Partial FC).

    They are all classes of the batch and, at random, as many others as make int(rate x classes) in all; where the batch
    has more classes than that, those alone.

    Args:
        labels: classes of the batch, int64 [B].
        classes: C.
        rate: share of the classes, above 0 to 1.
        seed: with ``step`` decides which.
        step: of the training.
    """
    order = seeds.generator(seed, step).random(classes)
    positive = np.unique(labels)
    order[positive] = -1
    count = max(len(positive), int(rate * classes))
    return np.sort(np.argsort(order, kind="stable")[:count])


def learning_rate(recipe: IResNet, step: int, total: int) -> float:
    """Return the learning rate of ``step`` (0 to ``total`` - 1): a linear warm-up times the schedule."""
    progress = step / total
    warmed = min(1.0, (step + 1) / (recipe.warmup * total)) if recipe.warmup else 1.0
    match recipe.schedule:
        case "steps":
            factor = DECAY_AT_MILESTONE ** sum(progress >= milestone for milestone in recipe.milestones)
        case "linear":
            factor = 1 - progress
        case "cosine":
            factor = (1 + math.cos(math.pi * progress)) / 2
    return float(recipe.learning_rate * warmed * factor)
