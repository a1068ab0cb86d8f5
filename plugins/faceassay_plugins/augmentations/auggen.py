"""Own AugGen: one denoiser under a mixed condition, with weights given or searched for. Sampling is the core's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from faceassay.contracts import Denoiser, LabelMix, PlanBlock, Sources, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay_plugins.augmentations.auggen_search import GRID, AugGenSearch
from faceassay_plugins.augmentations.pairs import PairAugmentation, Weights


class AugGen(DenoisingAugmentation, PairAugmentation):
    """Sample under the mixed condition c* = alpha c_i + beta c_j; the pair is a new class."""

    name: ClassVar[str] = "auggen"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "AugGen: condition mixing, one network evaluation for a pair"
    paper: ClassVar[str | None] = (
        "AugGen: Synthetic Augmentation using Diffusion Models (condition mixing of one-hot labels)"
    )

    alpha: float | None = parameter(
        0.7,
        ge=0,
        le=4,
        description="weight of the first class; AugGen found 0.7 on CASIA-WebFace, 0.8 on WebFace160K; none: searched",
    )
    beta: float | None = parameter(0.7, ge=0, le=4, description="weight of the second class; none: searched")
    search_pairs: int = parameter(64, ge=2, unit="pairs", description="random pairs that the search tries weights on")
    search_images: int = parameter(8, ge=2, unit="images", description="images of each condition in the search")
    search_grid: tuple[float, ...] = parameter(GRID, min_length=1, description="weights that the search tries for both")

    @model_validator(mode="after")
    def _weights_are_whole(self) -> Self:
        if (self.alpha is None) != (self.beta is None):
            raise ValueError("alpha and beta are searched for together: give both or none")
        return self

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a dozen images in three steps, their weights searched for on a small grid."""
        return cls(
            **{"pairs": 4, "images_per_pair": 3, "block_size": 5, "steps": 3, "alpha": None, "beta": None},
            **{"search_pairs": 3, "search_images": 2, "search_grid": (0.5, 0.8)},
        )

    def check(self, image_size: int, identities: int) -> None:
        """Check that there are enough identities for the pairs, those of the search included."""
        super().check(image_size, identities)
        if search := self.search():
            search.check(identities)

    def search(self) -> AugGenSearch | None:
        """Return the search for alpha and beta where they are not given; it samples as the augmentation does."""
        if self.alpha is not None:
            return None
        sampling = self.sampling_parameters()
        return AugGenSearch(**sampling, pairs=self.search_pairs, images=self.search_images, grid=self.search_grid)

    def mix_weights(self, sources: Sources) -> Weights:
        """Return alpha and beta, as given or found."""
        found = {"alpha": self.alpha, "beta": self.beta} if self.alpha is not None else sources.search
        return np.array([[found["alpha"], found["beta"]]], dtype=np.float64)

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided denoiser under the mixed condition; the guide gets the same condition."""
        mixed = LabelMix(block.sources, block.weights)
        return self.guided(lambda role: sources.generator.denoiser(mixed, role=role))
