"""Own ScoreMix: the scores of two conditions mixed at every noise level. Mixing and sampling are the core's."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from faceassay.contracts import Denoiser, LabelMix, PlanBlock, Role, Sources, parameter
from faceassay.denoising import DenoisingAugmentation
from faceassay_plugins.augmentations.pairs import PairAugmentation


class ScoreMix(DenoisingAugmentation, PairAugmentation):
    """Mix the scores of two classes along one trajectory (ScoreMix, algorithm 1 and equation 6)."""

    name: ClassVar[str] = "scoremix"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "ScoreMix: score mixing, two network evaluations for a pair"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), algorithm 1 and equation 6"

    mixing: float = parameter(
        0.5, ge=-2, le=3, description="lambda: the second class gets lambda, the first 1 - lambda (ScoreMix: 0.5)"
    )

    def pair_weights(self) -> tuple[float, float]:
        """Return 1 - lambda and lambda."""
        return 1 - self.mixing, self.mixing

    def branches(self) -> int:
        """Return 2: both classes at every noise level, unless one has no weight."""
        return sum(weight != 0 for weight in self.pair_weights())

    def denoiser(self, sources: Sources, block: PlanBlock) -> Denoiser:
        """Return the guided mix; main model and guide are mixed alike, under the same two conditions."""
        import torch

        from faceassay import sampling

        weights = [torch.from_numpy(weight) for weight in block.weights.T.copy()]

        def mixed(role: Role) -> Denoiser:
            branches = [sources.generator.denoiser(_plain(classes), role=role) for classes in block.sources.T]
            return sampling.mix_scores(branches, weights)

        return self.guided(mixed)


def _plain(classes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> LabelMix:
    return LabelMix(classes[:, None], np.ones((len(classes), 1)))
