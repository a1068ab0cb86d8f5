"""Own the figure of how near a row's images are to training images, beside photographs among themselves."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Figure, ImageBatch, IntArray, Sources, StageContext, parameter
from faceassay.datasets import evenly_chosen
from faceassay.drawing import COLOURS
from faceassay.quality import SAMPLE, nearest_in
from faceassay_plugins.figures.panels import CELL, blank, show_tiles, write_caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

CURVES = {"synthetic": "synthetic images to training images", "real": "photographs to other photographs"}


class Memorisation(Figure):
    """Show how near synthetic images are to the nearest training image, and the pairs that are nearest.

    A measure beside the same measure on real images: neither proves that something was memorised, nor that not.
    """

    name: ClassVar[str] = "memorisation"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Distances of synthetic images to the nearest training image, and the nearest pairs"

    closest: int = parameter(8, ge=1, le=40, unit="pairs", description="nearest pairs shown as images")

    def needs(self) -> frozenset[str]:
        """Name the row's images."""
        return frozenset({"synthesis"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``synthetic.npy``, ``real.npy`` (distances, float64 [N]) and ``closest.csv``; draw curves and pairs."""
        real, synthesis = sources.real, sources.synthesis
        chosen, own = (evenly_chosen(np.arange(len(data)), SAMPLE) for data in (synthesis, real))
        images = synthesis.images(chosen)
        training = np.arange(len(real))
        nearest, among = nearest_in(images, real, training), nearest_in(real.images(own), real, training, own)
        distances = {"synthetic": nearest.distances, "real": among.distances}
        for name, values in distances.items():
            np.save(run.folder / f"{name}.npy", values)
        first = np.argsort(nearest.distances, kind="stable")[: self.closest]
        pairs = _Pairs(first, nearest.rows[first], nearest.distances[first])
        with (run.folder / "closest.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file)
            written.writerow(["synthetic", "training", "distance"])
            written.writerows(
                [synthesis.item_ids[chosen[i]], real.item_ids[j], distance] for i, j, distance in pairs.listed()
            )
        return _drawn(distances, np.stack([images[first], real.images(pairs.training)]), pairs.distances)


@dataclass(frozen=True)
class _Pairs:
    """The nearest pairs: rows among the images compared, training images, distances, each [K]."""

    synthetic: IntArray
    training: IntArray
    distances: NDArray[np.float64]

    def listed(self) -> list[tuple[int, int, float]]:
        return list(zip(self.synthetic, self.training, self.distances.tolist(), strict=True))


def _drawn(distances: dict[str, NDArray[np.float64]], pairs: ImageBatch, apart: NDArray[np.float64]) -> Drawing:
    width = max(6.4, pairs.shape[1] * CELL + 1.2)
    drawing = blank(width, 3.2 + 2 * CELL + 1)
    above, below = drawing.subplots(2, 1, height_ratios=[3, 2 * CELL + 0.3])
    _curves(above, distances)
    show_tiles(below, pairs, ["synthetic", "training"], [f"{distance:.1f}" for distance in apart])
    below.set_title("The nearest pairs")
    medians = {name: f"{np.median(values):.1f}" for name, values in distances.items()}
    write_caption(
        drawing,
        f"Median: synthetic {medians['synthetic']}, photographs {medians['real']}. {len(distances['synthetic']):,} "
        f"synthetic images and {len(distances['real']):,} photographs, each compared with every training image but "
        "itself.",
    )
    return drawing


def _curves(axes: Axes, distances: dict[str, NDArray[np.float64]]) -> None:
    for (name, values), colour, dashes in zip(distances.items(), COLOURS[1::-1], ("-", "--"), strict=True):
        axes.ecdf(values[np.isfinite(values)], label=CURVES[name], color=colour, ls=dashes)
    axes.set(xlabel="distance to the nearest (root mean square, grey levels)", ylabel="share of images", ylim=(0, 1.01))
    axes.set_title("How near is the nearest training image")
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="upper left")
