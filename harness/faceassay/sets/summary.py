"""Own the summary of a set: how many images of whom. What the images hold is known to ``contents``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from faceassay.contracts import FaceDataset, IntArray
from faceassay.datasets import evenly_chosen

_MARGIN = 120
_LETTERS = 18


def quartiles(counts: IntArray) -> tuple[float, ...]:
    """Return minimum, first quartile, median, third quartile and maximum."""
    return tuple(float(value) for value in np.quantile(counts, (0, 0.25, 0.5, 0.75, 1)))


def histogram(counts: IntArray) -> dict[str, int]:
    """Return how many counts lie from each power of two to below the next, from the first to the last that occur."""
    powers = np.frexp(np.maximum(counts, 1))[1] - 1
    return {_from_to(power): int((powers == power).sum()) for power in range(int(powers.min()), int(powers.max()) + 1)}


def contact_sheet(data: FaceDataset, identities: int = 10, images: int = 8) -> Image.Image:
    """Return a picture of evenly chosen images (columns) of evenly chosen identities (rows, with their names)."""
    labels = evenly_chosen(np.arange(len(data.identities), dtype=np.int64), identities)
    side = data.image_size
    sheet = Image.new("RGB", (_MARGIN + images * side, len(labels) * side), "white")
    for line, label in enumerate(labels.tolist()):
        rows = evenly_chosen(np.flatnonzero(data.labels == label).astype(np.int64), images)
        _name(sheet, data.identities, label, line * side)
        for place, pixels in enumerate(data.images(rows)):
            sheet.paste(Image.fromarray(pixels), (_MARGIN + place * side, line * side))
    return sheet


def _name(sheet: Image.Image, identities: Sequence[str], label: int, top: int) -> None:
    name = identities[label].encode("ascii", "replace").decode()
    ImageDraw.Draw(sheet).text((4, top + 4), name[:_LETTERS], fill="black")


def _from_to(power: int) -> str:
    first, last = 2**power, 2 ** (power + 1) - 1
    return str(first) if first == last else f"{first}-{last}"
