"""Own what is measured on synthetic images: is a face found, and how near is the nearest training image.

Both are measures beside the same measure on real images, never assertions of quality.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceImages, ImageBatch, IntArray, Plugin, parameter
from faceassay.detection import yunet_model

CHUNK = 256
SAMPLE = 2000
"""Images measured at most, evenly spread over a set; each is compared with every training image."""
BLOCK = 512
"""References held in memory together."""


class ImageQuality(Plugin):
    """Measure synthetic images against the real training images."""

    name: ClassVar[str] = "image-quality"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Share of images with a face, distance to the nearest training image"

    find_faces: bool = parameter(
        False,
        description="run the YuNet face detector (needs the extra 'demo'); the images are padded and doubled first",
    )
    face_score: float = parameter(0.8, gt=0, lt=1, description="detection score from which a face counts as found")

    def check(self) -> None:
        """Check that what the parameters ask for is installed.

        Raises:
            DataError: when the detector's model is absent or is not the known file.
        """
        if self.find_faces:
            yunet_model("set quality: {find_faces: false}")


class Nearest(NamedTuple):
    """Hold the nearest reference of each of N images.

    Attributes:
        distances: root mean square difference over pixels and channels in grey levels (0 to 255), float64 [N];
            infinite where there is no reference.
        rows: which reference it is, int64 [N], the first of several; -1 where there is none.
    """

    distances: NDArray[np.float64]
    rows: IntArray


def nearest(images: ImageBatch, references: ImageBatch, *, own: IntArray | None = None) -> Nearest:
    """Find the nearest reference of each image.

    Args:
        images: uint8 [N, H, W, 3].
        references: uint8 [M, H, W, 3].
        own: the row of ``references`` that each image itself is, int64 [N], a row outside for none; an image is not
            its own neighbour.
    """
    others = _flat(references)
    squares = (others**2).sum(1)
    found = _none(len(images))
    for start in range(0, len(images) if len(others) else 0, CHUNK):
        part = _flat(images[start : start + CHUNK])
        distances = (part**2).sum(1)[:, None] + squares - 2 * part @ others.T
        if own is not None:
            row = own[start : start + CHUNK]
            inside = np.flatnonzero((row >= 0) & (row < len(others)))
            distances[inside, row[inside]] = np.inf
        least = distances.argmin(1)
        found.distances[start : start + len(part)] = distances[np.arange(len(part)), least]
        found.rows[start : start + len(part)] = least
    rms = np.sqrt(found.distances / np.prod(images.shape[1:]))
    return Nearest(rms, np.where(np.isfinite(rms), found.rows, -1))


def nearest_in(images: ImageBatch, data: FaceImages, rows: IntArray, own: IntArray | None = None) -> Nearest:
    """Find the nearest of the images ``rows`` of a set, of which few are in memory at a time.

    Args:
        images: uint8 [N, H, W, 3].
        data: the set.
        rows: the references, rows of ``data`` in ascending order, int64 [M].
        own: the row of ``data`` that each image itself is, int64 [N], -1 for none.

    Returns:
        Distances, and rows of ``data``.
    """
    found = _none(len(images))
    for block in np.split(rows, range(BLOCK, len(rows), BLOCK)):
        place = None if own is None else np.where(np.isin(own, block), np.searchsorted(block, own), -1)
        here = nearest(images, data.images(block), own=place)
        nearer = here.distances < found.distances
        found.distances[nearer] = here.distances[nearer]
        found.rows[nearer] = block[here.rows[nearer]]
    return found


def quantiles(distances: NDArray[np.float64]) -> dict[str, float]:
    """Return the least distance, the 5 % quantile and the median."""
    low, middle = np.quantile(distances, [0.05, 0.5])
    return {"minimum": float(distances.min()), "q05": float(low), "median": float(middle)}


def _none(count: int) -> Nearest:
    return Nearest(np.full(count, np.inf), np.full(count, -1))


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return one row per image; sums of squares of such whole numbers are exact in float64."""
    return images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float64)
