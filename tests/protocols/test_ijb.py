"""IJB-B and IJB-C under every convention against the procedure of public code, written out as loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_curve

from faceassay.contracts import DataError, Features
from faceassay_protocols.ijb import IjbB, IjbC
from miniatures.ijb import write_ijb

SETTINGS = {
    # convention: (flip, keeps the norm, detector score)
    "insightface_eval_ijbc": (True, True, True),
    "adaface": (True, True, False),
    "cvlface": (True, False, True),
    "tface": (False, False, False),
    "facexzoo": (False, False, True),
    "keep_det_noflip": (False, True, True),
    "one_nodet_flip": (True, False, False),
    "keep_nodet_noflip": (False, True, False),
}
NAMED = list(SETTINGS)[:5]
FPRS = (0.004, 0.02, 0.1, 0.3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return IJB-C with 10 subjects: 30 templates of 5 images each, 20 genuine and 180 impostor pairs."""
    return write_ijb(tmp_path_factory.mktemp("ijb"), "ijb-c", subjects=10)


def protocol_on(written, **parameters):
    return IjbC(path=written.path, **{"fprs": FPRS, "replicates": 0, **parameters})


def opened(protocol):
    return protocol.reader().open(None)


def features(written, seed=0, spread=2.5, width=8):
    """Return embeddings around the subjects' centres, whose lengths differ by a factor of up to 10."""
    rng = np.random.default_rng(seed)
    centres = {subject: rng.normal(size=width) for subject in sorted(set(written.subject_of.values()))}
    centre = np.array([centres[written.subject_of[template]] for template in written.templates])
    lengths = rng.uniform(0.5, 5, (len(centre), 1))
    plain, mirrored = ((centre + rng.normal(0, spread, centre.shape)) * lengths for _ in range(2))
    return Features(plain.astype(np.float32), mirrored.astype(np.float32))


def scored_by_loops(written, shown, flip, keep_norm, detector):
    """Return the score of every pair: one template, one medium, one image after the other."""
    templates = {}
    for template in sorted(set(written.templates)):
        rows = [row for row, number in enumerate(written.templates) if number == template]
        pooled = np.zeros(shown.embeddings.shape[1])
        for medium in sorted({written.media[row] for row in rows}):
            of_medium = []
            for row in (row for row in rows if written.media[row] == medium):
                image = shown.embeddings[row].astype(np.float64)
                if flip:
                    image = image + shown.flipped[row].astype(np.float64)
                if not keep_norm:
                    image = image / np.sqrt(np.dot(image, image))
                of_medium.append(image * written.scores[row] if detector else image)
            pooled += np.mean(of_medium, axis=0)
        templates[template] = pooled / np.sqrt(np.dot(pooled, pooled))
    return np.array([np.dot(templates[one], templates[other]) for one, other, _ in written.pairs])


def tar_of_reference(scores, labels, target):
    """Return the point that insightface's evaluation takes: reversed curve, first smallest distance of the FPR."""
    fpr, tpr, _ = roc_curve(labels, scores)
    fpr, tpr = np.flipud(fpr), np.flipud(tpr)
    _, index = min([*zip(abs(fpr - target), range(len(fpr)), strict=True)])
    return tpr[index]


def labels(written):
    return np.array([label for *_, label in written.pairs])


def words(name):
    flip, keep_norm, detector = SETTINGS[name]
    return "/".join(
        (
            "flip-sum" if flip else "no-flip",
            "norm-kept" if keep_norm else "norm-one",
            "det" if detector else "no-det",
        )
    )


# --- numbers


@pytest.mark.parametrize("seed", range(3))
def test_all_eight_settings_are_those_of_the_loops(seed, written):
    protocol = protocol_on(written, conventions=("all",))
    shown = features(written, seed)
    evaluation = protocol.evaluate(opened(protocol), shown)
    is_same = labels(written) == 1
    for name, setting in SETTINGS.items():
        expected = scored_by_loops(written, shown, *setting)
        np.testing.assert_allclose(evaluation.scores[f"genuine-{name}"], expected[is_same], rtol=0, atol=1e-12)
        falling = np.sort(expected[~is_same])[::-1]
        np.testing.assert_allclose(evaluation.scores[f"impostors-{name}"], falling, rtol=0, atol=1e-12)
        for target, spelled in zip(FPRS, ("4e-3", "2e-2", "1e-1", "3e-1"), strict=True):
            identity = f"tar_at_fpr:{spelled}/{name}/nearest/{words(name)}/float64"
            tar = tar_of_reference(expected, labels(written), target)
            assert evaluation.metrics[identity] == pytest.approx(tar, abs=1e-12)
    assert len({*evaluation.metrics.values()}) > 8


@pytest.mark.parametrize("convention", NAMED)
def test_a_named_convention_alone_is_that_of_all(convention, written):
    protocol = protocol_on(written, conventions=(convention,))
    alone = protocol.evaluate(opened(protocol), features(written)).metrics
    every = protocol_on(written, conventions=("all",))
    together = every.evaluate(opened(every), features(written)).metrics
    assert alone.items() <= together.items()
    assert len(alone) == 4


