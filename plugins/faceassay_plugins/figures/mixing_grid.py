"""Own the figure of a pair mixed with all kinds of weights (ScoreMix, figures 2, 4, 5 and 6)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from faceassay.contracts import FaceassayError, Figure, ImageBatch, IntArray, Sources, StageContext, parameter
from faceassay.datasets import require_known
from faceassay.denoising import GuidedSampling
from faceassay.drawing import COLOURS
from faceassay.seeds import noise_keys
from faceassay_plugins.figures.panels import ALPHA, BETA, CELL, blank, frame_tiles, show_tiles, write_caption
from faceassay_plugins.figures.sampled import rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Space = Literal["score", "denoised"]
TITLES: Mapping[Space, str] = {"score": "Scores mixed", "denoised": "Denoised images mixed"}


class MixingGrid(GuidedSampling, Figure):
    """Sample one pair of classes from one noise under every combination of weights alpha and beta.

    The paper uses the noise seeds 0, 1 and 6. It speaks of scores, while its equation 2 names the denoiser: by default
    both are mixed, one panel each.
    """

    name: ClassVar[str] = "mixing-grid"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "One pair mixed with every combination of weights (ScoreMix, figures 2, 4-6)"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), figures 2, 4, 5 and 6"

    first: str | None = parameter(
        None, description="identity of weight alpha; none: the first of the training set that is not the other one"
    )
    second: str | None = parameter(None, description="identity of weight beta; none: the next one")
    weights: Annotated[tuple[Annotated[float, Field(ge=-2, le=3)], ...], Field(min_length=2)] = parameter(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), description="values of alpha, and of beta"
    )
    spaces: Annotated[tuple[Space, ...], Field(min_length=1)] = parameter(
        ("score", "denoised"), description="what is mixed, one panel each"
    )
    noise_seed: int = parameter(0, ge=0, description="seed of the noise that every image starts from")

    def needs(self) -> frozenset[str]:
        """Name the generator."""
        return frozenset({"generator"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``SPACE.npy`` (uint8 [beta, alpha, S, S, 3]) and ``grid.json``; draw one panel for each space.

        Raises:
            DataError: when the generator does not know an identity.
        """
        names = self._names(sources.generator.identities)
        pair = np.array([list(sources.generator.identities).index(name) for name in names])
        grids: dict[Space, ImageBatch] = {}
        for space in self.spaces:
            run.progress(len(grids), len(self.spaces))
            grids[space] = self._grid(sources, pair, space)
            np.save(run.folder / f"{space}.npy", grids[space])
        document = {**self.model_dump(mode="json"), "first": names[0], "second": names[1]}
        (run.folder / "grid.json").write_text(json.dumps(document, indent=1))
        return self._drawn(grids, names)

    def _names(self, identities: Sequence[str]) -> tuple[str, str]:
        require_known(identities, [name for name in (self.first, self.second) if name is not None])
        others = [name for name in identities if name not in (self.first, self.second)][:2]
        if len(others) < (self.first, self.second).count(None):
            raise FaceassayError(f"a pair takes two identities, the generator knows {len(identities)}")
        first = self.first if self.first is not None else others.pop(0)
        return first, self.second if self.second is not None else others.pop(0)

    def _grid(self, sources: Sources, pair: IntArray, space: Space) -> ImageBatch:
        from faceassay_plugins.augmentations.scoremix import ScoreMix

        beta, alpha = np.meshgrid(self.weights, self.weights, indexing="ij")
        mixes = np.stack([alpha.ravel(), beta.ravel()], axis=1)
        noise = noise_keys(self.noise_seed, 0, 1).repeat(len(mixes))
        method = ScoreMix.model_validate({**self.sampling_parameters(), "space": space})
        images = rendered(method, sources, np.tile(pair, (len(mixes), 1)), mixes, noise, block_size=len(mixes))
        return images.reshape(*alpha.shape, *images.shape[1:])

    def _drawn(self, grids: Mapping[Space, ImageBatch], names: tuple[str, str]) -> Drawing:
        side = len(self.weights) * CELL
        drawing = blank(len(grids) * (side + 0.3) + 0.6, side + 1.4)
        labels = [f"{weight:g}" for weight in self.weights]
        panels = drawing.subplots(1, len(grids), squeeze=False, sharey=True)[0]
        for axes, (space, images) in zip(panels, grids.items(), strict=True):
            show_tiles(axes, images, labels, labels)
            frame_tiles(axes, self._convex(), COLOURS[1])
            axes.set_title(TITLES[space])
            axes.set_xlabel(f"{ALPHA}: more of {names[0]} →")
        panels[0].set_ylabel(f"← {BETA}: more of {names[1]}")
        write_caption(drawing, self._caption())
        return drawing

    def _convex(self) -> list[tuple[int, int]]:
        """Return the rows and columns where alpha + beta = 1."""
        places = np.ndindex(len(self.weights), len(self.weights))
        return [(row, column) for row, column in places if math.isclose(self.weights[row] + self.weights[column], 1)]

    def _caption(self) -> str:
        return (
            f"Framed: {ALPHA} + {BETA} = 1, where mixing scores and mixing denoised images are the same; elsewhere "
            f"they differ. One noise (seed {self.noise_seed}) for all, {self.steps} steps, guidance {self.guidance:g}."
        )
