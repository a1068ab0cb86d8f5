"""Measure the images of a synthesis beside the real training images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.contracts import ImageBatch, Sources, StageContext
from faceassay.datasets import evenly_chosen
from faceassay.detection import face_finder
from faceassay.quality import SAMPLE, ImageQuality, nearest_in, quantiles


def run(plugin: ImageQuality, sources: Sources, context: StageContext) -> None:
    """Measure and write ``quality.json`` and the distances of every measured image."""
    own, chosen = (evenly_chosen(np.arange(len(data)), SAMPLE) for data in (sources.real, sources.synthesis))
    real, synthetic = sources.real.images(own), sources.synthesis.images(chosen)
    training = np.arange(len(sources.real))
    to_training = nearest_in(synthetic, sources.real, training).distances
    among_real = nearest_in(real, sources.real, training, own).distances
    np.save(context.folder / "nearest_training.npy", to_training)
    np.save(context.folder / "nearest_among_real.npy", among_real)
    find = face_finder(plugin.face_score) if plugin.find_faces else None
    document = {
        "images": len(synthetic),
        "real_images": len(real),
        "nearest_training": quantiles(to_training),
        "nearest_among_real": quantiles(among_real),
        "faces": _found(find, synthetic),
        "faces_real": _found(find, real),
    }
    (context.folder / "quality.json").write_text(json.dumps(document, indent=1))


def load(plugin: ImageQuality, folder: Path, device: str) -> dict[str, Any]:
    """Open the measures."""
    document: dict[str, Any] = json.loads((folder / "quality.json").read_text())
    return document


def _found(find: Callable[[ImageBatch], Any] | None, images: ImageBatch) -> int | None:
    return None if find is None else int(find(images).sum())
