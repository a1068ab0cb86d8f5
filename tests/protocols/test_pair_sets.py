"""The pair sets under every convention against the procedures of public code, written out as loops."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_curve
from sklearn.model_selection import KFold

from faceassay.contracts import DataError, Features
from faceassay_protocols.pair_sets import AgeDb30, Calfw, CfpFf, CfpFp, Cplfw, Lfw
from faceassay_protocols.roc import tar_at_fpr
from miniatures.bins import alternating, photographs, write_bin
from miniatures.pairs import write_agedb, write_calfw, write_cfp, write_cplfw, write_lfw

FLIPS = {"insightface_eval_ijbc": True, "adaface": True, "cvlface": True, "tface": True, "facexzoo": False}
ACCURACIES = (
    "accuracy:10fold/insightface_eval_ijbc/grid-0.01/flip-sum",
    "accuracy:10fold/adaface/grid-0.01/flip-sum",
    "accuracy:10fold/cvlface/grid-0.01/flip-sum",
    "accuracy:10fold/tface/grid-0.01/flip-sum",
    "accuracy:10fold/facexzoo/train-range-1000/no-flip",
)
SETS = {
    Lfw: write_lfw,
    CfpFp: write_cfp,
    CfpFf: write_cfp,
    AgeDb30: write_agedb,
    Calfw: write_calfw,
    Cplfw: write_cplfw,
}


@pytest.fixture(scope="module")
def lfw(tmp_path_factory):
    """Return LFW with ten folds of three same and three different pairs."""
    return write_lfw(tmp_path_factory.mktemp("native") / "lfw", same=3)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return an insightface pack of 203 pairs, so that the first three folds are longer than the others."""
    is_same = [pair % 2 == 0 for pair in range(203)]
    return write_bin(tmp_path_factory.mktemp("bin") / "lfw.bin", photographs(406, size=8), is_same)


def opened(protocol):
    return protocol.reader().open(None)


def on(packed, cls=Lfw, **parameters):
    return cls(path=packed, image_size=8, **{"replicates": 0, **parameters})


def features(pack, seed=0, spread=1.2, width=16):
    """Return embeddings in which the images of a same pair are alike, of uneven lengths."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(len(pack), width))
    centre[pack.second[pack.is_same]] = centre[pack.first[pack.is_same]]
    plain, mirrored = (
        (centre + rng.normal(0, spread, centre.shape)) * rng.uniform(0.5, 3, (len(pack), 1)) for _ in range(2)
    )
    return Features(plain.astype(np.float32), mirrored.astype(np.float32))


def cosines(pack, shown, flip):
    """Return the cosine of each pair, one pair after the other."""
    found = []
    for first, second in zip(pack.first, pack.second, strict=True):
        one, other = (
            shown.embeddings[row].astype(np.float64) + (shown.flipped[row].astype(np.float64) if flip else 0)
            for row in (first, second)
        )
        found.append(np.dot(one, other) / np.sqrt(np.dot(one, one) * np.dot(other, other)))
    return np.array(found)


def grid_accuracy(cosine, is_same, folds=10):
    """Return accuracies and thresholds of the folds as facenet's evaluation finds them, which the others copied."""
    distances, found = 2 - 2 * cosine, []
    for train, test in KFold(folds, shuffle=False).split(distances):
        counts = [np.sum((distances[train] < t) == is_same[train]) for t in np.arange(0, 4, 0.01)]
        threshold = np.arange(0, 4, 0.01)[int(np.argmax(counts))]
        found.append((np.mean((distances[test] < threshold) == is_same[test]), threshold))
    return np.array(found).T


def facexzoo_accuracy(cosine, is_same, folds=10):
    """Return accuracies and thresholds (cosines) of the folds as FaceX-Zoo finds them."""
    found = []
    for train, test in KFold(folds, shuffle=False).split(cosine):
        low, high = cosine[train].min(), cosine[train].max()
        thresholds = [low + (high - low) / 1000 * k for k in range(1, 1001)]
        above = [cosine[train] > t for t in thresholds]
        gains = [np.mean(a[is_same[train]]) - np.mean(a[~is_same[train]]) for a in above]
        threshold = thresholds[int(np.argmax(gains))]
        right = np.where(is_same[test], cosine[test] > threshold, cosine[test] < threshold)
        found.append((np.mean(right), threshold))
    return np.array(found).T


REFERENCES = {"grid-0.01": grid_accuracy, "train-range-1000": facexzoo_accuracy}


