"""A trained recognizer: embeddings of faces never seen, gradients, class centres, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay.contracts import FaceassayError
from faceassay.sampling import from_images
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from fakes import stage_context, toy_faces

torch.set_num_threads(1)
RECIPE = IResNet(
    depth=(1, 1, 1, 1), width=8, image_size=32, embedding=32, batch_size=32, updates=80, learning_rate=0.05
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    context = stage_context(tmp_path_factory.mktemp("fitted"))
    RECIPE.fit(toy_faces(12, 8, size=32, seed=1), context)
    return context.folder


@pytest.fixture
def fitted(folder):
    return RECIPE.load(folder, "cpu")


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_embeddings_tell_unseen_people_apart(fitted):
    faces = toy_faces(8, 6, size=32, seed=99, noise=80.0)
    embedded = normalised(fitted.embed(faces.pixels))
    cosine = embedded @ embedded.T
    same = faces.labels[:, None] == faces.labels
    others = ~np.eye(len(faces), dtype=bool)
    genuine, impostor = cosine[same & others], cosine[~same]
    assert genuine.mean() > impostor.mean() + 0.3
    assert (genuine[:, None] > impostor).mean() > 0.95


def test_training_images_are_nearest_to_their_own_class_centre(fitted):
    faces = toy_faces(12, 8, size=32, seed=1)
    nearest = (normalised(fitted.embed(faces.pixels)) @ normalised(fitted.class_centres()).T).argmax(axis=1)
    assert (nearest == faces.labels).mean() > 0.9


def test_embeddings_are_raw_float32(fitted):
    embedded = fitted.embed(toy_faces(3, 2, size=32).pixels)
    assert (embedded.shape, embedded.dtype) == ((6, 32), np.float32)
    assert not np.allclose(np.linalg.norm(embedded, axis=1), 1, atol=0.1)


def test_an_embedding_does_not_depend_on_its_neighbours(fitted):
    pixels = toy_faces(5, 4, size=32).pixels
    alone = np.concatenate([fitted.embed(pixels[row : row + 1]) for row in range(len(pixels))])
    np.testing.assert_allclose(fitted.embed(pixels), alone, atol=1e-4)


def test_an_empty_batch_has_no_embeddings(fitted):
    embedded = fitted.embed(np.zeros((0, 32, 32, 3), np.uint8))
    assert (embedded.shape, embedded.dtype) == ((0, 32), np.float32)


def test_embedding_twice_gives_the_same_bytes(fitted):
    pixels = toy_faces(3, 2, size=32).pixels
    assert fitted.embed(pixels).tobytes() == fitted.embed(pixels).tobytes()


def test_features_are_the_embeddings(fitted):
    pixels = toy_faces(3, 2, size=32).pixels
    np.testing.assert_allclose(fitted.features(from_images(pixels)).numpy(), fitted.embed(pixels), atol=1e-5)


def test_the_gradient_of_the_features_is_their_derivative(fitted):
    fitted.network.double()
    x = from_images(toy_faces(2, 1, size=32).pixels).double().requires_grad_()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fitted.features(x).sum().backward()
    with torch.no_grad():
        upper, lower = (fitted.features(x + sign * 1e-5 * direction).sum() for sign in (1, -1))
    assert (x.grad * direction).sum().item() == pytest.approx((upper - lower).item() / 2e-5, rel=1e-3)


def test_the_weights_take_no_gradient(fitted):
    assert not any(weight.requires_grad for weight in fitted.network.parameters())


def test_class_centres_are_raw_rows(fitted):
    centres = fitted.class_centres()
    assert (centres.shape, centres.dtype) == ((12, 32), np.float32)
    assert not np.allclose(np.linalg.norm(centres, axis=1), 1, atol=0.1)


def test_the_size_of_the_images_is_known(fitted):
    assert fitted.image_size == 32


def test_images_of_another_size_are_refused(fitted):
    with pytest.raises(FaceassayError, match="32, 32"):
        fitted.embed(toy_faces(size=16).pixels)


def test_loading_leaves_the_global_random_state_alone(folder):
    before = torch.get_rng_state()
    RECIPE.load(folder, "cpu")
    assert torch.equal(torch.get_rng_state(), before)
