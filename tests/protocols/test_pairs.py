"""The protocol of pair verification on dealt pairs: metrics, what it keeps, what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from faceassay.contracts import DataError, Features, Pack
from faceassay.contracts.evaluation import METRIC_ID
from faceassay_protocols.pairs import PairVerification
from faceassay_protocols.roc import auc
from faceassay_protocols.verification import pair_distances, ten_fold_accuracy
from fakes import ArrayDataset, toy_faces


class Sealed(ArrayDataset):
    """A dataset whose images must not be decoded."""

    def images(self, index):
        raise AssertionError("decoded")


def orl_like():
    return toy_faces(identities=20, per_identity=10, size=8)


def perfect(data):
    one_hot = np.eye(len(data.identities), dtype=np.float32)[data.labels]
    return Features(one_hot, one_hot)


def opened(data, **parameters):
    return PairVerification(**parameters).reader().open(data)


def evaluated(data, features, replicates=0, **parameters):
    """Evaluate ``features`` of the images of the pack, which are all of ``data`` unless pairs are few."""
    protocol = PairVerification(replicates=replicates, **parameters)
    return protocol.evaluate(protocol.reader().open(data), features)


def noisy(data, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(data.identities), 16))[data.labels]
    plain, flipped = (centres + rng.normal(0, spread, (len(data), 16)) for _ in range(2))
    return Features(plain.astype(np.float32), flipped.astype(np.float32))


def test_metric_identities_carry_their_definition():
    assert PairVerification().metric_ids() == (
        "accuracy:10fold/grid-0.01/flip-sum",
        "tar_at_fpr:1e-2/nearest_exact/flip-sum",
        "auc/flip-sum",
    )


def test_metric_identities_follow_the_parameters():
    protocol = PairVerification(folds=5, flip=False, fprs=(0.0025, 1.0), point_rule="at_most")
    assert protocol.metric_ids() == (
        "accuracy:5fold/grid-0.01/no-flip",
        "tar_at_fpr:2.5e-3/at_most/no-flip",
        "tar_at_fpr:1e0/at_most/no-flip",
        "auc/no-flip",
    )


@pytest.mark.parametrize("rate", [1e-6, 0.123456789, 1.0, 1 / 3])
def test_metric_identities_are_legal(rate):
    assert all(METRIC_ID.fullmatch(metric) for metric in PairVerification(fprs=(rate,)).metric_ids())


def test_a_rate_given_twice_is_one_metric():
    data, rates = orl_like(), (0.01, 0.01, 0.1)
    announced = PairVerification(fprs=rates).metric_ids()
    assert tuple(evaluated(data, perfect(data), fprs=rates).metrics) == announced
    assert len(announced) == 4


def test_parameters_come_from_strict_json():
    document = json.dumps({"folds": 5, "fprs": [0.001, 0.01], "same_per_fold": 30, "point_rule": "nearest"})
    assert PairVerification.model_validate_json(document, strict=True).fprs == (0.001, 0.01)


@pytest.mark.parametrize("parameters", [{"folds": 1}, {"fprs": (0.0,)}, {"point_rule": "x"}, {"same_per_fold": 0}])
def test_parameters_out_of_bounds_are_refused(parameters):
    with pytest.raises(ValidationError):
        PairVerification(**parameters)


def test_perfect_embeddings_score_one():
    data = orl_like()
    assert set(evaluated(data, perfect(data)).metrics.values()) == {1.0}


def test_random_embeddings_are_near_chance():
    """200 images carry the pairs: five standard deviations of a share of 200 independent verdicts are 0.18."""
    data = orl_like()
    plain = np.random.default_rng(5).normal(size=(200, 16)).astype(np.float32)
    metrics = evaluated(data, Features(plain, plain)).metrics
    assert abs(metrics["accuracy:10fold/grid-0.01/flip-sum"] - 0.5) < 5 * 0.5 / np.sqrt(200)
    assert abs(metrics["auc/flip-sum"] - 0.5) < 5 * 0.5 / np.sqrt(200)


def test_scores_suffice_to_compute_the_metrics_again():
    data = orl_like()
    evaluation = evaluated(data, noisy(data))
    scores = evaluation.scores
    distances = scores["distances-flip-sum"]
    again = ten_fold_accuracy(distances, scores["is_same"], folds=scores["fold"])
    assert evaluation.metrics["accuracy:10fold/grid-0.01/flip-sum"] == again.mean
    assert evaluation.metrics["auc/flip-sum"] == auc(-distances, scores["is_same"])
    np.testing.assert_array_equal(scores["fold_accuracy-grid-0.01-flip-sum"], again.fold_accuracy)
    np.testing.assert_array_equal(scores["fold_threshold-grid-0.01-flip-sum"], again.fold_threshold)


def test_distances_are_those_of_the_images_of_each_pair():
    """Each image's embedding is its row number on a circle, so the distance tells which rows were compared."""
    data = orl_like()
    angle = np.arange(200) / 200 * np.pi
    plain = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    pack = opened(data)
    rows = pack.source.rows
    scores = evaluated(data, Features(plain[rows], plain[rows])).scores
    of_pairs = np.stack([rows[pack.first], rows[pack.second]], axis=1)
    np.testing.assert_allclose(scores["distances-flip-sum"], pair_distances(plain[of_pairs.ravel()]), atol=1e-14)
    np.testing.assert_array_equal(scores["first_identity"], data.labels[of_pairs[:, 0]])
    np.testing.assert_array_equal(scores["second_identity"], data.labels[of_pairs[:, 1]])