# --- numbers


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("form", ["native", "bin"])
def test_accuracy_under_every_convention_is_that_of_the_public_code(form, seed, lfw, packed):
    protocol = (
        Lfw(path=lfw, conventions=("all",), replicates=0) if form == "native" else on(packed, conventions=("all",))
    )
    pack = opened(protocol)
    shown = features(pack, seed)
    evaluation = protocol.evaluate(pack, shown)
    assert tuple(evaluation.metrics) == ACCURACIES
    for name, value in evaluation.metrics.items():
        _, convention, rule, _ = name.split("/")
        folds, thresholds = REFERENCES[rule](cosines(pack, shown, FLIPS[convention]), pack.is_same)
        assert 0.5 < value < 0.98
        assert value == pytest.approx(folds.mean(), abs=1e-12)
        assert evaluation.notes[f"fold_std ({convention})"] == pytest.approx(folds.std(), abs=1e-12)
        error = folds.std(ddof=1) / np.sqrt(10)
        assert evaluation.notes[f"fold_standard_error ({convention})"] == pytest.approx(error, abs=1e-12)
        words = f"{rule}-{'flip-sum' if FLIPS[convention] else 'no-flip'}"
        np.testing.assert_allclose(evaluation.scores[f"fold_accuracy-{words}"], folds, atol=1e-12)
        np.testing.assert_allclose(evaluation.scores[f"fold_threshold-{words}"], thresholds, atol=1e-12)


def test_tar_is_the_point_of_scikit_learns_curve_nearest_to_the_rate(packed):
    protocol = on(packed, conventions=("all",), fprs=(0.01, 0.1))
    pack = opened(protocol)
    shown = features(pack, seed=3)
    evaluation = protocol.evaluate(pack, shown)
    for convention, flip in FLIPS.items():
        fpr, tpr, _ = roc_curve(pack.is_same, cosines(pack, shown, flip))
        fpr, tpr = fpr[::-1], tpr[::-1]
        for rate, spelled in ((0.01, "1e-2"), (0.1, "1e-1")):
            nearest = tpr[int(np.argmin(np.abs(fpr - rate)))]
            word = "flip-sum" if flip else "no-flip"
            assert evaluation.metrics[f"tar_at_fpr:{spelled}/{convention}/nearest/{word}"] == nearest


def test_tar_over_all_pairs_counts_every_two_images(lfw):
    protocol = Lfw(path=lfw, conventions=("facexzoo",), all_pairs_fprs=(0.01, 0.001), replicates=0)
    pack = opened(protocol)
    shown = features(pack)
    unit = shown.embeddings / np.linalg.norm(shown.embeddings.astype(np.float64), axis=1, keepdims=True)
    person = np.array([name.split("/")[0] for name in pack.names])
    first, second = np.triu_indices(len(pack), 1)
    is_same = person[first] == person[second]
    expected = tar_at_fpr((unit @ unit.T)[first, second], is_same, [0.01, 0.001], rule="at_most")
    evaluation = protocol.evaluate(pack, shown)
    assert dict(list(evaluation.metrics.items())[1:]) == {
        "tar_at_fpr:1e-2/facexzoo/all-pairs/at_most/no-flip": expected[0.01],
        "tar_at_fpr:1e-3/facexzoo/all-pairs/at_most/no-flip": expected[0.001],
    }
    assert evaluation.notes["all_same_pairs"] == is_same.sum() == 30
    assert evaluation.notes["all_different_pairs"] == (~is_same).sum()


@pytest.mark.parametrize("cls", SETS, ids=lambda cls: cls.name)
def test_every_set_is_evaluated_from_its_native_files(cls, tmp_path):
    """The images of a person share a pattern of 7 x 7 squares, which tells the pairs apart."""
    protocol = cls(path=SETS[cls](tmp_path / "set", same=2), replicates=0)
    pack = opened(protocol)
    pixels = pack.images(np.arange(len(pack)))[:, 8::16, 8::16].reshape(len(pack), -1) - 128.0
    shown = Features(pixels, pixels)
    cosine = cosines(pack, shown, flip=True)
    [(name, value)] = protocol.evaluate(pack, shown).metrics.items()
    assert name == ACCURACIES[0]
    assert min(cosine[pack.is_same]) > max(cosine[~pack.is_same])
    assert value == pytest.approx(grid_accuracy(cosine, pack.is_same)[0].mean(), abs=1e-12)
    assert value > 0.9  # the first best threshold hugs the same pairs of the other folds


# --- identities


def test_identities_carry_convention_definition_and_settings(packed):
    assert on(packed).metric_ids() == ACCURACIES[:1]
    assert on(packed, conventions=("all",)).metric_ids() == ACCURACIES
    assert on(packed, conventions=("facexzoo", "tface")).metric_ids() == (ACCURACIES[4], ACCURACIES[3])


