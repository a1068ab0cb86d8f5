"""The protocol of low-resolution identification: ranks, what it keeps, what it refuses. Roles: the reader's test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay.contracts import DataError, Features
from faceassay.contracts.evaluation import METRIC_ID
from faceassay_protocols.lowres import LowResolutionIdentification
from fakes import ArrayDataset, toy_faces


def faces(identities=6, per_identity=4, size=16):
    return toy_faces(identities=identities, per_identity=per_identity, size=size)


def protocol(**parameters):
    return LowResolutionIdentification(**{"probe_size": 4, **parameters})


def shuffled(data, seed=0):
    order = np.random.default_rng(seed).permutation(len(data))
    return ArrayDataset(data.pixels[order], data.labels[order], data.identities)


def opened(data):
    return protocol().reader().open(data)


def evaluated(data, features, **parameters):
    return protocol(**{"replicates": 0, **parameters}).evaluate(opened(data), features)


def person_of_each(data):
    """Return the person on each image of the pack, told by the names of the images."""
    person = dict(zip(data.item_ids, data.labels, strict=True))
    return np.array([person[name] for name in opened(data).names])


def perfect(data):
    one_hot = np.eye(len(data.identities), dtype=np.float32)[person_of_each(data)]
    return Features(one_hot, one_hot)


def test_metric_identities_carry_their_definition():
    assert LowResolutionIdentification().metric_ids() == ("rank:1/cosine/flip-sum", "rank:5/cosine/flip-sum")
    assert protocol(ranks=(20,), flip=False).metric_ids() == ("rank:20/cosine/no-flip",)
    assert all(METRIC_ID.fullmatch(metric) for metric in protocol(ranks=(1, 50)).metric_ids())


def test_parameters_come_from_strict_json():
    document = json.dumps({"ranks": [1, 10], "mated_share": 0.3, "probe_size": 8, "flip": False})
    assert LowResolutionIdentification.model_validate_json(document, strict=True).ranks == (1, 10)


def test_perfect_embeddings_are_found_first():
    data = faces()
    assert evaluated(data, perfect(data)).metrics == {"rank:1/cosine/flip-sum": 1.0, "rank:5/cosine/flip-sum": 1.0}


def test_one_probe_behind_two_distractors_by_hand():
    """One mated person with two probes: the first is nearest to its mate, the second nearer to two of four others."""
    data = ArrayDataset(np.zeros((7, 16, 16, 3), np.uint8), np.array([0, 0, 0, 1, 1, 1, 1]), ("a", "b"))
    angles = np.radians([10.0, 50.0, 0.0, 40.0, 60.0, -120.0, 170.0])
    plain = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    evaluation = evaluated(data, Features(plain, plain), ranks=(1, 2, 3))
    assert evaluation.scores["rank-flip-sum"].tolist() == [1, 3]
    np.testing.assert_allclose(evaluation.scores["mate_score-flip-sum"], np.cos(np.radians([10.0, 50.0])))
    assert list(evaluation.metrics.values()) == [0.5, 0.5, 1.0]


def test_random_embeddings_are_at_chance():
    """A mate is one of 1 + 9 + 100 gallery images: rank 11 or less has probability 0.1, over 90 probes +- 5 sd."""
    data = faces(identities=20, per_identity=10)
    features = np.random.default_rng(2).normal(size=(200, 64)).astype(np.float32)
    rate = evaluated(data, Features(features, features), ranks=(11,)).metrics["rank:11/cosine/flip-sum"]
    assert abs(rate - 0.1) < 5 * np.sqrt(0.1 * 0.9 / 90)


def test_scores_name_the_person_of_each_probe():
    data = shuffled(faces(), seed=5)
    scores = evaluated(data, perfect(data)).scores
    np.testing.assert_array_equal(scores["probe_identity"], person_of_each(data)[:9])
    assert scores["rank-flip-sum"].tolist() == [1] * 9


def test_mirrored_images_are_added_unless_switched_off():
    data = faces()
    centres = perfect(data).embeddings
    disturbance = np.random.default_rng(0).normal(0, 5, centres.shape).astype(np.float32)
    features = Features(centres + disturbance, centres - disturbance)
    assert evaluated(data, features).metrics["rank:1/cosine/flip-sum"] == 1.0
    assert evaluated(data, features, flip=False).metrics["rank:1/cosine/no-flip"] < 1.0


def test_the_curve_counts_ranks_from_one_to_all():
    data = faces()
    curve = evaluated(data, perfect(data)).curves["cmc"]
    assert curve.x.tolist() == list(range(1, 16))
    assert curve.y[-1] == 1.0
    assert (np.diff(curve.y) >= 0).all()


def test_unusable_embeddings_are_named():
    data = faces()
    broken = np.ones((24, 4), dtype=np.float32)
    broken[12] = 0
    with pytest.raises(DataError, match=rf"images {opened(data).names[12]} \(1 of 24\) have length zero"):
        evaluated(data, Features(broken, broken))


def test_mirrored_images_that_nobody_embedded_are_refused():
    data = faces()
    with pytest.raises(DataError, match="mirrored images, which are not there"):
        evaluated(data, Features(perfect(data).embeddings, None))


def test_intervals_resample_the_people_of_the_probes():
    """Of three mated people one is never found: with the 27 equally likely draws of three the rate is 0 to 1."""
    data = faces()
    people = person_of_each(data)
    strange = people.copy()
    strange[(people == 0) & (np.arange(24) < 9)] = 5
    one_hot = np.eye(6, dtype=np.float32)[strange]
    evaluation = evaluated(data, Features(one_hot, one_hot), replicates=200, ranks=(1,))
    [(name, [interval])] = evaluation.intervals.items()
    assert (name, interval.population) == ("rank:1/cosine/flip-sum", "identities")
    assert evaluation.metrics[name] == pytest.approx(2 / 3)
    assert evaluation.scores["replicates"].shape == (200, 1)
    assert {*np.round(evaluation.scores["replicates"][:, 0] * 3).tolist()} == {0.0, 1.0, 2.0, 3.0}
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_without_replicates_there_are_no_intervals():
    data = faces()
    evaluation = evaluated(data, perfect(data))
    assert not any(evaluation.intervals.values())
    assert evaluation.scores["replicates"].shape == (0, 2)
