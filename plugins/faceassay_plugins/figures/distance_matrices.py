"""Own the figure of the distances of all classes in two spaces side by side (ScoreMix, figure 7)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Figure, Sources, StageContext, parameter
from faceassay.datasets import evenly_chosen
from faceassay_plugins.augmentations.strategies import class_centres, condition_vectors
from faceassay_plugins.figures.panels import blank, write_caption
from faceassay_plugins.selection.distances import all_distances, checked_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SHIFTED = -1.0
"""What the paper puts in place of the distance 0 of a class to itself (appendix B)."""
TITLES = {"embedding": "Class centres E of the recognizer", "condition": "Condition vectors C of the generator"}


class DistanceMatrices(Figure):
    """Show the cosine distances between classes by recognizer and by generator, classes in the same order."""

    name: ClassVar[str] = "distance-matrices"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Distances of all classes by recognizer and by generator (ScoreMix, figure 7)"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), appendix B and figure 7"

    classes: int = parameter(
        1000, ge=2, le=5000, unit="classes", description="classes shown at most; of more an even choice"
    )

    def needs(self) -> frozenset[str]:
        """Name both models."""
        return frozenset({"generator", "recognizer"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``embedding.npy``, ``condition.npy`` (float64 [L, L]) and ``classes.json``; draw both matrices.

        Raises:
            FaceassayError: when a model has no vector for each class.
        """
        spaces = {"embedding": class_centres(sources), "condition": condition_vectors(sources)}
        names = sources.real.identities
        chosen = evenly_chosen(np.arange(len(names)), self.classes)
        matrices = {space: shifted_distances(vectors[chosen]) for space, vectors in spaces.items()}
        for space, matrix in matrices.items():
            np.save(run.folder / f"{space}.npy", matrix)
        (run.folder / "classes.json").write_text(json.dumps([names[k] for k in chosen]))
        all_of_them = len(chosen) == len(names)
        shown = f"{len(names):,}" if all_of_them else f"{len(chosen):,} of {len(names):,} classes, evenly chosen"
        return _drawn(matrices, f"Cosine distances of {shown}" + (" classes" if all_of_them else ""))


def shifted_distances(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine distances of all rows, float64 [L, L], and -1 on the diagonal (ScoreMix, appendix B)."""
    from scipy.spatial.distance import squareform

    distances: NDArray[np.float64] = squareform(all_distances(checked_rows(vectors, "cosine"), "cosine"))
    np.fill_diagonal(distances, SHIFTED)
    return distances


def _drawn(matrices: Mapping[str, NDArray[np.float64]], heading: str) -> Drawing:
    from matplotlib.ticker import MaxNLocator

    drawing = blank(10.2, 5.6)
    drawing.suptitle(heading, fontweight="bold")
    panels = drawing.subplots(1, len(matrices), sharex=True, sharey=True)
    farthest = max(matrix.max() for matrix in matrices.values())
    for axes, (space, matrix) in zip(panels, matrices.items(), strict=True):
        shown = axes.imshow(matrix, cmap="viridis", vmin=SHIFTED, vmax=farthest)
        axes.set_title(TITLES[space])
        axes.set_xlabel("class")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("class")
    drawing.colorbar(shown, ax=panels, shrink=0.8, label="cosine distance", pad=0.01)
    write_caption(drawing, "The distance of a class to itself is drawn as -1. Classes are in the same order.")
    return drawing