def test_single_precision_is_another_metric_of_nearly_the_same_number(written):
    double, single = (protocol_on(written, dtype=dtype) for dtype in ("float64", "float32"))
    assert not {*double.metric_ids()} & {*single.metric_ids()}
    one, other = (each.evaluate(opened(each), features(written)) for each in (double, single))
    name = "genuine-insightface_eval_ijbc"
    assert (one.scores[name].dtype, other.scores[name].dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(other.scores[name], one.scores[name], atol=1e-6)
    assert list(other.metrics.values()) == pytest.approx(list(one.metrics.values()), abs=0.051)  # one genuine pair


@pytest.mark.parametrize("cls", [IjbB, IjbC])
def test_both_benchmarks_are_evaluated_from_their_files(cls, tmp_path):
    made = write_ijb(tmp_path, cls.name, subjects=3)
    protocol = cls(path=made.path, replicates=3)
    evaluation = protocol.evaluate(opened(protocol), features(made, spread=0.1))
    assert set(evaluation.metrics.values()) == {1.0}
    assert tuple(evaluation.metrics) == protocol.metric_ids()


# --- identities


def test_identities_carry_every_setting(written):
    assert IjbC(path=written.path).metric_ids() == tuple(
        f"tar_at_fpr:1e-{k}/insightface_eval_ijbc/nearest/flip-sum/norm-kept/det/float64" for k in range(6, 0, -1)
    )
    assert protocol_on(written, conventions=("adaface", "tface"), fprs=(1e-4, 1e-4)).metric_ids() == (
        "tar_at_fpr:1e-4/adaface/nearest/flip-sum/norm-kept/no-det/float64",
        "tar_at_fpr:1e-4/tface/nearest/no-flip/norm-one/no-det/float64",
    )


def test_all_are_the_eight_settings_each_once(written):
    names = protocol_on(written, conventions=("all",), fprs=(0.1,)).metric_ids()
    found = [tuple(name.split("/")[3:6]) for name in names]
    assert sorted(found) == sorted(product(("flip-sum", "no-flip"), ("norm-kept", "norm-one"), ("det", "no-det")))


@pytest.mark.parametrize("conventions", [("adaface",), ("tface", "cvlface"), ("all",)])
def test_announced_identities_are_those_that_are_computed_in_their_order(conventions, written):
    protocol = protocol_on(written, conventions=conventions, replicates=2)
    evaluation = protocol.evaluate(opened(protocol), features(written))
    assert tuple(evaluation.metrics) == protocol.metric_ids()
    assert evaluation.scores["replicates"].shape == (2, len(evaluation.metrics))


@pytest.mark.parametrize(
    "parameters", [{"conventions": ("N1D1F1",)}, {"fprs": ()}, {"fprs": (0.0,)}, {"dtype": "float16"}]
)
def test_unknown_names_and_values_out_of_bounds_are_refused(parameters, written):
    with pytest.raises(ValidationError):
        protocol_on(written, **parameters)


# --- what is missing


@pytest.mark.parametrize("convention", SETTINGS)
def test_a_convention_with_flip_needs_the_mirrored_images(convention, written):
    protocol = protocol_on(written, conventions=(convention,) if convention in NAMED else ("all",))
    shown = features(written)
    plain = Features(shown.embeddings, None)
    if convention in NAMED and not SETTINGS[convention][0]:
        assert protocol.evaluate(opened(protocol), plain).metrics == (
            protocol.evaluate(opened(protocol), shown).metrics
        )
    else:
        with pytest.raises(DataError, match="embeddings of the mirrored images, which are not there"):
            protocol.evaluate(opened(protocol), plain)


@pytest.mark.parametrize("convention", NAMED)
def test_a_convention_with_detector_scores_needs_them(convention, tmp_path):
    """Aligned images need no landmarks, and their file holds the scores too."""
    made = write_ijb(tmp_path, subjects=4, aligned=True, landmarks=False)
    protocol = protocol_on(made, conventions=(convention,))
    if SETTINGS[convention][2]:
        with pytest.raises(DataError, match=f"convention {convention}: images are weighted by the detector's score"):
            protocol.evaluate(opened(protocol), features(made))
    else:
        assert len(protocol.evaluate(opened(protocol), features(made)).metrics) == 4


@pytest.mark.parametrize("rows", [149, 151])
def test_another_number_of_embeddings_is_refused(rows, written):
    protocol = protocol_on(written)
    wrong = np.ones((rows, 4))
    with pytest.raises(DataError, match=f"{rows} embeddings for the 150 images"):
        protocol.evaluate(opened(protocol), Features(wrong, wrong))


@pytest.mark.parametrize("convention", ["adaface", "tface"])
@pytest.mark.parametrize(("value", "said"), [(np.nan, "hold NaN"), (0, "have length zero")])
def test_embeddings_that_cannot_be_compared_are_named_by_image(value, said, convention, written):
    protocol = protocol_on(written, conventions=(convention,))
    pack, shown = opened(protocol), features(written)
    for rows in (shown.embeddings, shown.flipped):
        rows[[7, 31]] = value
    with pytest.raises(DataError, match=rf"{pack.names[7]}, {pack.names[31]} \(2 of 150\) {said}"):
        protocol.evaluate(pack, shown)
