"""Embed the images of a set by one recognizer, once for all that is measured on them, and hash their pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from faceassay.assessment import Assessment
from faceassay.contracts import DataError, FaceImages, FloatArray, ImageBatch, IntArray, Sources, StageContext
from faceassay.identity import BATCH, NAMED, require_size, unit_rows


@dataclass(frozen=True, eq=False)
class Embedded:
    """Hold what was read of N images.

    Attributes:
        vectors: unit embeddings, float32 [N, d], memory-mapped.
        pixels: sha256 of each image's pixels, uint8 [N, 32].
    """

    vectors: FloatArray
    pixels: NDArray[np.uint8]


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Embed ``images``, a set or a pack, and write ``vectors.npy`` and ``pixels.npy``, few images being in memory.

    Raises:
        FaceassayError: when the images have another size than the recognizer takes.
        DataError: when an embedding is zero or not finite, naming the images.
    """
    images, recognizer = sources.open("images"), sources.recognizer
    require_size(recognizer.image_size, images.image_size)
    pixels, vectors = np.empty((len(images), 32), np.uint8), np.empty((0, 0), np.float32)
    for start in range(0, len(images), BATCH):
        rows = np.arange(start, min(start + BATCH, len(images)))
        batch = images.images(rows)
        embedded = _unit(recognizer.embed(batch), images, rows)
        if start == 0:
            shape = (len(images), embedded.shape[1])
            vectors = open_memmap(context.folder / "vectors.npy", "w+", dtype=np.float32, shape=shape)
        vectors[rows], pixels[rows] = embedded, _hashed(batch)
        context.progress(len(rows) + start, len(images))
    vectors.flush()  # type: ignore[attr-defined]  # open_memmap's arrays have it
    np.save(context.folder / "pixels.npy", pixels)


def load(plugin: Assessment, folder: Path, device: str) -> Embedded:
    """Open stored embeddings."""
    return Embedded(np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "pixels.npy"))


def _unit(embeddings: FloatArray, images: FaceImages, rows: IntArray) -> FloatArray:
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    useless = rows[~(np.isfinite(lengths) & (lengths > 0))]
    if len(useless):
        names = [*getattr(images, "item_ids", getattr(images, "names", ()))]
        named = ", ".join(f"{row} ({names[row]})" if names else str(row) for row in useless[:NAMED])
        raise DataError(f"the embedding of image {named} is zero or not finite: it has no direction")
    return unit_rows(embeddings, "embedding of image")


def _hashed(batch: ImageBatch) -> NDArray[np.uint8]:
    digests = b"".join(hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in batch)
    return np.frombuffer(digests, np.uint8).reshape(len(batch), 32)
