"""Own the random changes made to training images: crop, low resolution, photometric, flip. Reads and stores nothing.

Every function draws from the generator it is given, the same number of values whatever the probability, and leaves
the global random state alone; so the draws for one transform do not depend on whether another is switched on. Images
are float tensors [B, 3, S, S], RGB, 0 to 1; where the papers' code rounds to 8 bits after each step, this does not.

Source: the three training augmentations of AdaFace (Kim et al. 2022) and CVLface ``basic_v1``, named in ScoreMix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceassay import seeds
from faceassay.contracts import FloatArray, IntArray
from faceassay_plugins.recognizers.iresnet.interpolation import METHODS, resize_matrix

SMALLEST_AREA = 0.2
LARGEST_ASPECT = 4 / 3
CROP_ATTEMPTS = 10
LOWEST_RATIO = 0.2
JITTER = 0.5
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Transforms:
    """Change a batch of training images, each transform on each image with its own probability.

    Attributes:
        crop, low_resolution, photometric, flip: probabilities, 0 to 1, in the order in which they are applied.
    """

    crop: float = 0.2
    low_resolution: float = 0.2
    photometric: float = 0.2
    flip: float = 0.5

    def __call__(self, x: Tensor, seed: int, step: int) -> Tensor:
        """Return the batch ``x`` as training sees it at ``step``; the draws depend on ``seed`` and ``step`` alone."""
        random = seeds.generator(seed, step)
        x = crop(x, random, self.crop)
        x = low_resolution(x, random, self.low_resolution)
        x = photometric(x, random, self.photometric)
        return flip(x, random, self.flip)


def crop(x: Tensor, random: np.random.Generator, probability: float) -> Tensor:
    """Black out everything but a random box of 0.2 to 1 of the area and aspect 3/4 to 4/3; the box stays in place."""
    size = x.shape[-1]
    chosen = _chosen(len(x), random, probability)
    top, left, height, width = (side[chosen, None] for side in _boxes(len(x), size, random))
    pixel = np.arange(size)
    rows = (pixel >= top) & (pixel < top + height)
    columns = (pixel >= left) & (pixel < left + width)
    inside = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]).to(x.device)
    return _replaced(x, chosen, torch.where(inside, _rows(x, chosen), 0.0))


def low_resolution(x: Tensor, random: np.random.Generator, probability: float) -> Tensor:
    """Shrink to U(0.2, 1) of the side and enlarge again, each with a random one of OpenCV's five interpolations."""
    size = x.shape[-1]
    chosen = _chosen(len(x), random, probability)
    sides = (random.uniform(LOWEST_RATIO, 1, len(x)) * size).astype(np.int64)[chosen]
    down, up = (random.random((2, len(x))) * len(METHODS)).astype(np.int64)[:, chosen]
    shrink, enlarge = _resizers(size, sides, down, up)
    small = _resized(_rows(x, chosen), torch.from_numpy(shrink).to(x))
    return _replaced(x, chosen, _resized(small, torch.from_numpy(enlarge).to(x)))


def photometric(x: Tensor, random: np.random.Generator, probability: float) -> Tensor:
    """Scale brightness, contrast and saturation by U(0.5, 1.5) each, in random order (torchvision's ColorJitter).

    AdaFace's code gives it blue, green, red; here the channels are red, green, blue, as luminance expects.
    """
    chosen = _chosen(len(x), random, probability)
    factors = random.uniform(1 - JITTER, 1 + JITTER, (3, len(x)))[:, chosen]
    order = random.random((3, len(x))).argsort(axis=0)[:, chosen]
    changed = _rows(x, chosen)
    for factor, kind in zip(factors, order, strict=True):
        changed = _blended(changed, _column(factor, x), _column(kind == 1, x), _column(kind == 2, x))
    return _replaced(x, chosen, changed)


def flip(x: Tensor, random: np.random.Generator, probability: float) -> Tensor:
    """Mirror images left to right."""
    chosen = _chosen(len(x), random, probability)
    return _replaced(x, chosen, _rows(x, chosen).flip(-1))


def _chosen(count: int, random: np.random.Generator, probability: float) -> IntArray:
    return np.flatnonzero(random.random(count) < probability)


def _rows(x: Tensor, chosen: IntArray) -> Tensor:
    return x[torch.from_numpy(chosen).to(x.device)]


def _replaced(x: Tensor, chosen: IntArray, rows: Tensor) -> Tensor:
    return x.index_copy(0, torch.from_numpy(chosen).to(x.device), rows)


def _boxes(count: int, size: int, random: np.random.Generator) -> tuple[IntArray, ...]:
    """Return top, left, height, width, int64 [count] each: the first of ten attempts that fits, else the whole image.

    Source: torchvision's RandomResizedCrop.
    """
    area = random.uniform(SMALLEST_AREA, 1, (count, CROP_ATTEMPTS)) * size**2
    aspect = np.exp(random.uniform(-np.log(LARGEST_ASPECT), np.log(LARGEST_ASPECT), (count, CROP_ATTEMPTS)))
    widths, heights = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (widths <= size) & (heights <= size)
    first = (np.arange(count), fits.argmax(axis=1))
    height, width = (np.where(fits.any(axis=1), sides[first], size) for sides in (heights, widths))
    top, left = np.floor(random.random((2, count)) * (size + 1 - np.stack([height, width])))
    return tuple(side.astype(np.int64) for side in (top, left, height, width))


def _resizers(size: int, sides: IntArray, down: IntArray, up: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the matrices to shrink and to enlarge, float32 [n, size, size]; zeros fill what a small image lacks."""
    shrink, enlarge = np.zeros((2, len(sides), size, size), dtype=np.float32)
    for row, (side, first, second) in enumerate(zip(sides.tolist(), down, up, strict=True)):
        shrink[row, :side] = resize_matrix(size, side, METHODS[first])
        enlarge[row, :, :side] = resize_matrix(side, size, METHODS[second])
    return shrink, enlarge


def _resized(x: Tensor, matrices: Tensor) -> Tensor:
    resize = matrices.unsqueeze(1)
    return (resize @ x @ resize.mT).clamp(0, 1)


def _blended(x: Tensor, factor: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Scale the distance from black, from the mean grey (``contrast`` 1) or from the grey image (``saturation`` 1)."""
    grey = (x * x.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    origin = contrast * grey.mean((2, 3), keepdim=True) + saturation * grey
    return (factor * x + (1 - factor) * origin).clamp(0, 1)


def _column(values: NDArray[np.generic], x: Tensor) -> Tensor:
    return torch.from_numpy(values).to(x).view(-1, 1, 1, 1)
