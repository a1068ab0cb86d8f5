"""TinyFace under every convention that has it against sorting the gallery, and what stands beside the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from faceassay.contracts import DataError, Features
from faceassay_protocols.tinyface import TinyFace
from miniatures.tinyface import write_tinyface

FLIPS = {"insightface_eval_ijbc": True, "adaface": True, "cvlface": True, "tface": False, "facexzoo": False}
RANKS = (1, 2, 5, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return 12 people with 3 probes and 2 mates each, and 40 distractors."""
    path = tmp_path_factory.mktemp("tinyface")
    return write_tinyface(path, people=12, probes_per_person=3, gallery_per_person=2, distractors=40, aligned=False)


def on(folder, **parameters):
    return TinyFace(
        path=folder, **{"counts": "warn", "other_sizes": "resize", "ranks": RANKS, "replicates": 0, **parameters}
    )


def opened(protocol):
    return protocol.reader().open(None)


def person_of(name):
    """Return the identity that the name of an image begins with, None for a distractor."""
    kind, file = name.split("/")
    return None if kind == "Gallery_Distractor" else int(file.split("_")[0])


def features(pack, seed=0, spread=1.4, width=12):
    rng = np.random.default_rng(seed)
    centres = {person: rng.normal(size=width) for person in sorted({*map(person_of, pack.names)} - {None})}
    of_each = [centres.get(person_of(name), rng.normal(size=width)) for name in pack.names]
    lengths = rng.uniform(0.1, 10, (len(pack), 1))
    return Features(*((of_each + rng.normal(0, spread, (len(pack), width))) * lengths for _ in range(2)))


