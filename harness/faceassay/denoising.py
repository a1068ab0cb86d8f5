"""Own what plugins that sample from a composed denoiser share. The sampler itself is ``faceassay.sampling``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

from pydantic import model_validator

from faceassay.contracts import (
    Augmentation,
    Denoiser,
    FloatArray,
    ImageBatch,
    PlanBlock,
    Plugin,
    Role,
    Sources,
    parameter,
)


class GuidedSampling(Plugin):
    """Carry the parameters of EDM's Heun sampler and of autoguidance."""

    steps: int = parameter(32, ge=2, le=1000, unit="steps", description="steps of the Heun sampler")
    sigma_min: float = parameter(0.002, gt=0, description="lowest noise level above 0")
    sigma_max: float = parameter(80.0, gt=0, description="highest noise level")
    rho: float = parameter(7.0, gt=0, description="spacing of the noise levels")
    guidance: float = parameter(
        1.3,
        ge=0,
        le=20,
        description="weight w of autoguidance (ScoreMix, figures 3 and 9); 1 switches the guide off",
    )

    @model_validator(mode="after")
    def _noise_falls(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min must be below sigma_max (got {self.sigma_min} and {self.sigma_max})")
        return self

    def sampling_parameters(self) -> dict[str, Any]:
        """Return these parameters by name, for another plugin that is to sample alike."""
        return {name: getattr(self, name) for name in GuidedSampling.model_fields}

    def guided(self, compose: Callable[[Role], Denoiser]) -> Denoiser:
        """Return the autoguided denoiser of what ``compose`` makes for the main model and for the guide.

        At guidance 1 the guide is not asked for: it is not loaded, and a generator may have none.
        """
        from faceassay import sampling

        if self.guidance == 1:
            return compose("main")
        return sampling.autoguide(compose("main"), compose("guide"), self.guidance)

    def branches(self) -> int:
        """Return how many conditions one image is denoised under; for estimates only."""
        return 1

    def networks(self) -> int:
        """Return how many networks one image passes through under one condition: main model, guide, or both."""
        return 1 if self.guidance in (0, 1) else 2

    def denoiser_calls(self) -> int:
        """Return how often the sampler calls the composed denoiser."""
        return 2 * self.steps - 1

    def guide_evaluations_per_image(self) -> int:
        """Return how many of ``evaluations_per_image`` are those of the guide; for estimates only."""
        if self.guidance == 1:
            return 0
        return self.evaluations_per_image() // self.networks()

    def evaluations_per_image(self) -> int:
        """Return calls x branches, doubled where main model and guide are both evaluated."""
        return self.denoiser_calls() * self.branches() * self.networks()

    def sampled(self, denoiser: Denoiser, noise: FloatArray, device: str) -> ImageBatch:
        """Return the images, uint8 [B, H, W, 3], that ``denoiser`` makes of standard normal noise [B, 3, H, W]."""
        from faceassay import sampling

        levels = {"sigma_min": self.sigma_min, "sigma_max": self.sigma_max, "rho": self.rho}
        start = sampling.to_noise(noise, device)
        return sampling.to_images(sampling.heun(denoiser, start, steps=self.steps, **levels))


class DenoisingAugmentation(GuidedSampling, Augmentation):
    """Render a block by EDM's Heun sampler over the denoiser that ``denoiser`` composes."""

    def needs(self) -> frozenset[str]:
        """Name the generator."""
        return super().needs() | {"generator"}

    @abstractmethod
    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Compose the denoiser of a block, guidance included."""

    def render(self, sources: Sources, block: PlanBlock, noise: FloatArray) -> ImageBatch:
        """Sample the block."""
        return self.sampled(self.denoiser(sources, block), noise, sources.generator.device)
