"""Draw a figure and keep it as PNG and SVG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from faceassay.contracts import Figure, Sources, StageContext
from faceassay.drawing import NO_METADATA, SETTINGS

FORMATS = ("png", "svg")
DATA = "data"
DOTS_PER_INCH = 150


def run(plugin: Figure, sources: Sources, context: StageContext) -> None:
    """Draw and write ``figure.png`` and ``figure.svg``; what the figure itself writes is kept in ``data``."""
    import matplotlib

    data = context.folder / DATA
    data.mkdir()
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": "faceassay"}):
        drawing = plugin.draw(sources, replace(context, folder=data))
        for kind in FORMATS:
            path = context.folder / f"figure.{kind}"
            drawing.savefig(path, dpi=DOTS_PER_INCH, metadata=NO_METADATA[kind])
    if "generator" in sources:
        context.count_evaluations(sources.generator.evaluations)


def load(plugin: Figure, folder: Path, device: str) -> list[Path]:
    """Return the files, pictures first."""
    return [*(folder / f"figure.{kind}" for kind in FORMATS), *sorted((folder / DATA).glob("*"))]
