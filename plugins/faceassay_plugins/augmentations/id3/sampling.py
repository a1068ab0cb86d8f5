"""Own how ID3 samples and what that costs. The adjusted score is in ``adjusted``, anchors and plans are elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from faceassay.contracts import Denoiser, FloatArray, ImageBatch, PlanBlock, Sources, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay.identity import differentiable, unit_rows
from faceassay.noise import noise_levels
from faceassay_plugins.augmentations.id3.schedule import alpha_bars, noise_level

CONDITIONS = ("identity", "attributes")


class IdentityGuidedSampling(DenoisingAugmentation):
    """Sample with ID3's adjusted score (equations 7 and 8) by EDM's sampler, or as algorithm 2 is written."""

    guidance: float = parameter(
        1.0, ge=0, le=20, description="weight w of autoguidance; 1 switches the guide off, ID3 has none"
    )
    weight: float = parameter(
        0.19,
        ge=0,
        description="W of the gradient of y.f(x): ID3's lambda_t kappa averaged over t; 0 is its ablation, the "
        "original score without any pass through the recognizer",
    )
    guidance_space: Literal["score", "epsilon"] = parameter(
        "score",
        description="score: W counts beside the score, samples are drawn to p exp(W cos); epsilon: beside the score as "
        "ID3 prints it, which lacks 1/sqrt(1 - abar_t): up to 100 times as strong",
    )
    gradient: Literal["exact", "c_skip", "noisy"] = parameter(
        "exact",
        description="exact: of f at the denoised image, backwards through the denoiser; c_skip: its Jacobian taken for "
        "c_skip; noisy: of f at the noisy image, as ID3 writes it",
    )
    guided_below: float | None = parameter(
        None,
        gt=0,
        description="noise level below which the gradient is added; none: at all, as in ID3. Data of variance v lose "
        "the share sqrt(v / (v + level^2)) of their tilt",
    )
    sigma_data: float = parameter(0.5, gt=0, description="standard deviation of the data, for c_skip")
    sampler: Literal["edm", "langevin"] = parameter(
        "edm", description="edm: Heun's method; langevin: ID3's algorithm 2 to the letter"
    )
    step_size: float | None = parameter(
        None, gt=0, description="gamma of algorithm 2; ID3 does not print it, so langevin asks for it"
    )
    diffusion_steps: int = parameter(
        1000, ge=2, unit="steps", description="T of ID3's linear schedule and steps of langevin"
    )

    @model_validator(mode="after")
    def _step_size_is_of_langevin(self) -> Self:
        if self.sampler == "langevin" and self.step_size is None:
            raise ValueError("sampler langevin needs a step_size: ID3 does not print its own")
        if self.sampler == "edm" and self.step_size is not None:
            raise ValueError(f"step_size {self.step_size:g} is of sampler langevin: leave it out with edm")
        return self

    def needs(self) -> frozenset[str]:
        """Name the generator, and the recognizer where one is looked through."""
        return super().needs() | ({"recognizer"} if self.weight else frozenset())

    def needs_gradient(self) -> bool:
        """Return whether the score is adjusted."""
        return self.weight != 0

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided, adjusted denoiser under the plan's columns ``identity`` and, if there, ``attributes``."""
        condition = {name: block.columns[name] for name in CONDITIONS if name in block.columns}
        denoise = self.guided(lambda role: sources.generator.denoiser(condition, role=role))
        return self.adjusted(denoise, sources, block.columns["identity"])

    def adjusted(self, denoise: Denoiser, sources: Sources, identity: FloatArray) -> Denoiser:
        """Return ``denoise`` drawn towards the identities [B, d]; itself at weight 0.

        Raises:
            FaceassayError: when no gradient passes through the recognizer, or it takes images of another size.
            DataError: when an identity has no direction.
        """
        if not self.weight:
            return denoise
        import torch

        from faceassay_plugins.augmentations.id3.adjusted import AdjustedDenoiser

        wanted = torch.from_numpy(unit_rows(identity, "identity")).to(sources.generator.device)
        return AdjustedDenoiser(
            denoise=denoise,
            features=differentiable(sources.recognizer, sources.generator.image_size).features,
            identity=wanted,
            weight=self.weight,
            space=self.guidance_space,
            gradient=self.gradient,
            guided_below=math.inf if self.guided_below is None else self.guided_below,
            sigma_data=self.sigma_data,
            networks=self.networks(),
            count=sources.passes.update,
        )

    def sampled(self, denoiser: Denoiser, noise: FloatArray, device: str) -> ImageBatch:
        """Return the images, uint8 [B, H, W, 3], that the chosen sampler makes of standard normal noise."""
        if self.step_size is None:
            return super().sampled(denoiser, noise, device)
        from faceassay import sampling
        from faceassay_plugins.augmentations.id3.langevin import fresh_noise, langevin

        steps = self.diffusion_steps
        start, fresh = sampling.to_noise(noise, device), fresh_noise(noise, steps)
        return sampling.to_images(langevin(denoiser, start, fresh, step_size=self.step_size, steps=steps))

    def denoiser_calls(self) -> int:
        """Return the calls of the chosen sampler."""
        return len(self._visited())

    def passes_per_image(self) -> Mapping[str, int]:
        """Return the passes through the recognizer and backwards through the denoiser, exactly."""
        limit = np.float32(math.inf if self.guided_below is None else self.guided_below)  # levels are compared so
        calls = sum(np.float32(level) < limit for level in self._visited()) if self.weight else 0
        backwards = calls * self.branches() * self.networks() if self.gradient == "exact" else 0
        passes = {"recognizer_forward": calls, "recognizer_backward": calls, "denoiser_backward": backwards}
        return {name: int(count) for name, count in passes.items() if count}

    def _visited(self) -> list[float]:
        """Return the noise level of every call of the denoiser, in order."""
        if self.sampler == "langevin":
            return [noise_level(abar) for abar in reversed(alpha_bars(self.diffusion_steps))]
        first, *others = noise_levels(self.steps, self.sigma_min, self.sigma_max, self.rho)[:-1]
        return [first, *(level for level in others for _ in range(2))]  # Heun's method comes and goes at each
