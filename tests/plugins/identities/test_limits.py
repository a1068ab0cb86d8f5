"""How well real images agree with the mean of their class."""

import numpy as np
import pytest

from faceassay.contracts import DataError
from faceassay.identity import unit_rows
from faceassay_plugins.identities import agreement

LABELS = np.array([0, 1, 0, 1, 2, 1, 0])
EMBEDDINGS = unit_rows(np.random.default_rng(0).normal(size=(7, 4)) + 1, "row")


def by_hand():
    """Return the cosines of classes 0 and 1 in the order of the images; class 2 has one image."""
    found = []
    for row, label in enumerate(LABELS):
        mean = EMBEDDINGS[label == LABELS].mean(0)
        if label != 2:
            found.append(float(EMBEDDINGS[row] @ mean / np.linalg.norm(mean)))
    return np.array(found)


def test_cosines_leave_out_who_is_alone():
    found = agreement(EMBEDDINGS, LABELS, 3)
    assert found.cosines == pytest.approx(by_hand(), abs=1e-6)
    assert found.labels.tolist() == [0, 1, 0, 1, 1, 0]


@pytest.mark.parametrize("percent", [0, 10, 50, 90, 100])
def test_percentiles_are_those_of_the_cosines(percent):
    expected = np.percentile(by_hand(), percent)
    assert agreement(EMBEDDINGS, LABELS, 3).percentile(percent) == pytest.approx(expected, abs=1e-6)


def test_variance_is_within_classes():
    cosines = by_hand()
    first, second = cosines[[0, 2, 5]], cosines[[1, 3, 4]]
    expected = (first.var() * 3 + second.var() * 3) / 6
    assert agreement(EMBEDDINGS, LABELS, 3).variance == pytest.approx(expected, abs=1e-7)


def test_nobody_with_two_images_sets_no_limits():
    found = agreement(EMBEDDINGS[:3], np.arange(3), 3)
    assert found.variance == 0
    with pytest.raises(DataError, match="so none tells how alike they are: give lb and ub"):
        found.percentile(10)


def test_a_class_whose_mean_has_no_direction_is_refused():
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    with pytest.raises(DataError, match="centre of class 0"):
        agreement(opposite, np.zeros(2, dtype=np.int64), 1)
