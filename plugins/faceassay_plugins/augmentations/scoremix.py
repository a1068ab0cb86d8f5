"""Own ScoreMix: the scores of several conditions mixed at every noise level. Mixing and sampling are the core's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from faceassay.contracts import Denoiser, IntArray, LabelMix, PlanBlock, Role, Sources, StageContext, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay_plugins.augmentations.pairs import PairAugmentation, Weights
from faceassay_plugins.selection import random_mixes

Mixing = Annotated[float, Field(ge=-2, le=3)]
HALF = 0.5


class ScoreMix(DenoisingAugmentation, PairAugmentation):
    """Mix the scores of two or more classes along one trajectory (ScoreMix, algorithm 1 and equation 6).

    What weights that do not sum to one do is owed to their sum W before it is owed to faces. For Gaussian classes of
    variances v_i, mixed scores (``space: score``) end at the spread sigma_max^(1 - W) prod v_i^(w_i / 2): too wide
    below W = 1, too narrow above. Mixed denoised images (``space: denoised``) of one variance v end at about
    W sigma_min^(1 - W) v^(W / 2): too narrow below, too wide above. Where W = 1, weights below 0 or above 1 included,
    both are the same and end at the weighted geometric mean of the spreads.
    """

    name: ClassVar[str] = "scoremix"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "ScoreMix: score mixing, one network evaluation for each class of a mix"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), algorithm 1 and equation 6"

    mixing: Mixing | Annotated[tuple[Mixing, ...], Field(min_length=1)] = parameter(
        HALF,
        description="lambda: the second class gets lambda, the first 1 - lambda (ScoreMix: 0.5); of several values the "
        "images of a pair take one after the other",
    )
    classes_per_mix: int = parameter(
        2, ge=2, le=8, unit="classes", description="classes of a mix; more than two are drawn at random, equal weights"
    )
    weights: tuple[float, ...] | None = parameter(
        None, description="one weight for each class of a mix, instead of mixing; they need not sum to one"
    )
    space: Literal["score", "denoised"] = parameter(
        "score", description="what is mixed; it differs only where the weights do not sum to one"
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if self.weights is not None and self.mixing != HALF:
            raise ValueError("weights take the place of mixing: give one of the two")
        if self.weights is not None and len(self.weights) != self.classes_per_mix:
            raise ValueError(
                f"{len(self.weights)} weights for mixes of {self.classes_per_mix} classes: give one for each class"
            )
        if self.classes_per_mix > 2 and self.mixing != HALF:
            raise ValueError(f"mixing is about pairs: give weights for mixes of {self.classes_per_mix} classes")
        return self

    @model_validator(mode="after")
    def _mixes_fit(self) -> Self:
        if self.classes_per_mix > 2 and (self.selection != "random" or self.max_uses is not None):
            raise ValueError("selection and max_uses are about pairs: leave them out where classes_per_mix is above 2")
        if isinstance(self.mixing, tuple) and len(self.mixing) > self.images_per_pair:
            raise ValueError(
                f"{len(self.mixing)} values of mixing, but a pair has images_per_pair = {self.images_per_pair} images"
            )
        return self

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a dozen images in three steps."""
        return cls(pairs=4, images_per_pair=3, block_size=5, steps=3)

    def check(self, image_size: int, identities: int) -> None:
        """Check that there are enough identities to choose the mixes from."""
        if self.classes_per_mix == 2:
            super().check(image_size, identities)
        elif self.pairs > (available := math.comb(identities, self.classes_per_mix)):
            raise ValueError(
                f"{identities} classes make {available} mixes of {self.classes_per_mix}, {self.pairs} are asked for: "
                "lower 'pairs'"
            )

    def mixes(self, sources: Sources, run: StageContext) -> IntArray:
        """Choose pairs as ``selection`` says; draw larger mixes."""
        if self.classes_per_mix == 2:
            return super().mixes(sources, run)
        return random_mixes(len(sources.real.identities), self.classes_per_mix, self.pairs, run.seed)

    def mix_weights(self, sources: Sources) -> Weights:
        """Return 1 - lambda and lambda for each lambda, or the weights."""
        return self._settings()

    def branches(self) -> int:
        """Return the number of classes of a mix, those left out that never have a weight."""
        return int(self._settings().any(axis=0).sum())

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided mix; main model and guide are mixed alike, under the same conditions."""
        import torch

        from faceassay import sampling

        weights = [torch.from_numpy(weight) for weight in block.weights.T.copy()]

        def mixed(role: Role) -> Denoiser:
            branches = [sources.generator.denoiser(_plain(classes), role=role) for classes in block.sources.T]
            return sampling.mix_scores(branches, weights, space=self.space)

        return self.guided(mixed)

    def _settings(self) -> Weights:
        if self.weights is not None:
            return np.array([self.weights])
        if self.classes_per_mix > 2:
            return np.full((1, self.classes_per_mix), 1 / self.classes_per_mix)
        values = self.mixing if isinstance(self.mixing, tuple) else (self.mixing,)
        return np.array([[1 - value, value] for value in values])


def _plain(classes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> LabelMix:
    return LabelMix(classes[:, None], np.ones((len(classes), 1)))
