"""Find the nearest training image of every image of a set, and show the closest pairs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.assessment import Assessment
from faceassay.assessment.neighbours import closest, nearest, shared_rows
from faceassay.contracts import FaceDataset, FloatArray, ImageBatch, IntArray, Sources, StageContext
from faceassay.quality import nearest as nearest_pixels

PAIRS = 8
"""Closest pairs that are kept with their pixels."""
NAMED = 5


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Hold the nearest training image of each of N images.

    Attributes:
        cosines: float32 [N]; NaN where there is none.
        rows: which it is, int64 [N], -1 for none.
        copies: images whose pixels are those of a training image.
        pairs: of each of the closest pairs the names, cosine and root mean square pixel difference; and names of
            copies.
        pictures: the images of the pairs, uint8 [K, 2, S, S, 3], the image of the set first.
    """

    cosines: FloatArray
    rows: IntArray
    copies: int
    copied: tuple[str, ...]
    pairs: list[dict[str, Any]]
    pictures: NDArray[np.uint8]


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Compare ``images`` with ``real`` by ``embedding`` and ``real_embedding`` and write what ``Neighbours`` holds.

    Without ``images`` the training images themselves are compared with those of other identities; they are no copies.
    """
    own, real, theirs = "images" not in sources, sources.real, sources.open("real_embedding")
    images, mine = (real, theirs) if own else (sources.open("images"), sources.open("embedding"))
    groups, others = (images.labels, real.labels) if own else (None, None)
    found = nearest(mine.vectors, theirs.vectors, groups, others, context.progress)
    chosen = closest(found.cosines, PAIRS)
    first, second = images.images(chosen), real.images(found.rows[chosen])
    copies = [] if own else shared_rows(mine.pixels, theirs.pixels)
    document = {
        "copies": len(copies),
        "copied": [f"{images.item_ids[row]} = {real.item_ids[other]}" for row, other in copies[:NAMED]],
        "pairs": _described(images, real, chosen, found.rows[chosen], found.cosines[chosen], first, second),
    }
    np.save(context.folder / "cosines.npy", found.cosines)
    np.save(context.folder / "rows.npy", found.rows)
    np.save(context.folder / "pictures.npy", np.stack([first, second], axis=1))
    (context.folder / "neighbours.json").write_text(json.dumps(document, indent=1))


def load(plugin: Assessment, folder: Path, device: str) -> Neighbours:
    """Open stored neighbours."""
    told = json.loads((folder / "neighbours.json").read_text())
    cosines, rows, pictures = (np.load(folder / f"{name}.npy") for name in ("cosines", "rows", "pictures"))
    return Neighbours(cosines, rows, told["copies"], tuple(told["copied"]), told["pairs"], pictures)


def _described(
    images: FaceDataset, real: FaceDataset, rows: IntArray, others: IntArray, cosines: FloatArray,
    first: ImageBatch, second: ImageBatch,
) -> list[dict[str, Any]]:  # fmt: skip
    differences = [float(nearest_pixels(a[None], b[None]).distances[0]) for a, b in zip(first, second, strict=True)]
    return [
        {
            "image": images.item_ids[row],
            "identity": images.identities[images.labels[row]],
            "training_image": real.item_ids[other],
            "training_identity": real.identities[real.labels[other]],
            "cosine": float(cosine),
            "pixel_difference": difference,
        }
        for row, other, cosine, difference in zip(rows, others, cosines, differences, strict=True)
    ]
