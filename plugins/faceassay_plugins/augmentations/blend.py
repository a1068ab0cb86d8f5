"""Own the generator-free control: the pixel average of two people as a new class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceDataset, FloatArray, ImageBatch, IntArray, PlanBlock, Sources, StageContext
from faceassay.seeds import generator
from faceassay_plugins.augmentations.pairs import PairAugmentation


class Blend(PairAugmentation):
    """Average one photograph of each of two people, pixel by pixel, as an image of a new identity.

    The control that every mixing method has to beat: what it gains is not owed to a generator.
    """

    name: ClassVar[str] = "blend"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Pixel average of two people as a new class; needs no generator"

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a dozen images."""
        return cls(pairs=4, images_per_pair=3, block_size=5)

    def columns(self, sources: Sources, pairs: IntArray, run: StageContext) -> Mapping[str, NDArray[Any]]:
        """Draw for each row one image of each of its two people: ``images``, int64 [N, 2]."""
        members = _members(sources.real)
        draws = generator(run.seed, 1).random((len(pairs), 2))
        images = [
            [members[p][int(u * len(members[p]))] for p, u in zip(*row, strict=True)]
            for row in zip(pairs, draws, strict=True)
        ]
        return {"images": np.array(images, dtype=np.int64).reshape(-1, 2)}

    def render(self, sources: Sources, block: PlanBlock, noise: FloatArray) -> ImageBatch:
        """Return the weighted average of the two images of each row, rounded to the nearest grey level."""
        images = block.columns["images"]
        first, second = sources.real.images(images[:, 0]), sources.real.images(images[:, 1])
        weights = block.weights[:, :, None, None, None]
        mixed: ImageBatch = np.rint(first * weights[:, 0] + second * weights[:, 1]).clip(0, 255).astype(np.uint8)
        return mixed


def _members(data: FaceDataset) -> list[IntArray]:
    ends = np.cumsum(np.bincount(data.labels, minlength=len(data.identities)))
    return np.split(np.argsort(data.labels, kind="stable"), ends[:-1])
