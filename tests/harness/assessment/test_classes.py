"""Consistency, separation and leave-one-out cosines, against loops over all pairs and against vectors known by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from faceassay.assessment import classes
from faceassay.assessment.classes import ClassSums, consistency, leave_one_out, separation

LABELS = np.array([0, 2, 1, 0, 2, 2, 1, 0, 3, 0])
"""Class 3 has one image."""


def unit(rows, width=5, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(rows, width)) + 0.7
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = unit(len(LABELS))
SUMS = ClassSums.of(VECTORS, LABELS, 4)


def mean_direction(rows):
    mean = VECTORS[rows].astype(float).mean(0)
    return mean / np.linalg.norm(mean)


def test_consistency_is_the_mean_over_all_pairs_of_a_class():
    wanted = [
        np.mean([VECTORS[i] @ VECTORS[j] for i, j in combinations(np.flatnonzero(label == LABELS), 2)])
        for label in range(3)
    ]
    np.testing.assert_allclose(consistency(SUMS)[:3], wanted, rtol=1e-6)


def test_a_class_of_one_image_has_no_consistency():
    assert np.isnan(consistency(SUMS)[3])


def test_equal_images_are_wholly_consistent_and_opposite_ones_not_at_all():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, -1]], np.float32)
    np.testing.assert_allclose(consistency(ClassSums.of(vectors, np.array([0, 0, 1, 1]), 2)), [1, -1])


def test_separation_is_the_cosine_to_the_nearest_of_all_other_centres():
    centres = np.stack([mean_direction(np.flatnonzero(label == LABELS)) for label in range(4)])
    cosines = centres @ centres.T
    np.fill_diagonal(cosines, -np.inf)
    found = separation(SUMS)
    np.testing.assert_allclose(found.cosines, cosines.max(1), rtol=1e-5)
    assert (found.rows == cosines.argmax(1)).all()


def test_classes_without_images_or_direction_are_separated_from_nothing():
    vectors = np.array([[1, 0], [0, 1], [0, -1], [0.6, 0.8]], np.float32)
    found = separation(ClassSums.of(vectors, np.array([0, 1, 1, 3]), 4))  # class 1 cancels out, class 2 is empty
    np.testing.assert_allclose(found.cosines, [0.6, np.nan, np.nan, 0.6], rtol=1e-6)
    assert found.rows.tolist() == [3, -1, -1, 0]


def test_a_single_class_is_separated_from_nothing():
    found = separation(ClassSums.of(unit(3), np.zeros(3, np.int64), 1))
    assert (np.isnan(found.cosines).tolist(), found.rows.tolist()) == ([True], [-1])


def test_leave_one_out_compares_with_the_other_images_of_the_class():
    wanted = []
    for row, label in enumerate(LABELS):
        others = np.flatnonzero((label == LABELS) & (np.arange(len(LABELS)) != row))
        wanted.append(VECTORS[row] @ mean_direction(others) if len(others) else np.nan)
    np.testing.assert_allclose(leave_one_out(VECTORS, LABELS, SUMS), wanted, rtol=1e-5)


@pytest.mark.parametrize("block", [1, 3, 7])
def test_in_blocks_is_as_a_whole(block, monkeypatch):
    whole = leave_one_out(VECTORS, LABELS, SUMS)
    monkeypatch.setattr(classes, "BLOCK", block)
    blockwise = ClassSums.of(VECTORS, LABELS, 4)
    np.testing.assert_allclose(blockwise.sums, SUMS.sums, rtol=1e-12)
    np.testing.assert_allclose(consistency(blockwise), consistency(SUMS), rtol=1e-12)
    np.testing.assert_allclose(leave_one_out(VECTORS, LABELS, blockwise), whole, rtol=1e-6)
