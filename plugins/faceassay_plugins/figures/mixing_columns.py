"""Own the figure of mixed images between their sources (ScoreMix, figures 3, 9 and 10)."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import (
    FaceassayError,
    FaceDataset,
    Figure,
    ImageBatch,
    IntArray,
    Sources,
    StageContext,
    parameter,
)
from faceassay.denoising import GuidedSampling
from faceassay_plugins.augmentations.strategies import require_label_space
from faceassay_plugins.figures.panels import CELL, blank, show_tiles, write_caption
from faceassay_plugins.figures.sampled import rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COLUMNS = ("original", "reproduced", "mixed", "reproduced", "original")
ABREAST = 2
"""Pairs side by side."""


class MixingColumns(GuidedSampling, Figure):
    """Show the first pairs of a row: photographs, reproductions by the generator, and the mixed images between them.

    A reproduction starts from the noise of the mixed image beside it. The paper reproduces with guidance 1.3 (figures 3
    and 9) and 2.75 (figure 10); the mixed images are those of the row, whatever the guidance here.
    """

    name: ClassVar[str] = "mixing-columns"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Mixed images of a row between their sources (ScoreMix, figures 3, 9, 10)"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), figures 3, 9 and 10"

    pairs: int = parameter(4, ge=1, le=50, unit="pairs", description="pairs shown, the first of the plan")
    images: int = parameter(4, ge=1, le=20, unit="images", description="mixed images of each pair, the first ones")

    def needs(self) -> frozenset[str]:
        """Name the generator, and of the row its plan and its images."""
        return frozenset({"generator", "plan", "synthesis"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``columns.npy`` (uint8 [pair, image, column, S, S, 3]) and ``rows.csv``; draw one panel for each pair.

        Raises:
            FaceassayError: when the images of the row are not made from pairs, or the generator knows other classes.
        """
        require_label_space(sources)
        stored = sources.open("plan")
        rows = _first_rows(stored.plan.sources, self.pairs, self.images)
        classes = stored.plan.sources[rows]
        made = self._reproduced(sources, classes, stored.noise[rows])
        photographs = _photographs(sources.real, classes)
        mixed = sources.synthesis.images(rows.ravel()).reshape(*rows.shape, *made.shape[3:])
        parts = [photographs[:, :, 0], made[:, :, 0], mixed, made[:, :, 1], photographs[:, :, 1]]
        columns = np.stack(parts, axis=2)
        names = [[sources.real.identities[k] for k in pair] for pair in classes[:, 0]]
        np.save(run.folder / "columns.npy", columns)
        with (run.folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file)
            written.writerow(["row", "first", "second"])
            written.writerows([row, *pair] for of_pair, pair in zip(rows, names, strict=True) for row in of_pair)
        return self._drawn(columns, names)

    def _reproduced(self, sources: Sources, classes: IntArray, noise: NDArray[np.uint64]) -> ImageBatch:
        """Return the images of each class of ``classes`` [P, R, 2] from the noise of its row: [P, R, 2, S, S, 3]."""
        from faceassay_plugins.augmentations.repro import Repro

        flat = classes.reshape(-1, 1)
        method = Repro.model_validate(self.sampling_parameters())
        images = rendered(method, sources, flat, np.ones(flat.shape), noise.ravel().repeat(2))
        return images.reshape(*classes.shape, *images.shape[1:])

    def _drawn(self, columns: ImageBatch, names: list[list[str]]) -> Drawing:
        abreast = min(ABREAST, len(columns))
        down = math.ceil(len(columns) / abreast)
        drawing = blank(abreast * (len(COLUMNS) * CELL + 0.4), down * (columns.shape[1] * CELL + 0.6) + 0.5)
        panels = drawing.subplots(down, abreast, squeeze=False).ravel()
        for axes, images, pair in zip(panels, columns, names, strict=False):
            show_tiles(axes, images, [], COLUMNS)
            axes.set_title(" and ".join(pair))
            axes.tick_params(labelsize=8)
        for axes in panels[len(columns) :]:
            axes.set_axis_off()
        made = f"Reproduced with {self.steps} steps and guidance {self.guidance:g}"
        write_caption(drawing, f"{made}, each from the noise of the mixed image beside it.")
        return drawing


def _first_rows(made_from: IntArray, pairs: int, images: int) -> IntArray:
    """Return the first rows of the first pairs, int64 [P, R]; of all pairs as many as the one that has fewest."""
    if made_from.shape[1] != 2:
        raise FaceassayError(
            f"mixing-columns shows what is made from two classes, the images of this row are made from "
            f"{made_from.shape[1]}: choose another row with --method"
        )
    rows: dict[tuple[int, ...], list[int]] = {}
    for row, pair in enumerate(made_from.tolist()):
        rows.setdefault(tuple(pair), []).append(row)
    chosen: Any = list(rows.values())[:pairs]
    fewest = min(images, *map(len, chosen))
    return np.array([of_pair[:fewest] for of_pair in chosen], dtype=np.int64)


def _photographs(real: FaceDataset, classes: IntArray) -> ImageBatch:
    """Return real images of the classes [P, R, 2], the first R of each, from the start again where it has fewer."""
    index = np.empty_like(classes)
    for pair, side in np.ndindex(classes.shape[0], 2):
        members = np.flatnonzero(real.labels == classes[pair, 0, side])
        index[pair, :, side] = np.resize(members, classes.shape[1])
    images = real.images(index.ravel())
    return images.reshape(*classes.shape, *images.shape[1:])
