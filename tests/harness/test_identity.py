"""Identity as a recognizer sees it: unit vectors, their means, and who can be looked through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faceassay.contracts import DataError, FaceassayError
from faceassay.identity import BATCH, centres, differentiable, embedded, require_size, unit_rows
from fakes import toy_faces

SIZE = 16


class Recognizing:
    """Embed an image as its pixels; some images as what they are told to be."""

    image_size = SIZE

    def __init__(self, **told):
        self.told = {int(row.lstrip("i")): value for row, value in told.items()}
        self.batches = []

    def embed(self, images):
        start = sum(self.batches)
        self.batches.append(len(images))
        vectors = images.reshape(len(images), -1).astype(np.float32)
        for row, value in self.told.items():
            if start <= row < start + len(images):
                vectors[row - start] = value
        return vectors

    def class_centres(self):
        return None


class Differentiable(Recognizing):
    def features(self, x):
        return x


# --- unit_rows


def test_rows_are_scaled_to_length_one():
    assert unit_rows(np.array([[3.0, 4.0], [0.0, -2.0]]), "vector").tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, -1],
    ]


@given(arrays.arrays(np.float32, (4, 3), elements=st.floats(0.125, 2.0**60, width=32)))
def test_a_unit_row_has_length_one_and_the_direction_of_its_vector(vectors):
    unit = unit_rows(vectors, "vector")
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit.astype(float), axis=1), 1, rtol=1e-6)
    wanted = vectors.astype(float) / np.sqrt((vectors.astype(float) ** 2).sum(1))[:, None]
    np.testing.assert_allclose(unit, wanted, rtol=1e-6, atol=1e-30)


def test_lengths_that_float32_cannot_square_are_lengths():
    assert unit_rows(np.array([[3e25, 4e25], [3e-25, 4e-25]], np.float32), "vector") == pytest.approx(
        np.array([[0.6, 0.8], [0.6, 0.8]])
    )


@pytest.mark.parametrize(
    ("row", "length"), [([0, 0], "0"), ([np.nan, 1], "nan"), ([np.inf, 1], "inf"), ([-np.inf, np.inf], "inf")]
)
def test_a_row_without_direction_is_refused_with_its_number(row, length):
    with pytest.raises(DataError, match=rf"^centre of class 1 \(length {length}\): zero or not finite"):
        unit_rows(np.array([[1, 2], row], np.float32), "centre of class")


def test_rows_are_called_by_their_numbers_and_many_are_counted():
    with pytest.raises(DataError, match=r"^image 100 \(length 0\), 101 .*, 109 \(length 0\) and 5 more: zero"):
        unit_rows(np.zeros((15, 2)), "image", np.arange(100, 115))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), ()])
def test_what_is_no_list_of_vectors_is_refused(shape):
    with pytest.raises(DataError, match=r"^vectors \(.*\) must be \[N, d\]"):
        unit_rows(np.ones(shape), "vector")


def test_no_vectors_are_no_unit_vectors():
    assert unit_rows(np.empty((0, 4)), "vector").shape == (0, 4)


# --- embedded


def test_embeddings_are_the_unit_embeddings_of_the_images_in_order():
    faces, rows, log = toy_faces(identities=20, per_identity=7), np.arange(139, -1, -1), []
    recognizer = Recognizing()
    made = embedded(recognizer, faces, rows, lambda *done: log.append(done))
    pixels = faces.pixels[rows].reshape(140, -1).astype(float)
    np.testing.assert_allclose(made, pixels / np.linalg.norm(pixels, axis=1, keepdims=True), rtol=1e-5)
    assert recognizer.batches == [BATCH, BATCH, 140 - 2 * BATCH]
    assert log == [(BATCH, 140), (2 * BATCH, 140), (140, 140)]


def test_a_useless_embedding_is_refused_with_the_row_of_its_image():
    with pytest.raises(DataError, match=r"^embedding of image 12 \(length 0\), 14 \(length nan\): "):
        embedded(Recognizing(i2=0, i4=np.nan), toy_faces(), np.arange(10, 20))


def test_images_of_another_size_are_refused_before_any_is_embedded():
    recognizer = Recognizing()
    with pytest.raises(FaceassayError, match="takes images of 16 px and these have 32 px"):
        embedded(recognizer, toy_faces(size=32), np.arange(3))
    assert recognizer.batches == []


# --- centres


def test_a_centre_is_the_unit_mean_of_its_class():
    rng = np.random.default_rng(0)
    unit = unit_rows(rng.normal(size=(30, 5)), "embedding")
    labels = rng.permutation(np.arange(30) % 4)
    wanted = np.stack([unit[labels == k].mean(0) for k in range(4)])
    np.testing.assert_allclose(
        centres(unit, labels, 4), wanted / np.linalg.norm(wanted, axis=1, keepdims=True), rtol=1e-5
    )


@pytest.mark.parametrize("vectors", [[[1, 0], [0, 1]], [[1, 0], [0, 1], [1, 0], [-1, 0]]], ids=["empty", "opposite"])
def test_a_class_without_images_or_direction_has_no_centre(vectors):
    labels = np.array([0, 1, 2, 2][: len(vectors)])
    with pytest.raises(DataError, match=r"^centre of class 2 \(length 0\)"):
        centres(np.array(vectors, np.float32), labels, 3)


# --- differentiable, require_size


def test_a_recognizer_with_features_is_looked_through():
    recognizer = Differentiable()
    assert differentiable(recognizer, SIZE) is recognizer


def test_a_recognizer_without_features_is_refused_with_the_remedy():
    with pytest.raises(FaceassayError, match="Recognizing gives none: use a recognizer with a torch network"):
        differentiable(Recognizing(), SIZE)


def test_a_recognizer_of_another_size_is_refused():
    with pytest.raises(FaceassayError, match="takes images of 16 px and these have 24 px"):
        differentiable(Differentiable(), 24)
    with pytest.raises(FaceassayError, match="prepare the images at its size"):
        require_size(112, 96)
    require_size(112, 112)
