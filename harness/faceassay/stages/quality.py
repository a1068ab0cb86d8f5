"""Measure the images of a synthesis beside the real training images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceDataset, ImageBatch, IntArray, Sources, StageContext
from faceassay.quality import ImageQuality, face_finder, nearest_distances

SAMPLE = 2000
"""Images measured at most, evenly spread over the set; each is compared with every training image."""
BLOCK = 512
"""Training images held in memory together."""


def run(plugin: ImageQuality, sources: Sources, context: StageContext) -> None:
    """Measure and write ``quality.json`` and the distances of every measured image."""
    own = _sample(sources.real)
    real, synthetic = sources.real.images(own), sources.synthesis.images(_sample(sources.synthesis))
    to_training = _nearest(synthetic, sources.real)
    among_real = _nearest(real, sources.real, own)
    np.save(context.folder / "nearest_training.npy", to_training)
    np.save(context.folder / "nearest_among_real.npy", among_real)
    find = face_finder(plugin.face_score) if plugin.find_faces else None
    document = {
        "images": len(synthetic),
        "real_images": len(real),
        "nearest_training": _quantiles(to_training),
        "nearest_among_real": _quantiles(among_real),
        "faces": _found(find, synthetic),
        "faces_real": _found(find, real),
    }
    (context.folder / "quality.json").write_text(json.dumps(document, indent=1))


def load(plugin: ImageQuality, folder: Path, device: str) -> dict[str, Any]:
    """Open the measures."""
    document: dict[str, Any] = json.loads((folder / "quality.json").read_text())
    return document


def _sample(data: FaceDataset) -> IntArray:
    return np.unique(np.linspace(0, len(data) - 1, min(SAMPLE, len(data))).astype(np.int64))


def _nearest(images: ImageBatch, data: FaceDataset, own: IntArray | None = None) -> NDArray[np.float64]:
    nearest = np.full(len(images), np.inf)
    for start in range(0, len(data), BLOCK):
        block = data.images(np.arange(start, min(start + BLOCK, len(data))))
        distances = nearest_distances(images, block, own=None if own is None else own - start)
        nearest = np.minimum(nearest, distances)
    return nearest


def _quantiles(distances: Any) -> dict[str, float]:
    low, middle = np.quantile(distances, [0.05, 0.5])
    return {"minimum": float(distances.min()), "q05": float(low), "median": float(middle)}


def _found(find: Callable[[ImageBatch], Any] | None, images: ImageBatch) -> int | None:
    return None if find is None else int(find(images).sum())
