"""Own what augmentations that mix pairs of people share: parameters, the plan, names and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Augmentation, IntArray, Sources, StageContext, SynthesisPlan, parameter
from faceassay_plugins.augmentations.strategies import Strategy, choose_pairs, inputs_read, require_label_space
from faceassay_plugins.selection import require_pairs

Weights = NDArray[np.float64]


class PairAugmentation(Augmentation):
    """Mix pairs of real identities; each pair becomes a new identity (ScoreMix, section 4.2)."""

    pairs: int = parameter(10000, ge=1, unit="pairs", description="pairs of identities to mix (ScoreMix, section 4.2)")
    images_per_pair: int = parameter(20, ge=1, unit="images", description="images of each pair (ScoreMix, section 4.2)")
    selection: Strategy = parameter(
        "random",
        description="how pairs are chosen (ScoreMix, table 2): at random, or the closest (close) or farthest (dist) by "
        "the recognizer's class centres (embedding) or the generator's condition vectors (condition); top and worst "
        "rank by both",
    )
    max_uses: int | None = parameter(
        None,
        ge=1,
        unit="pairs",
        description="pairs that an identity may be in at most; none: no limit (the paper)",
    )
    label_mode: Literal["new_class", "source"] = parameter(
        "new_class",
        description="new_class: a pair is a new identity (the papers); source: an image joins the real identity of "
        "larger weight, the first of equal ones",
    )
    block_size: int = parameter(32, ge=1, unit="images", description="images rendered together")

    def needs(self) -> frozenset[str]:
        """Name what the selection reads."""
        return super().needs() | inputs_read(self.selection)

    def check(self, image_size: int, identities: int) -> None:
        """Check that there are enough identities to choose the pairs from."""
        require_pairs(identities, self.pairs, self.max_uses)

    def planned_images(self, identities: int) -> int:
        """Return pairs x images per pair."""
        return self.pairs * self.images_per_pair

    def mixes(self, sources: Sources, run: StageContext) -> IntArray:
        """Choose the classes to mix, int64 [pairs, k]; methods that run with the same seed choose the same ones."""
        return choose_pairs(self.selection, sources, self.pairs, run.seed, self.max_uses)

    def mix_weights(self, sources: Sources) -> Weights:
        """Return the weights of the classes, float64 [S, k]; the images of a mix take the S settings in turn."""
        return np.array([[0.5, 0.5]])

    def plan(self, sources: Sources, run: StageContext) -> SynthesisPlan:
        """List the images of each mix in a row.

        Raises:
            FaceassayError: when the generator or the recognizer knows other classes than the real images have.
        """
        if "generator" in sources:
            require_label_space(sources)
        mixes, settings = self.mixes(sources, run), self.mix_weights(sources)
        mix, image = np.divmod(np.arange(len(mixes) * self.images_per_pair), self.images_per_pair)
        weights = settings[image % len(settings)]
        identities, labels = self._labelled(sources.real.identities, mixes, mix, weights)
        return SynthesisPlan(
            identities=identities,
            labels=labels,
            sources=mixes[mix],
            weights=weights,
            block_size=self.block_size,
            columns=self.columns(sources, mixes[mix], run),
        )

    def columns(self, sources: Sources, pairs: IntArray, run: StageContext) -> Mapping[str, NDArray[Any]]:
        """Return further columns of the plan for rows made from ``pairs``, int64 [N, k]."""
        return {}

    def _labelled(
        self, names: Sequence[str], mixes: IntArray, mix: IntArray, weights: Weights
    ) -> tuple[tuple[str, ...], IntArray]:
        if self.label_mode == "new_class":
            return tuple(new_class_name([names[k] for k in classes]) for classes in mixes), mix
        classes = mixes[mix, weights.argmax(1)]
        joined, labels = np.unique(classes, return_inverse=True)
        return tuple(names[k] for k in joined), labels.astype(np.int64)


def new_class_name(parts: Sequence[str]) -> str:
    """Return the name of a synthetic identity made from ``parts``: other parts, another name."""
    return "synthetic:" + "+".join(part.replace("%", "%25").replace("+", "%2B") for part in parts)