def sorted_rates(pack, shown, flip, ranks=RANKS):
    """Return the rates found by sorting the whole gallery for each probe by cosine, as the field does."""
    rows = shown.embeddings + (shown.flipped if flip else 0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    probes = [row for row, name in enumerate(pack.names) if name.startswith("Probe/")]
    gallery = [row for row in range(len(pack)) if row not in probes]
    hits = []
    for probe in probes:
        falling = sorted(gallery, key=lambda row: -np.dot(unit[probe], unit[row]))
        right = [person_of(pack.names[row]) == person_of(pack.names[probe]) for row in falling]
        hits.append([any(right[:k]) for k in ranks])
    return np.mean(hits, axis=0).tolist()


# --- numbers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("convention", FLIPS)
def test_rates_are_those_of_sorting_the_gallery(convention, seed, folder):
    protocol = on(folder, conventions=(convention,))
    pack = opened(protocol)
    shown = features(pack, seed)
    metrics = protocol.evaluate(pack, shown).metrics
    word = "flip-sum" if FLIPS[convention] else "no-flip"
    assert list(metrics) == [f"rank:{k}/{convention}/cosine/{word}" for k in RANKS]
    assert list(metrics.values()) == sorted_rates(pack, shown, FLIPS[convention])
    assert 0.1 < min(metrics.values()) < max(metrics.values())


def test_all_are_the_conventions_that_have_an_identification_protocol(folder):
    protocol = on(folder, conventions=("all",), ranks=(1, 20))
    pack = opened(protocol)
    evaluation = protocol.evaluate(pack, features(pack))
    assert (
        tuple(evaluation.metrics)
        == protocol.metric_ids()
        == (
            "rank:1/adaface/cosine/flip-sum",
            "rank:20/adaface/cosine/flip-sum",
            "rank:1/cvlface/cosine/flip-sum",
            "rank:20/cvlface/cosine/flip-sum",
        )
    )
    assert evaluation.cautions == {}


def test_by_default_it_is_adaface_at_ranks_1_5_20(folder):
    assert TinyFace(path=folder).metric_ids() == tuple(f"rank:{k}/adaface/cosine/flip-sum" for k in (1, 5, 20))


@pytest.mark.parametrize("convention", FLIPS)
def test_a_convention_without_tinyface_has_a_caution(convention, folder):
    protocol = on(folder, conventions=(convention,), ranks=(1, 5))
    pack = opened(protocol)
    cautions = protocol.evaluate(pack, features(pack)).cautions
    if convention in ("adaface", "cvlface"):
        assert cautions == {}
    else:
        assert set(cautions) == set(protocol.metric_ids())
        assert set(cautions.values()) == {
            f"{convention} has no TinyFace evaluation: only its use of the mirrored image is taken over"
        }


@pytest.mark.parametrize("convention", FLIPS)
def test_embeddings_that_are_all_alike_have_a_caution(convention, folder):
    protocol = on(folder, conventions=(convention,), ranks=(1, 5))
    pack = opened(protocol)
    alike = np.ones((len(pack), 8), np.float32)
    cautions = protocol.evaluate(pack, Features(alike, alike)).cautions
    assert {name: caution[:27] for name, caution in cautions.items()} == dict.fromkeys(
        protocol.metric_ids(), "every pair scores the same:"
    )


# --- beside the numbers


def test_intervals_resample_the_people_of_the_probes(folder):
    protocol = on(folder, conventions=("adaface", "tface"), ranks=(1, 5), replicates=50)
    pack = opened(protocol)
    evaluation = protocol.evaluate(pack, features(pack))
    drawn = evaluation.scores["replicates"]
    assert drawn.shape == (50, 4)
    for column, (name, value) in zip(drawn.T, evaluation.metrics.items(), strict=True):
        [interval] = evaluation.intervals[name]
        assert (interval.population, interval.method) == ("identities", "percentile bootstrap, 50 replicates")
        assert (interval.low, interval.high) == pytest.approx(np.percentile(column, [2.5, 97.5]))
        assert interval.low <= value <= interval.high
    np.testing.assert_allclose(drawn * 36, np.round(drawn * 36), atol=1e-9)  # 12 people of 3 probes


def test_replicates_of_equal_cosines_are_equal(folder):
    protocol = on(folder, replicates=30)
    pack = opened(protocol)
    shown = features(pack)
    longer = Features(2 * shown.embeddings, 2 * shown.flipped)
    one, other = (protocol.evaluate(pack, of).scores["replicates"] for of in (shown, longer))
    np.testing.assert_array_equal(one - other, np.zeros((30, 4)))


def test_without_replicates_there_are_no_intervals(folder):
    protocol = on(folder)
    pack = opened(protocol)
    evaluation = protocol.evaluate(pack, features(pack))
    assert not any(evaluation.intervals.values())
    assert evaluation.scores["replicates"].shape == (0, 4)


def test_kept_ranks_suffice_to_compute_the_rates_again(folder):
    protocol = on(folder, conventions=("adaface", "tface"))
    pack = opened(protocol)
    evaluation = protocol.evaluate(pack, features(pack))
    for convention, word in (("adaface", "flip-sum"), ("tface", "no-flip")):
        rank = evaluation.scores[f"rank-{word}"]
        for k in RANKS:
            assert evaluation.metrics[f"rank:{k}/{convention}/cosine/{word}"] == np.mean(rank <= k)
    names = [pack.people[person] for person in evaluation.scores["probe_identity"]]
    assert names == [str(person_of(name)) for name in pack.names[:36]]


# --- what is missing


@pytest.mark.parametrize("parameters", [{"conventions": ("lfw",)}, {"ranks": (0,)}, {"ranks": ()}, {"replicates": -1}])
def test_unknown_names_and_values_out_of_bounds_are_refused(parameters, folder):
    with pytest.raises(ValidationError):
        on(folder, **parameters)


@pytest.mark.parametrize("convention", FLIPS)
def test_a_convention_with_flip_needs_the_mirrored_images(convention, folder):
    protocol = on(folder, conventions=(convention,))
    pack = opened(protocol)
    shown = features(pack)
    plain = Features(shown.embeddings, None)
    if FLIPS[convention]:
        with pytest.raises(DataError, match="embeddings of the mirrored images, which are not there"):
            protocol.evaluate(pack, plain)
    else:
        assert protocol.evaluate(pack, plain).metrics == protocol.evaluate(pack, shown).metrics


@pytest.mark.parametrize("rows", [99, 101])
def test_another_number_of_embeddings_is_refused(rows, folder):
    protocol = on(folder)
    wrong = np.ones((rows, 4))
    with pytest.raises(DataError, match=f"{rows} embeddings for the 100 images"):
        protocol.evaluate(opened(protocol), Features(wrong, wrong))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "hold NaN"), (0, "have length zero")])
def test_embeddings_that_cannot_be_compared_are_named_by_image(value, said, folder):
    protocol = on(folder, conventions=("tface",))
    pack = opened(protocol)
    broken = features(pack).embeddings.copy()
    broken[[2, 99]] = value
    with pytest.raises(DataError, match=rf"{pack.names[2]}, {pack.names[99]} \(2 of 100\) {said}"):
        protocol.evaluate(pack, Features(broken, None))
