"""Measure the images of a synthesis beside the real training images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.contracts import FaceDataset, ImageBatch, Sources, StageContext
from faceassay.quality import ImageQuality, face_finder, nearest_distances

SAMPLE = 2000
"""Images measured at most, evenly spread over the set."""


def run(plugin: ImageQuality, sources: Sources, context: StageContext) -> None:
    """Measure and write ``quality.json`` and the distances of every measured image."""
    real, synthetic = _sample(sources.real), _sample(sources.synthesis)
    to_training = nearest_distances(synthetic, real)
    among_real = nearest_distances(real, real, same=True)
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


def _sample(data: FaceDataset) -> ImageBatch:
    return data.images(np.unique(np.linspace(0, len(data) - 1, min(SAMPLE, len(data))).astype(np.int64)))


def _quantiles(distances: Any) -> dict[str, float]:
    low, middle = np.quantile(distances, [0.05, 0.5])
    return {"minimum": float(distances.min()), "q05": float(low), "median": float(middle)}


def _found(find: Callable[[ImageBatch], Any] | None, images: ImageBatch) -> int | None:
    return None if find is None else int(find(images).sum())
