"""Own identity as a recognizer sees it: unit embeddings of images, and who can be looked through for a gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import (
    DataError,
    DifferentiableRecognizer,
    FaceassayError,
    FaceImages,
    FittedRecognizer,
    FloatArray,
    IntArray,
)

BATCH = 64
"""Images embedded together: fixed, because the bytes of a batch depend on its size."""
NAMED = 10


def unit_rows(vectors: NDArray[np.floating], what: str, numbers: IntArray | None = None) -> FloatArray:
    """Return vectors [N, d] scaled to length one, float32; the length is taken in float64.

    Args:
        vectors: any lengths above 0.
        what: what a row is, for the message.
        numbers: what the rows are called in the message, int64 [N]; 0 to N - 1 by default.

    Raises:
        DataError: when they are not [N, d], or a row is zero or not finite (names the rows).
    """
    if vectors.ndim != 2:
        raise DataError(f"{what}s {vectors.shape} must be [N, d]")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    useless = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if len(useless):
        called = np.arange(len(vectors)) if numbers is None else numbers
        named = ", ".join(f"{called[row]} (length {lengths[row, 0]:g})" for row in useless[:NAMED])
        more = f" and {len(useless) - NAMED} more" if len(useless) > NAMED else ""
        raise DataError(f"{what} {named}{more}: zero or not finite, it has no direction")
    unit: FloatArray = (vectors / lengths).astype(np.float32)
    return unit


def embedded(
    recognizer: FittedRecognizer,
    data: FaceImages,
    rows: IntArray,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FloatArray:
    """Return the unit embeddings of the images ``rows`` of a set, float32 [N, d], few images being in memory at a time.

    Raises:
        FaceassayError: when the images have another size than the recognizer takes.
        DataError: when an embedding is zero or not finite.
    """
    require_size(recognizer.image_size, data.image_size)
    parts = []
    for start in range(0, len(rows), BATCH):
        parts.append(recognizer.embed(data.images(rows[start : start + BATCH])))
        progress(min(start + BATCH, len(rows)), len(rows))
    return unit_rows(np.concatenate(parts), "embedding of image", rows)


def centres(embeddings: FloatArray, labels: IntArray, classes: int) -> FloatArray:
    """Return the unit mean embedding of each class, float32 [L, d].

    Args:
        embeddings: unit rows, [N, d].
        labels: class of each, int64 [N]; every class has at least one.
        classes: their number L.

    Raises:
        DataError: when a mean has no direction, as that of a class without images.
    """
    sums = np.zeros((classes, embeddings.shape[1]))
    np.add.at(sums, labels, embeddings)
    return unit_rows(sums, "centre of class")


def differentiable(recognizer: FittedRecognizer, image_size: int) -> DifferentiableRecognizer:
    """Return ``recognizer`` as one that gradients pass through to the image.

    Raises:
        FaceassayError: when they do not, or it takes images of another size than ``image_size`` px.
    """
    if not isinstance(recognizer, DifferentiableRecognizer):
        raise FaceassayError(
            f"a gradient through the recognizer is needed and {type(recognizer).__name__} gives none: use a recognizer "
            "with a torch network (a trained artifact or a TorchScript file; ONNX runs outside torch)"
        )
    require_size(recognizer.image_size, image_size)
    return recognizer


def require_size(takes: int, image_size: int) -> None:
    """Raise FaceassayError where a recognizer takes images of another size than ``image_size`` px."""
    if takes != image_size:
        raise FaceassayError(
            f"the recognizer takes images of {takes} px and these have {image_size} px: "
            "use a recognizer trained at this size, or prepare the images at its size"
        )
