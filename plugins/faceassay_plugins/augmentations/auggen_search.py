"""Own AugGen's search for alpha and beta: a grid of mixed conditions on the same pairs and noise, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import IntArray, LabelMix, Search, Sources, StageContext, parameter
from faceassay.denoising import GuidedSampling
from faceassay.seeds import noise_keys, row_noise
from faceassay_plugins.augmentations.cell_measures import (
    LEAST_NORM,
    LEAST_SHARE,
    LEAST_VARIETY,
    Measures,
    Vectors,
    both_orders,
    measure,
    unit_length,
    winner,
)
from faceassay_plugins.augmentations.strategies import require_label_space
from faceassay_plugins.selection import random_pairs, require_pairs

GRID = tuple(round(0.1 * k, 1) for k in range(1, 12))
"""The weights that AugGen tries."""
BLOCK = 32
"""Images sampled and embedded together: fixed, because the bytes of a batch depend on its size."""


class AugGenSearch(GuidedSampling, Search):
    """Try every alpha and beta of a grid; maximise m_d + m_s as the original recognizer sees the images."""

    name: ClassVar[str] = "auggen-search"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "AugGen's search for alpha and beta"

    pairs: int = parameter(64, ge=2, unit="pairs", description="random pairs of classes")
    images: int = parameter(8, ge=2, unit="images", description="images of each condition")
    grid: tuple[float, ...] = parameter(GRID, min_length=1, description="weights tried for both classes")

    def check(self, identities: int) -> None:
        """Check that there are enough identities to draw the pairs from, and that no weight is tried twice.

        Raises:
            ValueError: when there are not, or one is.
        """
        require_pairs(identities, self.pairs, name="search_pairs")
        if len(set(self.grid)) < len(self.grid):
            raise ValueError(f"search_grid names a weight twice: {list(self.grid)}")

    def work(self, identities: int) -> int:
        """Return the images of all cells and, at most, of the classes on their own."""
        return (len(self.grid) ** 2 * self.pairs + min(2 * self.pairs, identities)) * self.images

    def passes_per_image(self) -> Mapping[str, int]:
        """Return that the recognizer looks at every image once."""
        return {"recognizer_forward": 1}

    def run(self, sources: Sources, run: StageContext) -> Mapping[str, Any]:
        """Measure the classes on their own, then cell by cell, each kept in a checkpoint.

        Returns:
            The chosen alpha and beta, and every cell with m_d, m_s and what the guard looks at.

        Raises:
            FaceassayError: when the generator knows other classes than the real images have, or every cell is refused.
        """
        require_label_space(sources)
        course = _Course(self, sources, run)
        course.finish()
        run.count_evaluations(course.evaluations)
        run.count_passes({"recognizer_forward": course.sampled_images()})
        reproduced = course.reproduced
        measured = [(cell.pop("alpha"), cell.pop("beta"), Measures(**cell)) for cell in course.cells]
        cells = both_orders(measured, Measures(**{name: reproduced[name] for name in Measures.__dataclass_fields__}))
        won = winner(cells)
        return {
            **{name: won[name] for name in ("alpha", "beta", "m_total", "m_d", "m_s")},
            "objective": "the largest m_total = m_d + m_s, both orders averaged; of ties the smallest |alpha - beta|",
            "pairs": self.pairs,
            "images": self.images,
            "reproduced": reproduced,
            "guard": {"least_norm": LEAST_NORM, "least_variety": LEAST_VARIETY, "least_share": LEAST_SHARE},
            "cells": cells,
        }


@dataclass
class _Course:
    """Go through the cells from where an earlier attempt was killed."""

    search: AugGenSearch
    sources: Sources
    context: StageContext
    cells: list[dict[str, float]] = field(default_factory=list)
    reproduced: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0

    def __post_init__(self) -> None:
        self.pairs = random_pairs(len(self.sources.real.identities), self.search.pairs, self.context.seed)
        self.classes, places = np.unique(self.pairs, return_inverse=True)
        self.places = places.reshape(self.pairs.shape)

    def finish(self) -> None:
        kept = self.context.checkpoints.load()
        if kept is None:
            self._reproduce()
        else:
            _, tensors, document = kept
            self.means = tensors["means"].numpy()
            self.cells, self.reproduced = document["cells"], document["reproduced"]
            self.evaluations = document["evaluations"]
        grid = [(alpha, beta) for alpha in self.search.grid for beta in self.search.grid]
        for alpha, beta in grid[len(self.cells) :]:
            raw = self._embedded(self.pairs, (alpha, beta), len(self.classes))
            found = measure(raw, self.means, self.places, self.reproduced["length"])
            self.cells.append({"alpha": alpha, "beta": beta, **asdict(found)})
            self._keep()
        self.context.progress(self.sampled_images(), self.sampled_images())

    def _reproduce(self) -> None:
        """Sample the classes under their own conditions: their mean embeddings and what faces look like here."""
        raw = self._embedded(self.classes[:, None], (1.0,), 0)
        self.means = unit_length(unit_length(raw).mean(1))
        length = max(float(np.linalg.norm(raw, axis=2).mean()), 1e-12)
        own = np.arange(len(self.classes)).repeat(2).reshape(-1, 2)
        self.reproduced = {"length": length, **asdict(measure(raw, self.means, own, length))}
        self._keep()

    def _keep(self) -> None:
        import torch

        document = {"cells": self.cells, "reproduced": self.reproduced, "evaluations": self.evaluations}
        self.context.checkpoints.save(1 + len(self.cells), {"means": torch.from_numpy(self.means)}, document)

    def sampled_images(self) -> int:
        """Return how many images have been sampled and measured."""
        classes = len(self.classes) if self.reproduced else 0
        return (classes + len(self.cells) * len(self.pairs)) * self.search.images

    def _embedded(self, mixes: IntArray, weights: tuple[float, ...], noise_from: int) -> Vectors:
        """Return embeddings of images under each of ``mixes``, [M, K, d]; noise is counted in conditions."""
        images, before = self.search.images, self.sources.generator.evaluations
        rows = mixes.repeat(images, axis=0)
        keys = noise_keys(self.context.seed, noise_from * images, len(rows))
        total = (len(self.classes) + len(self.search.grid) ** 2 * len(self.pairs)) * images
        found = []
        for start in range(0, len(rows), BLOCK):
            self.context.progress(self.sampled_images() + start, total)
            block = rows[start : start + BLOCK]
            condition = LabelMix(block, np.tile(np.array(weights), (len(block), 1)))
            found.append(self._sampled(condition, keys[start : start + BLOCK]))
        self.evaluations += self.sources.generator.evaluations - before
        return np.concatenate(found).reshape(len(mixes), images, -1).astype(np.float64)

    def _sampled(self, condition: LabelMix, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        generator = self.sources.generator
        denoiser = self.search.guided(lambda role: generator.denoiser(condition, role=role))
        noise = row_noise(keys, generator.image_size)
        return self.sources.recognizer.embed(self.search.sampled(denoiser, noise, generator.device))
