"""Which pairs a set of labelled faces yields: counts, disjoint folds, balance, the drawing."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from faceassay.contracts import DataError
from faceassay_protocols.pairing import fold_pairs


def listed(labels, people, folds=10, same_per_fold=None, seed=0):
    return fold_pairs(np.asarray(labels), people, folds=folds, same_per_fold=same_per_fold, seed=seed)


def orl():
    return np.repeat(np.arange(20), 10)


def test_orl_yields_1800_pairs_ninety_of_each_kind_per_fold():
    pairs = listed(orl(), 20)
    assert len(pairs.fold) == 1800
    assert Counter(zip(pairs.fold.tolist(), pairs.is_same.tolist(), strict=True)) == {
        (fold, same): 90 for fold in range(10) for same in (True, False)
    }


def test_same_pairs_come_before_different_ones_in_each_fold():
    pairs = listed(orl(), 20)
    np.testing.assert_array_equal(pairs.is_same, np.tile(np.repeat([True, False], 90), 10))
    np.testing.assert_array_equal(pairs.fold, np.repeat(np.arange(10), 180))


def test_same_pairs_are_all_pairs_of_one_person():
    pairs = listed(orl(), 20)
    got = set(zip(pairs.first[pairs.is_same].tolist(), pairs.second[pairs.is_same].tolist(), strict=True))
    assert got == {(i, j) for i, j in combinations(range(200), 2) if i // 10 == j // 10}


def test_different_pairs_are_distinct_and_of_two_people():
    pairs = listed(orl(), 20)
    first, second = pairs.first[~pairs.is_same], pairs.second[~pairs.is_same]
    assert (orl()[first] != orl()[second]).all()
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == 900


def test_no_person_is_in_two_folds():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 6))
    pairs = listed(labels, 30)
    folds_of = {
        (person, fold)
        for rows in (pairs.first, pairs.second)
        for person, fold in zip(labels[rows], pairs.fold, strict=True)
    }
    assert Counter(person for person, _ in folds_of) == dict.fromkeys(range(30), 1)
    assert {(person, person // 3) for person in range(30)} == folds_of


def test_labels_in_any_order_give_pairs_of_the_right_kind():
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(6), [3, 9, 5, 4, 8, 2]))
    pairs = listed(labels, 6, folds=2)
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.is_same)


def test_all_different_pairs_are_taken_where_they_are_the_fewer():
    """Two people with 10 and 2 images have 46 same pairs and 20 different ones."""
    pairs = listed(np.repeat([0, 1, 2, 3], [10, 2, 10, 2]), 4, folds=2)
    assert Counter(pairs.is_same.tolist()) == {True: 40, False: 40}
    assert set(zip(pairs.first[20:40].tolist(), pairs.second[20:40].tolist(), strict=True)) == {
        (i, j) for i in range(10) for j in (10, 11)
    }


def test_the_limit_draws_from_all_same_pairs():
    drawn = Counter()
    for seed in range(200):
        pairs = listed(np.repeat([0, 1, 2, 3], 3), 4, folds=2, same_per_fold=2, seed=seed)
        assert Counter(pairs.is_same.tolist()) == {True: 4, False: 4}
        drawn.update(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    one_fold = set(combinations(range(6), 2)) | set(combinations(range(6, 12), 2))
    assert set(drawn) == one_fold


def test_every_different_pair_is_equally_likely():
    """500 draws of 2 of 4 different pairs: each is drawn 250 times with a spread of sqrt(500 / 4) = 11.2."""
    drawn = Counter()
    for seed in range(500):
        pairs = listed(np.repeat([0, 1, 2, 3], 2), 4, folds=2, seed=seed)
        drawn.update(zip(pairs.first[2:4].tolist(), pairs.second[2:4].tolist(), strict=True))
    assert set(drawn) == {(0, 2), (0, 3), (1, 2), (1, 3)}
    assert all(abs(count - 250) < 5 * 11.2 for count in drawn.values())


def test_the_seed_alone_decides_which_pairs():
    one, again, other = listed(orl(), 20), listed(orl(), 20), listed(orl(), 20, seed=1)
    np.testing.assert_array_equal(one.second, again.second)
    assert not np.array_equal(one.second, other.second)


def test_a_person_more_changes_no_other_fold():
    more = listed(np.append(orl(), 19), 20)
    np.testing.assert_array_equal(more.second[:1620], listed(orl(), 20).second[:1620])


def test_the_pairs_of_orl_are_pinned():
    """A benchmark's pairs are part of its definition: should NumPy draw otherwise one day, this must be noticed."""
    pairs = listed(orl(), 20)
    content = np.stack([pairs.first, pairs.second], axis=1).astype("<i8").tobytes()
    assert hashlib.sha256(content).hexdigest() == "601025b4bba67dabaf4be94a535fb0f320ebc72a8fbd68983757dc50166c65b8"


def test_people_that_do_not_fill_the_folds_evenly_are_refused_with_the_remedy():
    with pytest.raises(DataError, match="25 people cannot be dealt evenly into 10 folds: set folds to 5, or keep 20"):
        listed(np.repeat(np.arange(25), 3), 25)


def test_a_prime_number_of_people_has_the_other_remedy_only():
    with pytest.raises(DataError, match="into 3 folds: keep 6 people"):
        listed(np.repeat(np.arange(7), 3), 7, folds=3)


def test_too_few_people_for_any_folds_are_told_how_many_are_needed():
    with pytest.raises(DataError, match="into 10 folds: 20 people or more are needed"):
        listed(np.repeat(np.arange(3), 3), 3)


def test_one_person_per_fold_is_refused_with_fold_and_counts():
    with pytest.raises(DataError, match="fold 1 of 10 has 1 people, 45 same and 0 different pairs"):
        listed(np.repeat(np.arange(10), 10), 10)


def test_a_fold_of_people_with_one_image_is_refused_with_fold_and_counts():
    with pytest.raises(DataError, match="fold 2 of 2 has 2 people, 0 same and 1 different pairs"):
        listed([0, 0, 1, 1, 2, 3], 4, folds=2)


def test_a_fold_of_people_without_images_is_refused():
    with pytest.raises(DataError, match="fold 2 of 2 has 2 people, 0 same and 0 different"):
        listed([0, 0, 1, 1], 4, folds=2)