@pytest.mark.parametrize("conventions", [("adaface",), ("facexzoo", "adaface"), ("all",)])
def test_announced_identities_are_those_that_are_computed_in_their_order(conventions, lfw):
    protocol = Lfw(path=lfw, conventions=conventions, fprs=(0.1, 0.01, 0.1), all_pairs_fprs=(0.05, 0.01), replicates=2)
    pack = opened(protocol)
    evaluation = protocol.evaluate(pack, features(pack))
    assert tuple(evaluation.metrics) == protocol.metric_ids()
    assert len(protocol.metric_ids()) == (5 if conventions == ("all",) else len(conventions)) * 5
    assert evaluation.scores["replicates"].shape == (2, len(evaluation.metrics))


@pytest.mark.parametrize(
    "parameters",
    [
        {"conventions": ("arcface",)},
        {"conventions": ()},
        {"fprs": (0.0,)},
        {"all_pairs_fprs": (0.5,)},
        {"replicates": -1},
        {"folds": "1..5"},
    ],
)
def test_unknown_names_and_values_out_of_bounds_are_refused(parameters, packed):
    with pytest.raises(ValidationError):
        on(packed, CfpFp, **parameters)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="no such file or folder"):
        Calfw(path=tmp_path / "missing.bin")


# --- folds


def test_five_official_folds_are_five_folds(lfw):
    protocol = Lfw(path=lfw, folds="6..10", replicates=0)
    assert protocol.metric_ids() == ("accuracy:5fold/insightface_eval_ijbc/grid-0.01/flip-sum",)
    pack = opened(protocol)
    shown = features(pack, seed=1)
    [value] = protocol.evaluate(pack, shown).metrics.values()
    folds, _ = grid_accuracy(cosines(pack, shown, flip=True), pack.is_same, folds=5)
    assert len(pack.first) == 30
    assert value == pytest.approx(folds.mean(), abs=1e-12)
    assert value < 1


def test_a_fold_of_one_class_is_refused_when_the_pack_is_opened(tmp_path):
    is_same = alternating(40)
    is_same[:4] = [True] * 4
    protocol = on(write_bin(tmp_path / "odd.bin", photographs(80, size=8), is_same), Calfw)
    with pytest.raises(DataError, match="fold 1 of 10 holds 4 same and 0 different pairs"):
        opened(protocol)


def test_the_set_a_reader_is_told_is_the_protocol(packed):
    for cls in SETS:
        protocol = on(packed, cls)
        warnings = " ".join(opened(protocol).warnings)
        assert f"has {7000 if cls in (CfpFp, CfpFf) else 6000}" in warnings


# --- what is missing


@pytest.mark.parametrize("convention", FLIPS)
def test_a_convention_with_flip_needs_the_mirrored_images(convention, packed):
    protocol = on(packed, conventions=(convention,))
    pack = opened(protocol)
    plain = Features(features(pack).embeddings, None)
    if FLIPS[convention]:
        with pytest.raises(DataError, match="embeddings of the mirrored images, which are not there"):
            protocol.evaluate(pack, plain)
    else:
        assert protocol.evaluate(pack, plain).metrics == protocol.evaluate(pack, features(pack)).metrics


@pytest.mark.parametrize("rows", [1, 405, 407])
def test_another_number_of_embeddings_is_refused(rows, packed):
    protocol = on(packed)
    wrong = np.ones((rows, 4))
    with pytest.raises(DataError, match=f"{rows} embeddings for the 406 images"):
        protocol.evaluate(opened(protocol), Features(wrong, wrong))


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "hold NaN"), (0, "have length zero"), (np.inf, "hold NaN or inf")]
)
def test_embeddings_that_cannot_be_compared_are_named_by_image(value, said, lfw):
    protocol = Lfw(path=lfw, conventions=("facexzoo",))
    pack = opened(protocol)
    broken = features(pack).embeddings.copy()
    broken[[5, 9]] = value
    with pytest.raises(DataError, match=rf"{pack.names[5]}, {pack.names[9]} \(2 of {len(pack)}\) {said}"):
        protocol.evaluate(pack, Features(broken, None))


def test_a_set_that_an_evaluator_does_not_have_carries_a_caution(tmp_path):
    protocol = CfpFp(path=write_cfp(tmp_path / "cfp"), conventions=("facexzoo", "insightface_eval_ijbc"), replicates=0)
    pack = protocol.reader().open(None)
    rows = np.random.default_rng(0).normal(size=(len(pack), 8)).astype(np.float32)
    (identity,) = protocol.evaluate(pack, Features(rows, rows)).cautions
    assert "facexzoo" in identity


def test_all_pairs_of_a_pack_without_people_are_refused_before_anything_is_read(tmp_path):
    (tmp_path / "lfw.bin").write_bytes(b"not even read")
    with pytest.raises(ValidationError, match="does not say who is in an image: give the native files"):
        Lfw(path=tmp_path / "lfw.bin", all_pairs_fprs=(1e-4,))
