"""Own the figures of a report: image panels and curves, as bytes that are the same for the same results."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from faceassay.contracts import Curve, FaceDataset, ImageBatch
from faceassay.datasets import evenly_chosen
from faceassay.drawing import COLOURS, NO_METADATA, SETTINGS

PANEL_IMAGES = 12
"""Images shown of each set, evenly spread over it."""
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))
"""The line style changes when the colours are used up."""
LEGEND_COLUMN = 28
"""Characters that a column of the legend has room for, at three columns."""


def panel_images(data: FaceDataset) -> tuple[ImageBatch, list[str]]:
    """Return some images of ``data``, evenly spread, with the names of their identities."""
    index = evenly_chosen(np.arange(len(data)), PANEL_IMAGES)
    return data.images(index), [data.identities[data.labels[i]] for i in index]


def png_address(image: np.ndarray) -> str:
    """Return an image as a data address for HTML: uint8 [H, W, 3] to PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=False)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def curves_svg(curves: Sequence[tuple[str, Sequence[Curve]]], heading: str) -> str:
    """Return one plot of the curves of several methods, a thin line for each seed, as inline SVG.

    Args:
        curves: (method, its curve at each seed); a method keeps its colour also where others have no curves, so give
            those with none as well. The line of seed number ``s`` of method number ``m`` has the id ``PLOT-curve_m_s``.
        heading: the title of the plot.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": heading}):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.subplots()
        for number, (method, of_seeds) in enumerate(curves):
            _draw(axes, number, method, of_seeds)
        first = next(curve for _, of_seeds in curves for curve in of_seeds)
        if first.log_x:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        elif np.array_equal(first.x, np.rint(first.x)):
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
        axes.set(xlabel=first.x_label, ylabel=first.y_label, title=heading)
        axes.grid(visible=True, color="#e3e5e8", lw=0.7)
        axes.set_axisbelow(True)
        columns = 3 if max(len(method) for method, _ in curves) < LEGEND_COLUMN else 2
        figure.legend(loc="outside lower center", ncols=min(columns, len(curves)), fontsize=9, frameon=False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=NO_METADATA["svg"])
    return _inline(stream.getvalue(), heading)


def _draw(axes: Any, number: int, method: str, of_seeds: Sequence[Curve]) -> None:
    style = {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number // len(COLOURS) % len(DASHES)], "lw": 1.3}
    for seed, curve in enumerate(of_seeds):
        label = method if seed == 0 else None
        axes.step(curve.x, curve.y, where="post", label=label, gid=f"curve_{number}_{seed}", **style)


def _inline(document: str, heading: str) -> str:
    """Return the SVG element alone, readable as one image, its ids unlike those of other plots on the page."""
    _, start, rest = document.partition("<svg")
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", heading)
    rest = re.sub(r' id="([a-z][a-z0-9.]*(?:_\d+)+)"', rf' id="{prefix}-\1"', rest)
    return f'{start} role="img" aria-label="{html.escape(heading)}"{rest}'
