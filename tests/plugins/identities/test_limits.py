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


def to_others(row):
    """Return the cosine of an image to the mean of the others of its class."""
    mean = EMBEDDINGS[(LABELS[row] == LABELS) & (np.arange(7) != row)].mean(0)
    return float(EMBEDDINGS[row] @ mean / np.linalg.norm(mean))


def test_cosines_to_others_leave_out_the_image_itself():
    expected = [to_others(row) for row in (0, 1, 2, 3, 5, 6)]
    assert agreement(EMBEDDINGS, LABELS, 3).to_others == pytest.approx(expected, abs=1e-6)


def test_others_that_cancel_out_agree_with_nobody():
    rows = np.array([[1, 0], [0, 1], [0, -1]], dtype=np.float32)
    assert agreement(rows, np.zeros(3, np.int64), 1).to_others[0] == 0


def test_variance_is_within_classes():
    first, second = np.array([to_others(row) for row in (0, 2, 6)]), np.array([to_others(row) for row in (1, 3, 5)])
    expected = (first.var(ddof=1) + second.var(ddof=1)) / 2
    assert agreement(EMBEDDINGS, LABELS, 3).variance == pytest.approx(expected, abs=1e-7)


def test_people_of_two_images_tell_no_variance():
    three = np.array([0, 2, 6])
    alone = agreement(EMBEDDINGS[three], np.zeros(3, np.int64), 1)
    with_pair = agreement(EMBEDDINGS[[0, 2, 6, 1, 3]], np.array([0, 0, 0, 1, 1]), 2)
    assert with_pair.variance == pytest.approx(alone.variance)
    assert agreement(EMBEDDINGS[:4], np.array([0, 0, 1, 1]), 2).variance is None


@pytest.mark.parametrize("images", [4, 10])
def test_variance_is_that_of_the_cosine_to_the_person(images):
    """The person is known here; the mean of a few others is not quite the person, so that it is a little low."""
    rng = np.random.default_rng(0)
    people = unit_rows(rng.normal(size=(4000 // images, 64)), "row").repeat(images, axis=0)
    blur = np.abs(rng.normal(1, 0.4, (len(people), 1))) / 8
    seen = unit_rows(people + blur * rng.normal(size=people.shape), "row")
    expected = (people * seen).sum(1).var()
    found = agreement(seen, np.arange(len(people)) // images, 4000 // images).variance
    assert found == pytest.approx(expected, rel={4: 0.4, 10: 0.15}[images])


def test_nobody_with_two_images_sets_no_limits():
    found = agreement(EMBEDDINGS[:3], np.arange(3), 3)
    assert found.variance is None
    with pytest.raises(DataError, match="so none tells how alike they are: give lb and ub"):
        found.percentile(10)


def test_a_class_whose_mean_has_no_direction_is_refused():
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    with pytest.raises(DataError, match="centre of class 0"):
        agreement(opposite, np.zeros(2, dtype=np.int64), 1)