def test_labels_say_whether_the_two_identities_agree():
    data = orl_like()
    scores = evaluated(data, noisy(data)).scores
    np.testing.assert_array_equal(scores["first_identity"] == scores["second_identity"], scores["is_same"])


def test_mirrored_images_help_where_they_cancel_what_disturbs():
    data = orl_like()
    centres = np.eye(20, dtype=np.float32)[data.labels]
    disturbance = np.random.default_rng(0).normal(0, 3, (200, 20)).astype(np.float32)
    features = Features(centres + disturbance, centres - disturbance)
    assert evaluated(data, features).metrics["auc/flip-sum"] == 1.0
    assert evaluated(data, features, flip=False).metrics["auc/no-flip"] < 0.8


def test_without_flip_the_mirrored_embeddings_are_not_read():
    data = orl_like()
    features = Features(perfect(data).embeddings, np.full((200, 20), np.nan, dtype=np.float32))
    assert evaluated(data, features, flip=False).metrics["auc/no-flip"] == 1.0


def test_unusable_embeddings_are_named():
    data = orl_like()
    broken = np.ones((200, 4), dtype=np.float32)
    broken[17] = np.nan
    with pytest.raises(DataError, match=r"images item17 \(1 of 200\)"):
        evaluated(data, Features(broken, broken))


def test_features_of_other_images_are_refused():
    data = orl_like()
    with pytest.raises(DataError, match="30 embeddings for the 200 images"):
        evaluated(data, Features(np.ones((30, 4), np.float32), np.ones((30, 4), np.float32)))


def test_images_are_listed_without_decoding():
    data = orl_like()
    shown = opened(Sealed(data.pixels, data.labels, data.identities))
    assert isinstance(shown, Pack)
    assert (len(shown), shown.image_size) == (200, 8)


def test_each_image_in_use_is_shown_once():
    data = orl_like()
    pack = opened(data, same_per_fold=2)
    used = [int(name.removeprefix("item")) for name in pack.names]
    assert len(used) < 80
    assert used == sorted(set(used))
    assert {*pack.first.tolist(), *pack.second.tolist()} == set(range(len(pack)))
    np.testing.assert_array_equal(pack.images(np.arange(len(pack))), data.pixels[used])
    np.testing.assert_array_equal(pack.identity, data.labels[used])


def test_the_images_have_a_fingerprint_of_content_and_choice():
    data, other = orl_like(), toy_faces(identities=20, per_identity=10, size=8, seed=1)
    few, other_few = {"same_per_fold": 2}, {"same_per_fold": 2, "pair_seed": 1}
    packs = [opened(data, **few), opened(other, **few), opened(data, **other_few), opened(data)]
    assert len({pack.fingerprint for pack in packs}) == 4
    assert opened(data, **few).fingerprint == opened(orl_like(), **few).fingerprint


def test_folds_of_one_class_are_refused_before_any_image_is_read():
    data = toy_faces(identities=10, per_identity=10, size=8)
    with pytest.raises(DataError, match="fold 1 of 10 has 1 people, 45 same and 0 different pairs"):
        opened(Sealed(data.pixels, data.labels, data.identities))


def test_notes_are_facts_of_the_benchmark_but_for_the_spread_over_folds():
    data = orl_like()
    one, other = (evaluated(data, of(data)).notes for of in (noisy, perfect))
    assert {name for name in one if one[name] != other[name]} == {
        "fold_std (this protocol)",
        "fold_standard_error (this protocol)",
    }


def test_notes_tell_counts_and_population():
    notes = opened(orl_like()).notes
    assert {name: notes[name] for name in ("pairs", "same_pairs", "images", "people", "folds")} == {
        "pairs": 1800,
        "same_pairs": 900,
        "images": 200,
        "people": 20,
        "folds": 10,
    }
    assert "people" in notes["population"]
    assert notes["sha256"] == orl_like().fingerprint


def test_the_curve_rises_from_corner_to_corner():
    data = orl_like()
    curve = evaluated(data, noisy(data)).curves["roc"]
    assert curve.log_x
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(curve.x) >= 0).all()
    assert (np.diff(curve.y) >= 0).all()


def test_images_stored_in_another_order_give_the_same_perfect_score():
    data = orl_like()
    order = np.random.default_rng(3).permutation(200)
    shuffled = ArrayDataset(data.pixels[order], data.labels[order], data.identities)
    assert set(evaluated(shuffled, perfect(shuffled)).metrics.values()) == {1.0}
