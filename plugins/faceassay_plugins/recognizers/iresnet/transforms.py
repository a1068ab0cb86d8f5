"""Own the random changes made to training images: crop, low resolution, photometric, flip. Reads and stores nothing.

Every function draws from the generator it is given, the same number of values whatever the probability, and leaves
the global random state alone; so the draws for one transform do not depend on whether another is switched on. Images
are float tensors [B, 3, S, S], RGB, 0 to 1; where the papers' code rounds to 8 bits after each step, this does not.

Where several processes share a batch, each draws for the whole batch and changes the images that it has: what happens
to an image does not depend on who does it.

Sources: the three training augmentations of AdaFace (Kim et al. 2022) and CVLface ``basic_v1``, named in ScoreMix; the
stretched crop of ADMIS is torchvision's RandomResizedCrop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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

CropMode = Literal["black", "stretch"]
"""What becomes of a cropped box: it stays in place on black (AdaFace), or fills the image (ADMIS)."""


@dataclass(frozen=True)
class Share:
    """Say which images of a batch are at hand.

    Attributes:
        first: number in the batch of the first of them.
        count: how many.
        of: images of the whole batch.
    """

    first: int
    count: int
    of: int

    @classmethod
    def of_process(cls, batch_size: int, rank: int, world: int) -> Share:
        """Return the share of process ``rank`` of ``world`` in batches that they can share evenly."""
        count = batch_size // world
        return cls(rank * count, count, batch_size)

    @classmethod
    def whole(cls, x: Tensor) -> Share:
        """Return the share of one that has all images ``x`` of a batch."""
        return cls(0, len(x), len(x))

    @property
    def rows(self) -> slice:
        """Where the images are in the batch."""
        return slice(self.first, self.first + self.count)


@dataclass(frozen=True)
class Transforms:
    """Change a batch of training images, each transform on each image with its own probability.

    Attributes:
        crop, low_resolution, photometric, flip: probabilities, 0 to 1, in the order in which they are applied.
        crop_mode: what becomes of a cropped box.
    """

    crop: float = 0.2
    low_resolution: float = 0.2
    photometric: float = 0.2
    flip: float = 0.5
    crop_mode: CropMode = "black"

    def __call__(self, x: Tensor, seed: int, step: int, share: Share | None = None) -> Tensor:
        """Return the batch ``x`` as training sees it at ``step``; the draws depend on ``seed`` and ``step`` alone.

        Args:
            x: the images of ``share``, all of the batch by default.
            seed: of the training.
            step: of the training.
            share: which images of the batch they are.
        """
        random, share = seeds.generator(seed, step), share or Share.whole(x)
        x = crop(x, random, self.crop, share, self.crop_mode)
        x = low_resolution(x, random, self.low_resolution, share)
        x = photometric(x, random, self.photometric, share)
        return flip(x, random, self.flip, share)


def crop(
    x: Tensor, random: np.random.Generator, probability: float, share: Share | None = None, mode: CropMode = "black"
) -> Tensor:
    """Keep of an image a random box of 0.2 to 1 of the area and aspect 3/4 to 4/3, in place on black or stretched."""
    share, size = share or Share.whole(x), x.shape[-1]
    chosen = _chosen(share, random, probability)
    boxes = tuple(side[share.rows][chosen] for side in _boxes(share.of, size, random))
    return _replaced(x, chosen, _CROPPED[mode](_rows(x, chosen), *boxes))


def _blackened(x: Tensor, top: IntArray, left: IntArray, height: IntArray, width: IntArray) -> Tensor:
    top, left, height, width = (side[:, None] for side in (top, left, height, width))
    size = x.shape[-1]
    pixel = np.arange(size)
    rows = (pixel >= top) & (pixel < top + height)
    columns = (pixel >= left) & (pixel < left + width)
    inside = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]).to(x.device)
    return torch.where(inside, x, 0.0)


def _stretched(x: Tensor, top: IntArray, left: IntArray, height: IntArray, width: IntArray) -> Tensor:
    """Enlarge each box to the whole image by linear interpolation."""
    size = x.shape[-1]
    down, across = np.zeros((2, len(x), size, size), dtype=np.float32)
    for row, (above, beside, high, wide) in enumerate(zip(top, left, height, width, strict=True)):
        down[row, :, above : above + high] = resize_matrix(int(high), size, "linear")
        across[row, :, beside : beside + wide] = resize_matrix(int(wide), size, "linear")
    return torch.from_numpy(down).to(x).unsqueeze(1) @ x @ torch.from_numpy(across).to(x).unsqueeze(1).mT


_CROPPED: dict[CropMode, Callable[..., Tensor]] = {"black": _blackened, "stretch": _stretched}


def low_resolution(x: Tensor, random: np.random.Generator, probability: float, share: Share | None = None) -> Tensor:
    """Shrink to U(0.2, 1) of the side and enlarge again, each with a random one of OpenCV's five interpolations."""
    share, size = share or Share.whole(x), x.shape[-1]
    chosen = _chosen(share, random, probability)
    sides = (random.uniform(LOWEST_RATIO, 1, share.of) * size).astype(np.int64)[share.rows][chosen]
    down, up = (random.random((2, share.of)) * len(METHODS)).astype(np.int64)[:, share.rows][:, chosen]
    shrink, enlarge = _resizers(size, sides, down, up)
    small = _resized(_rows(x, chosen), torch.from_numpy(shrink).to(x))
    return _replaced(x, chosen, _resized(small, torch.from_numpy(enlarge).to(x)))


def photometric(x: Tensor, random: np.random.Generator, probability: float, share: Share | None = None) -> Tensor:
    """Scale brightness, contrast and saturation by U(0.5, 1.5) each, in random order (torchvision's ColorJitter).

    AdaFace's code gives it blue, green, red; here the channels are red, green, blue, as luminance expects.
    """
    share = share or Share.whole(x)
    chosen = _chosen(share, random, probability)
    factors = random.uniform(1 - JITTER, 1 + JITTER, (3, share.of))[:, share.rows][:, chosen]
    order = random.random((3, share.of)).argsort(axis=0)[:, share.rows][:, chosen]
    changed = _rows(x, chosen)
    for factor, kind in zip(factors, order, strict=True):
        changed = _blended(changed, _column(factor, x), _column(kind == 1, x), _column(kind == 2, x))
    return _replaced(x, chosen, changed)


def flip(x: Tensor, random: np.random.Generator, probability: float, share: Share | None = None) -> Tensor:
    """Mirror images left to right."""
    chosen = _chosen(share or Share.whole(x), random, probability)
    return _replaced(x, chosen, _rows(x, chosen).flip(-1))


def _chosen(share: Share, random: np.random.Generator, probability: float) -> IntArray:
    """Return which images of the share are changed, by their numbers in it."""
    return np.flatnonzero(random.random(share.of)[share.rows] < probability)


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
