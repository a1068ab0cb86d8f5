"""How different the images of a class are, against loops over all pairs and numpy's own deviations."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from faceassay.assessment import spread
from faceassay.assessment.spread import attribute_spread, pair_difference, pixel_spread
from fakes import ArrayDataset, toy_faces


def by_pairs(images):
    squares = [((a.astype(float) - b) ** 2).mean() for a, b in combinations(images, 2)]
    return math.sqrt(np.mean(squares))


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_the_pixel_difference_is_that_over_all_pairs(chunk, monkeypatch):
    monkeypatch.setattr(spread, "CHUNK", chunk)
    faces = toy_faces(3, 5, 8)
    mixed = np.random.default_rng(0).permutation(len(faces))
    data = ArrayDataset(faces.pixels[mixed], faces.labels[mixed], faces.identities)
    wanted = [by_pairs(faces.pixels[faces.labels == label]) for label in range(3)]
    np.testing.assert_allclose(pixel_spread(data), wanted, rtol=1e-12)


def test_one_grey_level_everywhere_is_a_difference_of_one_and_equal_images_differ_by_none():
    images = np.full((2, 4, 4, 3), 9, np.uint8)
    assert pair_difference([images]) == 0
    images[1] += 1
    assert pair_difference([images[:1], images[1:]]) == 1


def test_a_class_of_one_image_or_none_has_no_difference():
    faces = toy_faces(1, 1, 8)
    data = ArrayDataset(faces.pixels, faces.labels, ("a", "without images"))
    assert np.isnan(pixel_spread(data)).all()


def test_the_spread_of_attributes_is_the_sample_deviation_of_what_is_known():
    values = np.array([[1, 1e6], [3, 1e6 + 1], [np.nan, 1e6 + 4], [7, 2], [8, np.nan]], np.float32)
    found = attribute_spread(values, np.array([0, 0, 0, 1, 1]), 3)
    wanted = [
        [np.std([1, 3], ddof=1), np.std([1e6, 1e6 + 1, 1e6 + 4], ddof=1)],
        [np.std([7, 8], ddof=1), np.nan],
        [np.nan, np.nan],
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_without_attributes_there_are_no_columns():
    assert attribute_spread(np.empty((4, 0), np.float32), np.zeros(4, np.int64), 2).shape == (2, 0)
