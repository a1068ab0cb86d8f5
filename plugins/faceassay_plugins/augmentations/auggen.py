"""Own AugGen: one denoiser under a mixed condition. Sampling is the core's."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from faceassay.contracts import Denoiser, LabelMix, PlanBlock, Sources, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay_plugins.augmentations.pairs import PairAugmentation, Weights


class AugGen(DenoisingAugmentation, PairAugmentation):
    """Sample under the mixed condition c* = alpha c_i + beta c_j; the pair is a new class."""

    name: ClassVar[str] = "auggen"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "AugGen: condition mixing, one network evaluation for a pair"
    paper: ClassVar[str | None] = (
        "AugGen: Synthetic Augmentation using Diffusion Models (condition mixing of one-hot labels)"
    )

    alpha: float = parameter(
        0.7, ge=0, le=4, description="weight of the first class; AugGen found 0.7 on CASIA-WebFace, 0.8 on WebFace160K"
    )
    beta: float = parameter(0.7, ge=0, le=4, description="weight of the second class")

    def mix_weights(self, sources: Sources) -> Weights:
        """Return alpha and beta."""
        return np.array([[self.alpha, self.beta]])

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided denoiser under the mixed condition; the guide gets the same condition."""
        mixed = LabelMix(block.sources, block.weights)
        return self.guided(lambda role: sources.generator.denoiser(mixed, role=role))
