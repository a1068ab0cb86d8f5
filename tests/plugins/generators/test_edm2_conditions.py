"""Condition vectors that are frozen to a recognizer's class centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edm2_fits import Interruption, fit
from faceassay import FaceassayError, LabelMix, seeds
from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.conditions import centres_of, frozen_conditions


@dataclass
class Centred:
    """A recognizer of which only the class centres are asked for."""

    centres: np.ndarray | None

    def class_centres(self):
        return self.centres


def gaussian(classes, width, seed=0):
    return (3 * np.random.default_rng(seed).standard_normal((classes, width))).astype(np.float32)


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return unit @ unit.T


@pytest.fixture(scope="module")
def frozen(small):
    return small.model_copy(update={"condition": "class_centres"})


@pytest.fixture(scope="module")
def recognizer():
    return Centred(gaussian(4, 10))


@pytest.fixture(scope="module")
def whole(frozen, faces, recognizer, one_thread, tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen")
    return folder / "work", fit(frozen, faces, folder, recognizer=recognizer)


@pytest.mark.parametrize("channels", [12, 13, 64])
def test_a_wide_enough_embedding_keeps_the_cosines(channels):
    centres = gaussian(20, 12)
    assert np.allclose(cosines(frozen_conditions(centres, channels, 1)), cosines(centres), atol=1e-6)


def test_a_narrower_embedding_keeps_the_cosines_up_to_the_error_of_a_projection():
    centres = gaussian(60, 512)
    error = cosines(frozen_conditions(centres, 256, 1)) - cosines(centres)
    off = error[~np.eye(60, dtype=bool)]
    assert off.std() == pytest.approx(256**-0.5, rel=0.15)
    assert abs(off.mean()) < 0.01


@pytest.mark.parametrize("channels", [8, 64])
def test_conditions_have_unit_magnitude_whatever_the_length_of_a_centre(channels):
    conditions = frozen_conditions(gaussian(5, 16) * np.array([[1], [10], [1e-3], [1], [1e4]], np.float32), channels, 1)
    assert conditions.dtype == np.float32
    assert np.sqrt((conditions**2).mean(1)) == pytest.approx(1, rel=1e-6)


def test_the_seed_decides_the_map():
    centres = gaussian(3, 4)
    first, again, other = (frozen_conditions(centres, 8, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert not np.allclose(first, other)


@pytest.mark.parametrize("useless", [0.0, np.nan, np.inf])
def test_a_centre_without_direction_is_an_error(useless):
    centres = gaussian(3, 4)
    centres[1] = useless
    with pytest.raises(FaceassayError, match="class centre 1 of the recognizer has length"):
        frozen_conditions(centres, 8, 1)


def test_a_recognizer_without_centres_is_refused():
    with pytest.raises(FaceassayError, match="the recognizer has none: use condition: learned"):
        centres_of(Centred(None), 4)


def test_a_recognizer_of_other_classes_is_refused(frozen, faces, tmp_path):
    with pytest.raises(FaceassayError, match="5 class centres and the training images 4 classes"):
        fit(frozen, faces, tmp_path, recognizer=Centred(gaussian(5, 10)))


def test_it_needs_the_recognizer(frozen, small):
    assert (frozen.needs(), small.needs()) == ({"recognizer"}, frozenset())


def test_training_leaves_the_conditions_alone(frozen, whole):
    vectors = frozen.load(whole[0], "cpu").condition_vectors()
    assert np.array_equal(vectors, frozen_conditions(gaussian(4, 10), 16, seeds.derive(7, "map of class centres")))


def test_conditions_are_what_the_network_adds_for_a_class(frozen, whole):
    fitted = frozen.load(whole[0], "cpu")
    embedding = fitted.denoiser(LabelMix(np.zeros((1, 1), np.int64), np.ones((1, 1)))).network.function.embedding
    assert np.array_equal(embedding.label(torch.eye(4)).numpy(), fitted.condition_vectors())


def test_everything_else_learns(whole, small, faces, tmp_path):
    start = load_file(whole[0] / "guide.safetensors")
    end = load_file(whole[0] / "main.safetensors")
    assert not torch.equal(start["embedding.noise.weight"], end["embedding.noise.weight"])
    assert torch.equal(start["embedding.label.weight"], end["embedding.label.weight"])


def test_an_interrupted_training_makes_the_same_bytes(frozen, faces, recognizer, whole, tmp_path):
    with pytest.raises(Interruption):
        fit(frozen, faces, tmp_path, stop_at=8, interval=0, recognizer=recognizer)
    assert fit(frozen, faces, tmp_path, interval=0, recognizer=recognizer) == whole[1]


def test_a_guide_of_its_own_width_has_a_map_of_its_own(frozen, faces, recognizer, tmp_path):
    fit(frozen.model_copy(update={"guide_channels": 16}), faces, tmp_path, recognizer=recognizer)
    matrix = load_file(tmp_path / "work" / "guide.safetensors")["embedding.label.weight"]
    assert matrix.shape == (32, 4)
    assert np.allclose(cosines(matrix.T.numpy()), cosines(recognizer.centres), atol=1e-6)


def test_frozen_conditions_are_no_parameters():
    shapes = [Edm2(condition=condition).architecture(64, 100) for condition in ("learned", "class_centres")]
    assert shapes[0].parameters - shapes[1].parameters == 100 * 256
