"""Own how figures lay out images: tiles in rows and columns, frames around some of them, a caption below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceassay.contracts import ImageBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

CELL = 0.75
"""Side of a tile in inches: at 150 dots per inch an image of 112 px is shown pixel by pixel."""
CHARACTERS = 15
"""Characters of a caption that an inch has room for."""
WHITE = 255
ALPHA, BETA = "\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER BETA}"


def blank(width: float, height: float) -> Drawing:
    """Return an empty drawing of so many inches."""
    from matplotlib.figure import Figure as Drawing

    return Drawing(figsize=(width, height), layout="constrained")


def tiled(images: ImageBatch) -> ImageBatch:
    """Return one image, uint8 [H, W, 3], of tiles [R, C, S, S, 3] with white between them."""
    rows, columns, side = images.shape[:3]
    gap = _gap(side)
    padded = np.pad(images, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=WHITE)
    whole = padded.transpose(0, 2, 1, 3, 4).reshape(rows * (side + gap), columns * (side + gap), 3)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def show_tiles(axes: Axes, images: ImageBatch, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Show tiles [R, C, S, S, 3]; tile (r, c) is centred at the point (c, r) and labelled at its row and column."""
    whole = tiled(images)
    pitch = images.shape[2] + _gap(images.shape[2])
    half, height, width = images.shape[2] / pitch / 2, whole.shape[0] / pitch, whole.shape[1] / pitch
    axes.imshow(whole, extent=(-half, width - half, height - half, -half))
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def frame_tiles(axes: Axes, tiles: Iterable[tuple[int, int]], colour: str) -> None:
    """Draw a frame around the tiles at these rows and columns."""
    from matplotlib.patches import Rectangle

    for row, column in tiles:
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=colour, linewidth=2, clip_on=False))


def write_caption(drawing: Drawing, text: str) -> None:
    """Write some sentences below everything else."""
    lines = textwrap.wrap(text, int(drawing.get_figwidth() * CHARACTERS))
    drawing.supxlabel("\n".join(["", *lines]), x=0.01, ha="left", fontsize=8.5)


def _gap(side: int) -> int:
    return max(1, side // 14)
