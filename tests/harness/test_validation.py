"""How a state of a training is measured: pairs and area under the curve against brute force, points, fixed batches."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay import validation
from faceassay.contracts import Chosen, FaceassayError
from faceassay.validation import PairValidation, area_under_curve, different_pairs, same_pairs
from fakes import ArrayDataset, toy_faces

SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=12)
PEOPLE = st.lists(st.integers(0, 4), min_size=3, max_size=14).filter(lambda labels: 2 <= len(set(labels)) < len(labels))
EVERY = 10**6


def as_sets(pairs):
    found = {frozenset(pair) for pair in pairs.tolist()}
    assert len(found) == len(pairs)
    return found


def pixels_as_embedding(images):
    return images.reshape(len(images), -1)[:, :7].astype(np.float32)


# --- area under the curve


@given(same=SCORES, different=SCORES)
def test_the_area_is_the_chance_that_a_same_pair_scores_higher(same, different):
    wins = [1.0 if one > other else 0.5 if one == other else 0.0 for one in same for other in different]
    area = area_under_curve(np.array(same, np.float64), np.array(different, np.float64))
    assert area == pytest.approx(sum(wins) / len(wins), rel=1e-15)


@pytest.mark.parametrize(
    ("same", "different", "area"),
    [([1.0], [0.0], 1.0), ([0.0], [1.0], 0.0), ([0.5], [0.5], 0.5), ([3, 1], [2, 0, 0, 0], 7 / 8)],
)
def test_areas_known_in_closed_form(same, different, area):
    assert area_under_curve(np.array(same, np.float64), np.array(different, np.float64)) == area


# --- pairs


@given(labels=PEOPLE)
def test_without_a_limit_every_pair_is_there_once(labels):
    array = np.array(labels)
    every = {frozenset(pair) for pair in combinations(range(len(labels)), 2)}
    alike = {pair for pair in every if len({labels[i] for i in pair}) == 1}
    assert as_sets(same_pairs(array, EVERY)) == alike
    assert as_sets(different_pairs(array, EVERY)) == every - alike


@given(labels=PEOPLE, limit=st.integers(1, 5))
def test_a_sample_has_pairs_of_its_kind_once_each(labels, limit):
    array = np.array(labels)
    for sampled, every in ((f(array, limit), f(array, EVERY)) for f in (same_pairs, different_pairs)):
        assert as_sets(sampled) <= as_sets(every)
        assert len(sampled) == min(limit, len(every))


def test_a_sample_is_the_same_every_time_and_reaches_everybody():
    labels = np.repeat(np.arange(50), 20)
    for draw in (same_pairs, different_pairs):
        first = draw(labels, 400)
        assert np.array_equal(first, draw(labels, 400))
        people = {int(label) for label in labels[first].ravel()}
        # of 400 pairs one person is missed with a chance of at most (49 / 50) ** 400 < 4e-4, in either kind
        assert len(people) == 50


def test_pairs_are_numbered_exactly_where_there_are_very_many():
    """A person with three million images has 4.5e12 pairs: more than a root in float64 can number without care."""
    last = 3_000_000
    number = np.array([0, 1, 2, 3, last * (last - 1) // 2 - 1, last * (last - 1) // 2])
    first, second = validation._unranked(number)
    assert first.tolist() == [0, 0, 1, 0, last - 2, 0]
    assert second.tolist() == [1, 2, 2, 3, last - 1, last]


def test_a_person_with_one_image_is_in_different_pairs_alone():
    labels = np.array([0, 1, 0, 2])
    assert as_sets(same_pairs(labels, EVERY)) == {frozenset({0, 2})}
    assert len(different_pairs(labels, EVERY)) == 5


# --- when


@pytest.mark.parametrize(
    ("updates", "checks", "points"),
    [
        (100, 4, (25, 50, 75, 100)),
        (10, 3, (4, 7, 10)),
        (3, 5, (1, 2, 3)),
        (1, 2, (1,)),
        (26 * 7, 26, tuple(range(7, 183, 7))),
    ],
)
def test_states_are_measured_evenly_and_at_the_end(updates, checks, points):
    assert PairValidation(toy_faces(), checks, EVERY).points(updates) == points


# --- the score


def test_the_score_is_the_area_over_the_cosines_of_all_pairs():
    faces = toy_faces(identities=5, per_identity=4, noise=60)
    embedded = pixels_as_embedding(faces.pixels).astype(np.float64)
    scores = {True: [], False: []}
    for i, j in combinations(range(20), 2):
        cosine = embedded[i] @ embedded[j] / np.linalg.norm(embedded[i]) / np.linalg.norm(embedded[j])
        scores[bool(faces.labels[i] == faces.labels[j])].append(cosine)
    wins = np.mean([[one > other for other in scores[False]] for one in scores[True]])
    assert 0.5 < wins < 1
    assert PairValidation(faces, 2, EVERY).score(pixels_as_embedding) == pytest.approx(wins, rel=1e-12)


def test_only_images_of_pairs_are_embedded_in_fixed_batches(monkeypatch):
    monkeypatch.setattr(validation, "IMAGES_AT_ONCE", 5)
    monkeypatch.setattr(validation, "PAIRS_AT_ONCE", 2)
    faces, seen = toy_faces(identities=5, per_identity=4, noise=60), []

    def embed(images):
        seen.append(len(images))
        return pixels_as_embedding(images)

    few = PairValidation(faces, 2, 3)
    score = few.score(embed)
    assert sum(seen) == few.images <= 12
    assert set(seen[:-1]) <= {5}
    monkeypatch.setattr(validation, "CACHED_BYTES", 0)
    assert PairValidation(faces, 2, 3).score(embed) == score


def test_an_embedding_of_length_zero_is_like_no_other():
    """Its cosines count as 0: same pairs score 0 and 1, different ones 1, 1, 0, 0."""
    faces = toy_faces(identities=2, per_identity=2)
    embedded = np.array([[1, 0], [0, 0], [1, 0], [1, 0]], np.float32)
    assert PairValidation(faces, 2, EVERY).score(lambda images: embedded) == ((0.5 + 0.5) + (0.5 + 0.5 + 1 + 1)) / 8


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_no_score(bad):
    faces = toy_faces()
    with pytest.raises(FaceassayError, match="not finite"):
        PairValidation(faces, 2, EVERY).score(lambda images: np.full((len(images), 3), bad, np.float32))


def test_a_fingerprint_tells_of_images_checks_and_pairs():
    faces, other = toy_faces(), toy_faces(seed=1)
    made = [PairValidation(*a) for a in ((faces, 2, 9), (other, 2, 9), (faces, 3, 9), (faces, 2, 8))]
    assert len({one.fingerprint for one in made}) == 4
    assert PairValidation(ArrayDataset(faces.pixels, faces.labels, faces.identities), 2, 9).fingerprint == (
        made[0].fingerprint
    )


# --- the choice


@pytest.mark.parametrize(
    ("scores", "update"),
    [
        ([(5, 0.7)], 5),
        ([(5, 0.7), (9, 0.8)], 9),
        ([(5, 0.8), (7, 0.8), (9, 0.8)], 5),
        ([(5, 0.1), (7, 0.9), (9, 0.3)], 7),
    ],
)
def test_the_best_state_is_chosen_of_equal_ones_the_earliest(scores, update):
    assert Chosen.best_of(scores) == Chosen(update, tuple(scores))
    assert Chosen.best_of(scores).score == max(score for _, score in scores)
