"""Own the figures of a report: image panels and curves, as bytes that are the same for the same results."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from faceassay.contracts import Curve, FaceDataset, ImageBatch

PANEL_IMAGES = 12
"""Images shown of each set, evenly spread over it."""


def panel_images(data: FaceDataset) -> tuple[ImageBatch, list[str]]:
    """Return some images of ``data``, evenly spread, with the names of their identities."""
    index = np.unique(np.linspace(0, len(data) - 1, min(PANEL_IMAGES, len(data))).astype(np.int64))
    return data.images(index), [data.identities[data.labels[i]] for i in index]


def png_address(image: np.ndarray) -> str:
    """Return an image as a data address for HTML: uint8 [H, W, 3] to PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=False)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def curves_svg(curves: Sequence[tuple[str, Sequence[Curve]]], heading: str) -> str:
    """Return one plot of the curves of several methods, a thin line for each seed, as inline SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "faceassay", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        colours = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]
        for number, (name, of_seeds) in enumerate(curves):
            for seed, curve in enumerate(of_seeds):
                label = name if seed == 0 else None
                axes.step(curve.x, curve.y, where="post", color=colours[number % 10], lw=1.1, label=label)
        first = curves[0][1][0]
        axes.set_xscale("log" if first.log_x else "linear")
        axes.set(xlabel=first.x_label, ylabel=first.y_label, title=heading)
        axes.grid(visible=True, alpha=0.25)
        axes.legend(fontsize=8, frameon=False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue().partition("<svg")[1] + stream.getvalue().partition("<svg")[2]
