"""The search for faults: each kind is found, a sound set has none."""

import numpy as np
import pytest

from faceassay.sets.faults import faults
from miniatures.recordio import picture
from stored_faces import stored_faces


def found(data):
    return list(faults(data, lambda done: None))


@pytest.fixture
def data():
    return stored_faces({"a": 2, "b": 3})


def test_a_sound_set_has_none(data):
    assert found(data) == []


@pytest.mark.parametrize(
    "content", [b"", b"no image", picture()[:60], None], ids=["empty", "text", "cut", "unreadable"]
)
def test_what_cannot_be_decoded_is_named(data, content):
    data.contents[3] = content
    assert [(kind, "b/3.png" in where) for kind, where in found(data)] == [("damaged images", True)]


def test_every_damaged_image_is_named(data):
    data.contents[0] = data.contents[4] = b"x"
    assert [kind for kind, _ in found(data)].count("damaged images") == 2


def test_identity_with_a_single_image():
    assert found(stored_faces({"a": 2, "b": 1})) == [("identities with a single image", "b")]


def test_identity_without_an_image(data):
    data.identities = ("a", "b", "c")
    assert found(data) == [("identities without an image", "c")]


@pytest.mark.parametrize("label", [-1, 2])
def test_label_of_nobody(data, label):
    data.labels = np.array([0, 0, 1, 1, label])
    assert found(data)[0] == ("labels of no identity", f"b/4.png: {label} of 2 identities")


def test_names_that_are_there_twice(data):
    data.identities, data.item_ids = ("a", "a"), ("1", "2", "3", "2", "5")
    assert found(data) == [("names of two identities", "a"), ("names of two images", "2")]


def test_one_image_of_two_identities(data):
    data.contents[4] = data.contents[0]
    assert found(data) == [("images of two or more identities", "a/0.png (a) = b/4.png (b)")]


def test_one_image_twice_of_one_identity(data):
    data.contents[4] = data.contents[2]
    assert found(data) == [("images that one identity has twice", "b/2.png (b) = b/4.png (b)")]


def test_progress_tells_every_image_twice(data):
    told = []
    list(faults(data, told.append))
    assert sum(told) == 2 * len(data)
