"""Probes, mates and distractors made of any people: roles, the reduction, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay.contracts import DataError, Pack
from faceassay_protocols.readers.reduced_probes import ReducedProbes, reduced
from fakes import ArrayDataset, toy_faces


def faces(identities=6, per_identity=4, size=16):
    return toy_faces(identities=identities, per_identity=per_identity, size=size)


def shuffled(data, seed=0):
    order = np.random.default_rng(seed).permutation(len(data))
    return ArrayDataset(data.pixels[order], data.labels[order], data.identities)


def opened(data, **parameters):
    return ReducedProbes(**{"probe_size": 4, **parameters}).open(data)


def rows_of(pack):
    """Return the rows of the dataset that the images are, told by their names."""
    return np.array([int(name.removeprefix("item")) for name in pack.names])


def test_images_come_as_probes_then_enrolled_then_distractors():
    data = faces()
    shown = opened(data)
    assert isinstance(shown, Pack)
    assert (len(shown), shown.image_size) == (24, 16)
    assert data.labels[rows_of(shown)].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2, *np.repeat([3, 4, 5], 4)]


def test_the_first_images_of_a_person_are_enrolled_in_any_order_of_the_dataset():
    data = shuffled(faces(), seed=4)
    rows = rows_of(opened(data, gallery_per_person=2))
    probes, enrolled, distractors = np.split(rows, [6, 12])
    for person in range(3):
        assert max(enrolled[data.labels[enrolled] == person]) < min(probes[data.labels[probes] == person])
    assert [part.tolist() for part in (probes, enrolled, distractors)] == [
        sorted(part.tolist()) for part in (probes, enrolled, distractors)
    ]
    assert set(data.labels[distractors]) == {3, 4, 5}
    assert sorted(rows.tolist()) == list(range(24))


def test_only_probes_are_reduced():
    data = faces()
    shown = opened(data)
    index = np.array([9, 2, 23, 8])
    original = data.pixels[rows_of(shown)[index]]
    got = shown.images(index)
    np.testing.assert_array_equal(got[[0, 2]], original[[0, 2]])
    np.testing.assert_array_equal(got[[1, 3]], [reduced(image, 4) for image in original[[1, 3]]])
    assert not np.array_equal(got[1], original[1])


def test_reading_a_probe_leaves_the_dataset_alone():
    data = faces()
    before = data.pixels.copy()
    data.images = lambda index: data.pixels[index[0] : index[-1] + 1]
    opened(data).images(np.arange(24))
    np.testing.assert_array_equal(data.pixels, before)


def eleventh_singular_value(image):
    return np.linalg.svd(image[:, :, 0].astype(float), compute_uv=False)[10]


def test_a_reduced_image_has_no_detail_above_its_size():
    """Enlarging 10 rows is linear, so the result has 10 independent rows; rounding to bytes adds less than 0.5 each.

    By Weyl's inequality the 11th singular value is at most the norm of what rounding adds, 112 x 0.5. An image reduced
    to 20 pixels only has more than twice that.
    """
    blocks = np.random.default_rng(0).integers(90, 166, (28, 28, 3)).astype(np.uint8)
    image = blocks.repeat(4, axis=0).repeat(4, axis=1)
    assert eleventh_singular_value(reduced(image, 10)) <= 112 * 0.5
    assert eleventh_singular_value(reduced(image, 20)) > 2 * 112 * 0.5


def test_the_finest_pattern_averages_out_instead_of_aliasing():
    checkerboard = (np.indices((40, 40)).sum(axis=0) % 2 * 200).astype(np.uint8)
    image = np.repeat(checkerboard[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(reduced(image, 10), np.full((40, 40, 3), 100))


def test_a_reduction_keeps_the_mean_brightness():
    image = np.random.default_rng(1).integers(60, 196, (112, 112, 3)).astype(np.uint8)
    assert abs(reduced(image, 10).mean() - image.mean()) < 1


def test_notes_count_every_role():
    data = faces()
    notes = opened(data).notes
    assert [notes[name] for name in ("probes", "enrolled", "distractors", "mated_people", "people")] == [9, 3, 12, 3, 6]


def test_the_fingerprint_tells_sizes_and_roles_apart():
    data = faces()
    variants = [{}, {"probe_size": 5}, {"mated_share": 0.7}, {"gallery_per_person": 2}]
    assert len({opened(data, **variant).fingerprint for variant in variants}) == 4
    assert opened(data).fingerprint == opened(faces()).fingerprint


def test_a_mated_person_with_too_few_images_is_named():
    data = ArrayDataset(np.zeros((5, 16, 16, 3), np.uint8), np.array([0, 0, 1, 2, 3]), ("ann", "bob", "eve", "joe"))
    with pytest.raises(DataError, match=r"need 2 images or more: too few of bob \(1\)"):
        opened(data)


def test_no_distractors_are_refused():
    with pytest.raises(DataError, match="6 of 6 people are mated, which leaves no distractors"):
        opened(faces(), mated_share=0.99)


def test_nobody_mated_is_refused():
    with pytest.raises(DataError, match="0 of 6 people are mated"):
        opened(faces(), mated_share=0.01)


def test_images_no_larger_than_the_probes_are_refused():
    with pytest.raises(DataError, match="images of 16 px cannot be reduced to 16 px"):
        opened(faces(), probe_size=16)


def test_probes_and_gallery_say_who_is_who():
    data = shuffled(faces(), seed=2)
    pack = opened(data)
    labels = data.labels[rows_of(pack)]
    np.testing.assert_array_equal(pack.probe_ids, labels[:9])
    np.testing.assert_array_equal(pack.gallery_ids, [*labels[9:12], *[-1] * 12])
    assert tuple(pack.people) == data.identities


def test_sampled_pairs_are_probes_with_their_mate_and_with_anothers():
    data = shuffled(faces(), seed=2)
    pack = opened(data)
    sample = pack.sample_pairs(12)
    labels = data.labels[rows_of(pack)]
    np.testing.assert_array_equal(labels[sample.first] == labels[sample.second], sample.is_same)
    assert (sample.first < 9).all()
    assert (sample.second >= 9).all()


def test_nothing_is_decoded_to_open():
    data = faces()
    data.images = None
    assert len(opened(data)) == 24


def test_a_dataset_is_needed():
    with pytest.raises(DataError, match="name one under data"):
        opened(None)
