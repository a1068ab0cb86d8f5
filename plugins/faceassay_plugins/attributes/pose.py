"""Own the head pose as attributes: the landmarks of a face detector, and angles from these. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay import Attribute, AttributePredictor, FloatArray, ImageBatch, parameter
from faceassay.detection import landmark_finder, yunet_model
from faceassay_plugins.attributes.perspective import FOCAL, pose_of

Finder = Callable[[ImageBatch], NDArray[np.float64]]
MIRRORED = [1, 0, 2, 4, 3]
"""Which landmark of a mirror image is which of the image."""


class Pose(AttributePredictor):
    """Estimate yaw, pitch and roll of the head from five landmarks (ID3, section 3.2.2, asks for these in [-90, 90]).

    YuNet finds the eyes, the tip of the nose and the corners of the mouth, in the image and in its mirror image, of
    which the mean is taken; a generic face is turned until its points are seen there. Seen by the viewer, positive yaw
    turns the face to the right, positive pitch up, positive roll tilts it clockwise. Angles are NaN where no face is
    found or no turn of the face explains the points.

    Nobody has quite the proportions of the generic face: compare angles between images rather than trust single ones,
    and pitch least, whose zero is that of a usual portrait.
    """

    name: ClassVar[str] = "pose"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "yaw, pitch and roll of the head in degrees, from the landmarks of YuNet (extra 'demo')"
    paper: ClassVar[str | None] = "ID3, section 3.2.2 (the paper names no pose predictor; this one is our choice)"

    face_score: float = parameter(0.8, gt=0, lt=1, description="detection score from which a face counts as found")
    focal: float = parameter(
        FOCAL, gt=0, le=1000, unit="sides of the image", description="focal length of the camera assumed; 5 is 1 m away"
    )

    def check(self, image_size: int, identities: int) -> None:
        """Check that the detector is installed.

        Raises:
            DataError: when its model is absent or is not the known file.
        """
        yunet_model("take attribute pose out")

    def columns(self) -> tuple[Attribute, ...]:
        """Return yaw, pitch and roll."""
        return tuple(Attribute(name, "degrees", -90, 90) for name in ("yaw", "pitch", "roll"))

    def predict(self, images: ImageBatch, item_ids: Sequence[str]) -> FloatArray:
        """Return the angles, float32 [B, 3], NaN where they cannot be told."""
        landmarks = _even_handed(landmark_finder(self.face_score), images)
        return pose_of(landmarks, images.shape[1], self.focal).astype(np.float32)


def _even_handed(find: Finder, images: ImageBatch) -> NDArray[np.float64]:
    """Return the means of the landmarks found in images and in their mirror images, [B, 5, 2], NaN without either.

    YuNet's landmarks are one or two pixels off, to one side on average: the mean favours neither side, so that the pose
    of a mirror image is the mirrored pose. Where a face is found in one of the two alone, its landmarks count.
    """
    own, mirrored = find(images), find(np.ascontiguousarray(images[:, :, ::-1]))[:, MIRRORED]
    mirrored[..., 0] = images.shape[2] - 1 - mirrored[..., 0]
    return (np.where(np.isnan(own), mirrored, own) + np.where(np.isnan(mirrored), own, mirrored)) / 2
