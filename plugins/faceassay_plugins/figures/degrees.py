"""Own the figure of how often a row's plan uses each real class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from faceassay.contracts import FaceassayError, Figure, IntArray, Sources, StageContext
from faceassay.drawing import COLOURS
from faceassay_plugins.figures.panels import blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

MANY_CLASSES = 200
"""From so many on the counts are drawn on a logarithmic axis: a few classes are used very often."""


class Degrees(Figure):
    """Show how many synthetic identities each real class is a source of, in a row's plan.

    The farthest or closest pairs of all, taken without a limit, may use a few classes over and over.
    """

    name: ClassVar[str] = "degrees"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "How many synthetic identities each real class is a source of"

    def needs(self) -> frozenset[str]:
        """Name the row's plan."""
        return frozenset({"plan"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``degrees.npy`` (int64 [L]); draw their histogram.

        Raises:
            FaceassayError: when the images of the row are not made from classes.
        """
        degrees: IntArray | None = sources.open("plan").degrees
        if degrees is None:
            raise FaceassayError("the plan of this row names no classes that its images are made from")
        np.save(run.folder / "degrees.npy", degrees)
        return _drawn(degrees)


def _drawn(degrees: IntArray) -> Drawing:
    from matplotlib.ticker import MaxNLocator

    drawing = blank(6.4, 4)
    axes = drawing.subplots()
    counts = np.bincount(degrees)
    axes.bar(np.arange(len(counts)), counts, width=1, color=COLOURS[0], edgecolor="white", lw=0.5)
    unused = f"{100 * (degrees == 0).mean():.1f} % of {len(degrees):,} classes never used"
    axes.set_title(f"{unused}, largest degree {degrees.max()}")
    axes.set(xlabel="synthetic identities that a class is a source of", ylabel="classes")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if len(degrees) >= MANY_CLASSES:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylim(0.5, None)
    return drawing
