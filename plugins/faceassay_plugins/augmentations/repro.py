"""Own Repro: the real classes reproduced by the generator, as their own label or as new classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np

from faceassay.contracts import Denoiser, LabelMix, PlanBlock, Sources, StageContext, SynthesisPlan, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay_plugins.augmentations.pairs import new_class_name
from faceassay_plugins.augmentations.strategies import require_label_space


class Repro(DenoisingAugmentation):
    """Sample every real class under its own condition (AugGen's D_repro)."""

    name: ClassVar[str] = "repro"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Real classes reproduced by the generator, as their own label or as new classes"
    paper: ClassVar[str | None] = "AugGen: D_repro"

    images_per_class: int = parameter(20, ge=1, unit="images", description="images of each real class")
    label: Literal["own", "new"] = parameter(
        "own", description="own: the images join the real class (AugGen); new: each class is a new one (a control)"
    )
    block_size: int = parameter(32, ge=1, unit="images", description="images rendered together")

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a few images of each class in three steps."""
        return cls(images_per_class=2, block_size=5, steps=3)

    def planned_images(self, identities: int) -> int:
        """Return classes x images per class."""
        return identities * self.images_per_class

    def plan(self, sources: Sources, run: StageContext) -> SynthesisPlan:
        """List every class in order.

        Raises:
            FaceassayError: when the generator knows other classes than the real images have.
        """
        if "generator" in sources:
            require_label_space(sources)
        names = sources.real.identities
        labels = np.arange(len(names)).repeat(self.images_per_class)
        return SynthesisPlan(
            identities=tuple(names) if self.label == "own" else tuple(new_class_name([name]) for name in names),
            labels=labels,
            sources=labels[:, None],
            weights=np.ones((len(labels), 1)),
            block_size=self.block_size,
        )

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided denoiser under each row's own class."""
        condition = LabelMix(block.sources, block.weights)
        return self.guided(lambda role: sources.generator.denoiser(condition, role=role))
