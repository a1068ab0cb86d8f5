"""Embed a benchmark's images once per recognizer, plain and mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceassay.contracts import EvaluationProtocol, Features, FloatArray, Sources, StageContext

BATCH = 64
"""Images embedded together: fixed, because the bytes of a batch depend on its size."""


def run(plugin: EvaluationProtocol, sources: Sources, context: StageContext) -> None:
    """Embed and write ``embeddings.npy`` and ``flipped.npy``, float32 [N, d], raw."""
    images = plugin.images(sources.open("data"))
    plain: list[FloatArray] = []
    mirrored: list[FloatArray] = []
    for start in range(0, len(images), BATCH):
        batch = images.images(np.arange(start, min(start + BATCH, len(images))))
        plain.append(sources.recognizer.embed(batch))
        mirrored.append(sources.recognizer.embed(np.ascontiguousarray(batch[:, :, ::-1])))
        context.progress(start + len(batch), len(images))
    np.save(context.folder / "embeddings.npy", np.concatenate(plain))
    np.save(context.folder / "flipped.npy", np.concatenate(mirrored))


def load(plugin: EvaluationProtocol, folder: Path, device: str) -> Features:
    """Open stored embeddings."""
    return Features(np.load(folder / "embeddings.npy"), np.load(folder / "flipped.npy"))
