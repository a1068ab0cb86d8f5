"""The protocol of low-resolution identification: roles, the reduction, ranks, what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay.contracts import DataError, FaceImages, Features
from faceassay.contracts.evaluation import METRIC_ID
from faceassay_protocols.lowres import LowResolutionIdentification, ReducedImages, reduced
from fakes import ArrayDataset, toy_faces


def faces(identities=6, per_identity=4, size=16):
    return toy_faces(identities=identities, per_identity=per_identity, size=size)


def protocol(**parameters):
    return LowResolutionIdentification(**{"probe_size": 4, **parameters})


def shuffled(data, seed=0):
    order = np.random.default_rng(seed).permutation(len(data))
    return ArrayDataset(data.pixels[order], data.labels[order], data.identities)


def perfect(data, evaluation):
    rows = evaluation.images(data).source.rows
    one_hot = np.eye(len(data.identities), dtype=np.float32)[data.labels[rows]]
    return Features(one_hot, one_hot)


def test_metric_identities_carry_their_definition():
    assert LowResolutionIdentification().metric_ids() == ("rank:1/cosine/flip-sum", "rank:5/cosine/flip-sum")
    assert protocol(ranks=(20,), flip=False).metric_ids() == ("rank:20/cosine/no-flip",)
    assert all(METRIC_ID.fullmatch(metric) for metric in protocol(ranks=(1, 50)).metric_ids())


def test_parameters_come_from_strict_json():
    document = json.dumps({"ranks": [1, 10], "mated_share": 0.3, "probe_size": 8, "flip": False})
    assert LowResolutionIdentification.model_validate_json(document, strict=True).ranks == (1, 10)


def test_images_come_as_probes_then_enrolled_then_distractors():
    data = faces()
    shown = protocol().images(data)
    assert isinstance(shown, FaceImages)
    assert (len(shown), shown.image_size) == (24, 16)
    assert data.labels[shown.source.rows].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2, *np.repeat([3, 4, 5], 4)]


def test_the_first_images_of_a_person_are_enrolled_in_any_order_of_the_dataset():
    data = shuffled(faces(), seed=4)
    rows = protocol(gallery_per_person=2).images(data).source.rows
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
    shown = protocol().images(data)
    index = np.array([9, 2, 23, 8])
    original = data.pixels[shown.source.rows[index]]
    got = shown.images(index)
    np.testing.assert_array_equal(got[[0, 2]], original[[0, 2]])
    np.testing.assert_array_equal(got[[1, 3]], [reduced(image, 4) for image in original[[1, 3]]])
    assert not np.array_equal(got[1], original[1])


def test_reading_a_probe_leaves_the_dataset_alone():
    data = faces()
    before = data.pixels.copy()
    data.images = lambda index: data.pixels[index[0] : index[-1] + 1]
    ReducedImages(data, 3, 4).images(np.arange(24))
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


def test_perfect_embeddings_are_found_first():
    data = faces()
    evaluation = protocol().evaluate(data, perfect(data, protocol()))
    assert evaluation.metrics == {"rank:1/cosine/flip-sum": 1.0, "rank:5/cosine/flip-sum": 1.0}


def test_one_probe_behind_two_distractors_by_hand():
    """One mated person with two probes: the first is nearest to its mate, the second nearer to two of four others."""
    data = ArrayDataset(np.zeros((7, 16, 16, 3), np.uint8), np.array([0, 0, 0, 1, 1, 1, 1]), ("a", "b"))
    angles = np.radians([10.0, 50.0, 0.0, 40.0, 60.0, -120.0, 170.0])
    plain = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    evaluation = protocol(ranks=(1, 2, 3)).evaluate(data, Features(plain, plain))
    assert evaluation.scores["rank"].tolist() == [1, 3]
    np.testing.assert_allclose(evaluation.scores["mate_score"], np.cos(np.radians([10.0, 50.0])))
    assert list(evaluation.metrics.values()) == [0.5, 0.5, 1.0]


def test_random_embeddings_are_at_chance():
    """A mate is one of 1 + 9 + 100 gallery images: rank 11 or less has probability 0.1, over 90 probes +- 5 sd."""
    data = faces(identities=20, per_identity=10)
    features = np.random.default_rng(2).normal(size=(200, 64)).astype(np.float32)
    rate = protocol(ranks=(11,)).evaluate(data, Features(features, features)).metrics["rank:11/cosine/flip-sum"]
    assert abs(rate - 0.1) < 5 * np.sqrt(0.1 * 0.9 / 90)


def test_scores_name_the_person_of_each_probe():
    data = shuffled(faces(), seed=5)
    evaluation = protocol()
    scores = evaluation.evaluate(data, perfect(data, evaluation)).scores
    np.testing.assert_array_equal(scores["probe_identity"], data.labels[evaluation.images(data).source.rows[:9]])
    assert scores["rank"].tolist() == [1] * 9


def test_mirrored_images_are_added_unless_switched_off():
    data = faces()
    centres = perfect(data, protocol()).embeddings
    disturbance = np.random.default_rng(0).normal(0, 5, centres.shape).astype(np.float32)
    features = Features(centres + disturbance, centres - disturbance)
    assert protocol().evaluate(data, features).metrics["rank:1/cosine/flip-sum"] == 1.0
    assert protocol(flip=False).evaluate(data, features).metrics["rank:1/cosine/no-flip"] < 1.0


def test_the_curve_counts_ranks_from_one_to_all():
    data = faces()
    curve = protocol().evaluate(data, perfect(data, protocol())).curves["cmc"]
    assert curve.x.tolist() == list(range(1, 16))
    assert curve.y[-1] == 1.0
    assert (np.diff(curve.y) >= 0).all()


def test_notes_count_every_role():
    data = faces()
    notes = protocol().evaluate(data, perfect(data, protocol())).notes
    assert [notes[name] for name in ("probes", "enrolled", "distractors", "mated_people", "people")] == [9, 3, 12, 3, 6]


def test_the_fingerprint_tells_sizes_and_roles_apart():
    data = faces()
    variants = [protocol(), protocol(probe_size=5), protocol(mated_share=0.7), protocol(gallery_per_person=2)]
    assert len({variant.images(data).fingerprint for variant in variants}) == 4
    assert protocol().images(data).fingerprint == protocol(ranks=(9,)).images(faces()).fingerprint


def test_a_mated_person_with_too_few_images_is_named():
    data = ArrayDataset(np.zeros((5, 16, 16, 3), np.uint8), np.array([0, 0, 1, 2, 3]), ("ann", "bob", "eve", "joe"))
    with pytest.raises(DataError, match=r"need 2 images or more: too few of bob \(1\)"):
        protocol().images(data)


def test_no_distractors_are_refused():
    with pytest.raises(DataError, match="6 of 6 people are mated, which leaves no distractors"):
        protocol(mated_share=0.99).images(faces())


def test_nobody_mated_is_refused():
    with pytest.raises(DataError, match="0 of 6 people are mated"):
        protocol(mated_share=0.01).images(faces())


def test_images_no_larger_than_the_probes_are_refused():
    with pytest.raises(DataError, match="images of 16 px cannot be reduced to 16 px"):
        protocol(probe_size=16).images(faces())


def test_unusable_embeddings_are_named():
    data = faces()
    broken = np.ones((24, 4), dtype=np.float32)
    broken[12] = 0
    with pytest.raises(DataError, match=r"gallery: rows 3 \(1 of 15\) have length zero"):
        protocol().evaluate(data, Features(broken, broken))
