"""Own what can be measured of the light in an image without any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from faceassay import Attribute, AttributePredictor, FloatArray, ImageBatch

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue (Recommendation ITU-R BT.601-7, section 2.5.1)."""
GREY = "grey levels"


class Photometry(AttributePredictor):
    """Measure brightness, contrast, lateral light and sharpness; no model, no parameters.

    All are of the luma Y = 0.299 R + 0.587 G + 0.114 B (BT.601) of the stored pixels, 0 to 255:

    - ``brightness``: the mean of Y;
    - ``contrast``: the standard deviation of Y, at most 127.5 (half black, half white);
    - ``side_light``: the mean of Y over the right half of the image minus that over the left half, a column in the
      middle left out. A proxy of light from one side and of yaw alike: a turned head shows hair or background;
    - ``sharpness``: the mean of abs(4 Y - those of the four neighbours) over the pixels inside the border.
    """

    name: ClassVar[str] = "photometry"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "brightness, contrast, lateral light and sharpness of each image; needs no model"

    def columns(self) -> tuple[Attribute, ...]:
        """Return the four measures with the ranges that no image can leave."""
        return (
            Attribute("brightness", GREY, 0, 255),
            Attribute("contrast", GREY, 0, 127.5),
            Attribute("side_light", GREY, -255, 255),
            Attribute("sharpness", GREY, 0, 1020),
        )

    def predict(self, images: ImageBatch, item_ids: Sequence[str]) -> FloatArray:
        """Return the measures, float32 [B, 4]; computed in float64."""
        luma = images @ LUMA
        half = luma.shape[2] // 2
        side = luma[:, :, -half:].mean((1, 2)) - luma[:, :, :half].mean((1, 2))
        measures = [luma.mean((1, 2)), luma.std((1, 2)), side, np.abs(_laplacian(luma)).mean((1, 2))]
        return np.stack(measures, axis=1).astype(np.float32)


def _laplacian(luma: FloatArray) -> FloatArray:
    """Return four times each pixel inside the border minus its four neighbours, [B, H - 2, W - 2]."""
    neighbours = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    inner: FloatArray = 4 * luma[:, 1:-1, 1:-1] - neighbours
    return inner
