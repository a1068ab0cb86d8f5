"""Own what augmentations that mix pairs of people share: parameters, the plan, names of new classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Augmentation, IntArray, Sources, StageContext, SynthesisPlan, parameter
from faceassay_plugins.selection import random_pairs, require_pairs


class PairAugmentation(Augmentation):
    """Mix random pairs of real identities; each pair becomes a new identity (ScoreMix, section 4.2)."""

    pairs: int = parameter(10000, ge=1, unit="pairs", description="pairs of identities to mix (ScoreMix, section 4.2)")
    images_per_pair: int = parameter(20, ge=1, unit="images", description="images of each pair (ScoreMix, section 4.2)")
    block_size: int = parameter(32, ge=1, unit="images", description="images rendered together")

    def check(self, image_size: int, identities: int) -> None:
        """Check that there are enough identities to draw the pairs from."""
        require_pairs(identities, self.pairs)

    def planned_images(self, identities: int) -> int:
        """Return pairs x images per pair."""
        return self.pairs * self.images_per_pair

    def pair_weights(self) -> tuple[float, float]:
        """Return the weights of the two identities of a pair."""
        return 0.5, 0.5

    def plan(self, sources: Sources, run: StageContext) -> SynthesisPlan:
        """Draw the pairs; methods that run with the same seed draw the same ones."""
        names = sources.real.identities
        pairs = random_pairs(len(names), self.pairs, run.seed)
        labels = np.arange(self.pairs).repeat(self.images_per_pair)
        return SynthesisPlan(
            identities=tuple(new_class_name([names[i], names[j]]) for i, j in pairs),
            labels=labels,
            sources=pairs[labels],
            weights=np.tile(np.array(self.pair_weights(), dtype=np.float64), (len(labels), 1)),
            block_size=self.block_size,
            columns=self.columns(sources, pairs[labels], run),
        )

    def columns(self, sources: Sources, pairs: IntArray, run: StageContext) -> Mapping[str, NDArray[Any]]:
        """Return further columns of the plan for rows made from ``pairs``, int64 [N, 2]."""
        return {}


def new_class_name(parts: Sequence[str]) -> str:
    """Return the name of a synthetic identity made from ``parts``: other parts, another name."""
    return "synthetic:" + "+".join(part.replace("%", "%25").replace("+", "%2B") for part in parts)
