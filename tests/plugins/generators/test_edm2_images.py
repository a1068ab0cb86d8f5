"""Which images train and which are held out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from faceassay import DataError
from faceassay_plugins.generators.edm2 import images
from faceassay_plugins.generators.edm2.images import ReadAhead, TrainingImages, held_out_mask
from fakes import ArrayDataset, toy_faces

LABELS = np.repeat(np.arange(5), 10)[np.random.default_rng(0).permutation(50)]


def test_nothing_is_held_out_by_default():
    assert not held_out_mask(LABELS, 0.0, 1).any()


@pytest.mark.parametrize(("fraction", "each"), [(0.01, 1), (0.1, 1), (0.3, 3), (0.99, 9)])
def test_every_identity_gives_its_share(fraction, each):
    assert np.bincount(LABELS[held_out_mask(LABELS, fraction, 1)]).tolist() == [each] * 5


def test_an_identity_keeps_its_only_image():
    assert held_out_mask(np.array([0, 1, 1]), 0.5, 1)[0] == np.False_


def test_the_seed_decides_which():
    first, second = held_out_mask(LABELS, 0.3, 1), held_out_mask(LABELS, 0.3, 2)
    assert (first == held_out_mask(LABELS, 0.3, 1)).all()
    assert (first != second).any()


def test_another_identity_changes_nothing_for_the_others():
    with_more = held_out_mask(np.append(LABELS, [5, 5, 5]), 0.3, 1)
    assert (with_more[:50] == held_out_mask(LABELS, 0.3, 1)).all()


def test_training_and_held_out_images_share_none():
    shown = TrainingImages(toy_faces(), 0.3, 1)
    assert sorted([*shown.rows, *shown.held_out]) == list(range(24))


def test_an_empty_dataset_is_an_error():
    empty = ArrayDataset(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64), ())
    with pytest.raises(DataError, match="no images"):
        TrainingImages(empty, 0.0, 1)


@pytest.mark.parametrize("resident", [0, 1 << 20])
def test_reading_gives_the_images_asked_for_whether_resident_or_not(resident, monkeypatch):
    monkeypatch.setattr(images, "RESIDENT_BYTES", resident)
    faces = toy_faces()
    rows = np.array([3, 3, 20])
    assert (TrainingImages(faces, 0.0, 1).read(rows) == faces.pixels[rows]).all()


class Reader:
    """Read rows as themselves and note which were asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, rows):
        self.asked.append(rows.tolist())
        if -1 in rows:
            raise DataError("image -1 cannot be decoded")
        return rows


def test_what_was_read_ahead_is_not_read_again():
    reader = Reader()
    ahead = ReadAhead(reader)
    steps = [np.array([step, step + 1]) for step in range(4)]
    for now, then in pairwise(steps):
        assert ahead.take(now, then).tolist() == now.tolist()
    ahead.take(steps[3], steps[0])
    assert reader.asked[:4] == [step.tolist() for step in steps]


def test_other_rows_than_those_read_ahead_are_read_now():
    ahead = ReadAhead(Reader())
    ahead.take(np.array([1]), then=np.array([2]))
    assert ahead.take(np.array([5]), then=np.array([6])).tolist() == [5]
    assert ahead.take(np.array([6]), then=np.array([7])).tolist() == [6]


def test_an_image_that_cannot_be_read_ahead_is_an_error_when_it_is_asked_for():
    ahead = ReadAhead(Reader())
    ahead.take(np.array([1]), then=np.array([-1]))
    with pytest.raises(DataError, match="cannot be decoded"):
        ahead.take(np.array([-1]), then=np.array([2]))
