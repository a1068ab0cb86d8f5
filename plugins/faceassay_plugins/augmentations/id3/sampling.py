"""Hold the place of ID3's adjusted sampling: its parameters, and no way to render yet."""

from __future__ import annotations

from typing import Literal

from faceassay.contracts import FloatArray, ImageBatch, PlanBlock, Sources, parameter
from faceassay.denoising import GuidedSampling


class IdentityGuidedSampling(GuidedSampling):
    """Carry the parameters of the adjusted score (ID3, equations 7 and 8)."""

    weight: float = parameter(0.19, ge=0, description="weight W of the recognizer's gradient")
    guidance_space: Literal["score", "epsilon"] = parameter("score", description="what W multiplies")

    def render(self, sources: Sources, block: PlanBlock, noise: FloatArray) -> ImageBatch:
        """Sample a block under ``block.columns["identity"]`` and ``block.columns["attributes"]``."""
        raise NotImplementedError
