"""Own the figure of a search for two weights: what was measured in every cell of the grid (AugGen)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceassayError, Figure, Sources, StageContext
from faceassay.drawing import COLOURS
from faceassay_plugins.figures.panels import ALPHA, BETA, blank, frame_tiles, write_caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MEASURES = {
    "m_s": "m_s: alike among themselves",
    "m_d": "m_d: unlike their sources",
    "m_total": "m_total = m_s + m_d",
}


class SearchHeatmap(Figure):
    """Show what a row's search for alpha and beta measured, which cells its guard refused, and what it chose."""

    name: ClassVar[str] = "search-heatmap"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "AugGen's search: m_s, m_d and m_total over alpha and beta"
    paper: ClassVar[str | None] = "AugGen: the search for alpha and beta"

    def needs(self) -> frozenset[str]:
        """Name the row's search."""
        return frozenset({"search"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``cells.csv``, one line for each alpha and beta; draw one panel for each measure.

        Raises:
            FaceassayError: when the search is not one for alpha and beta.
        """
        document = sources.search
        grid = _Grid(document)
        with (run.folder / "cells.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.DictWriter(file, ["alpha", "beta", *MEASURES, "refused"], extrasaction="ignore")
            written.writeheader()
            written.writerows(document["cells"])
        drawing = blank(11.5, 4)
        for axes, (measure, title) in zip(drawing.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
            _panel(axes, grid, measure)
            axes.set_title(title, fontsize=10.5)
        write_caption(drawing, grid.in_words())
        return drawing


class _Grid:
    """Read the document of a search; a cell holds both orders of its weights, so the grid is symmetric."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        try:
            self.chosen = document["alpha"], document["beta"]
            self.cells: Sequence[Mapping[str, Any]] = document["cells"]
            self.weights = sorted({cell[name] for cell in self.cells for name in ("alpha", "beta")})
        except (KeyError, TypeError) as error:
            raise FaceassayError(
                f"the search of this row is not one for alpha and beta ({error} is missing)"
            ) from error

    def table(self, measure: str) -> NDArray[np.float64]:
        """Return a measure, float64 [beta, alpha]; NaN where there is no cell."""
        table = np.full((len(self.weights), len(self.weights)), np.nan)
        for cell in self.cells:
            for place in self.places(cell):
                table[place] = cell[measure]
        return table

    def places(self, cell: Mapping[str, Any]) -> list[tuple[int, int]]:
        """Return where a cell stands, row and column."""
        alpha, beta = (self.weights.index(cell[name]) for name in ("alpha", "beta"))
        return sorted({(beta, alpha), (alpha, beta)})

    def won(self) -> list[tuple[int, int]]:
        """Return where the chosen cell stands."""
        return self.places(dict(zip(("alpha", "beta"), self.chosen, strict=True)))

    def refused(self) -> list[tuple[int, int]]:
        """Return where the guard said no."""
        return [place for cell in self.cells if cell["refused"] for place in self.places(cell)]

    def in_words(self) -> str:
        """Return what the picture shows."""
        rim = {self.weights[0], self.weights[-1]}.intersection(self.chosen)
        where = "on the rim of the grid: the maximum may lie outside" if rim else "inside the grid"
        refused = f" Hatched: refused by the guard ({len(self.refused())} cells)." if self.refused() else ""
        alpha, beta = self.chosen
        return f"Framed: chosen, {ALPHA} = {alpha:g} and {BETA} = {beta:g}, {where}. Both orders are averaged.{refused}"


def _panel(axes: Axes, grid: _Grid, measure: str) -> None:
    from matplotlib.patches import Rectangle

    shown = axes.imshow(grid.table(measure), cmap="viridis", origin="lower")
    for row, column in grid.refused():
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="///", edgecolor="white", linewidth=0))
    frame_tiles(axes, grid.won(), COLOURS[1])
    labels = [f"{weight:g}" for weight in grid.weights]
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set(xlabel=ALPHA, ylabel=BETA)
    axes.figure.colorbar(shown, ax=axes, shrink=0.8)
