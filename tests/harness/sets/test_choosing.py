"""Rules of a choice: totals, bounds, seeds, and that the order in which a set is stored plays no part."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay.sets.choosing import NAMED_RULES, Rule, choose
from stored_faces import StoredFaces, counted_faces

WEBFACE160K = NAMED_RULES["webface160k"]


def nothing(done):
    pass


def chosen(data, rule):
    return choose(data, rule, nothing)


def counts_of(items):
    return np.array([len(ids) for ids in items.values()])


def contents_of(data, items):
    """Return the chosen contents of each identity, sorted."""
    content = dict(zip(data.item_ids, data.contents, strict=True))
    return {name: sorted(content[item] for item in ids) for name, ids in items.items()}


@pytest.fixture(scope="module")
def made_up():
    """20,000 people with as unequal numbers of images as a set from the web, and what webface160k chooses of them."""
    drawn = np.random.default_rng(0).lognormal(2.6, 1.0, 20_000)
    data = counted_faces(np.clip(drawn.astype(int), 1, 500))
    return data, chosen(data, WEBFACE160K)


def test_no_rule_keeps_everything():
    data = counted_faces([3, 1, 2])
    assert chosen(data, Rule()) == {"p0": ("i0", "i1", "i2"), "p1": ("i3",), "p2": ("i4", "i5")}


def test_identities_with_too_few_images_are_left_out():
    assert list(chosen(counted_faces([3, 1, 2]), Rule(low=2))) == ["p0", "p2"]


def test_of_the_others_no_more_than_the_most_are_kept():
    assert counts_of(chosen(counted_faces([3, 9, 2]), Rule(low=2, high=4))).tolist() == [3, 4, 2]


def test_named_identities():
    assert list(chosen(counted_faces([2, 2, 2]), Rule(identities=("p2", "p0")))) == ["p0", "p2"]


def test_range_of_identities():
    assert list(chosen(counted_faces([2, 2, 2, 2]), Rule(identities="p1..p2"))) == ["p1", "p2"]


def test_unknown_identity_is_refused():
    with pytest.raises(DataError, match="no such identity among the 2 of this set: 'p7'"):
        chosen(counted_faces([2, 2]), Rule(identities=("p7",)))


def test_drawn_identities_are_the_first_by_their_hash():
    data = counted_faces([2] * 30)
    by_hash = sorted(
        data.identities, key=lambda name: hashlib.sha256(json.dumps([5, "identity", name]).encode()).digest()
    )
    assert set(chosen(data, Rule(count=7, seed=5))) == set(by_hash[:7])


def test_kept_images_are_the_first_by_the_hash_of_their_content():
    data = counted_faces([20])

    def place(row):
        content = hashlib.sha256(data.contents[row]).hexdigest()
        return hashlib.sha256(json.dumps([3, "image", "p0", content]).encode()).digest()

    kept = sorted(sorted(range(20), key=place)[:6])
    assert chosen(data, Rule(high=6, seed=3)) == {"p0": tuple(f"i{row}" for row in kept)}


def test_total_is_filled_from_those_between_fewest_and_most_by_one_order():
    """Brute force: no image that is left out comes before one that was added, but where its identity is full."""
    data, rule = counted_faces([4, 30, 12, 7]), Rule(low=4, high=10, images=22, seed=1)

    def place(row):
        content = hashlib.sha256(data.contents[row]).hexdigest()
        name = data.identities[data.labels[row]]
        return hashlib.sha256(json.dumps([1, "image", name, content]).encode()).digest()

    ranked = [sorted(np.flatnonzero(data.labels == label).tolist(), key=place) for label in range(4)]
    spare = sorted((row for rows in ranked for row in rows[4:10]), key=place)
    expected = [row for rows in ranked for row in rows[:4]] + spare[:6]
    assert sorted(item for ids in chosen(data, rule).values() for item in ids) == sorted(f"i{row}" for row in expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=12), st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_set_and_the_ids_of_its_images_play_no_part(counts, seed, random):
    data = counted_faces(counts)
    rule = Rule(low=1, high=5, count=2, images=2, seed=seed)
    order = list(range(len(data)))
    random.shuffle(order)
    moved = data.in_order(order)
    names = random.sample(list(data.identities), len(data.identities))
    relabelled = np.array([names.index(data.identities[label]) for label in moved.labels])
    renamed = StoredFaces(moved.contents, relabelled, tuple(names), tuple(f"x{row}" for row in range(len(data))))
    assert contents_of(renamed, chosen(renamed, rule)) == contents_of(data, chosen(data, rule))


def test_adding_an_identity_moves_no_image_of_the_others():
    rule = Rule(high=3)
    few, more = counted_faces([9, 9]), counted_faces([9, 9, 9])
    assert chosen(more, rule) | chosen(few, rule) == chosen(more, rule)


def test_another_seed_is_another_draw():
    data = counted_faces([9] * 40)
    first, second = (chosen(data, Rule(high=3, count=10, seed=seed)) for seed in (0, 1))
    assert set(first) != set(second)


def test_same_seed_is_the_same_draw():
    data, rule = counted_faces([9] * 40), Rule(high=3, count=10, seed=4)
    assert chosen(data, rule) == chosen(data, rule)


def test_too_few_identities_are_counted():
    with pytest.raises(DataError, match=r"2 of 3 identities have at least 2 images, fewer than the 3 to draw"):
        chosen(counted_faces([2, 1, 2]), Rule(low=2, count=3))


@pytest.mark.parametrize("images", [3, 9])
def test_a_total_out_of_reach_is_refused(images):
    with pytest.raises(DataError, match=f"give 4 to 8 images, the rule wants {images}"):
        chosen(counted_faces([5, 4]), Rule(low=2, high=4, images=images))


def test_unreadable_image_is_an_error():
    data = counted_faces([5])
    data.contents[3] = None
    with pytest.raises(DataError, match="i3 cannot be read"):
        chosen(data, Rule(high=2))


def test_progress_tells_the_images_that_were_read():
    told = []
    choose(counted_faces([5, 2, 7]), Rule(high=4), told.append)
    assert told == [7, 5] or told == [5, 7]


def test_webface160k_is_the_size_that_the_paper_states(made_up):
    """ScoreMix, section 4.1: about 10,000 identities, each represented by 11 to 24 samples, 160K images."""
    counts = counts_of(made_up[1])
    assert (len(counts), counts.sum(), counts.min(), counts.max()) == (10_000, 160_000, 11, 24)


def test_webface160k_uses_all_numbers_of_images_between(made_up):
    assert set(counts_of(made_up[1])) == set(range(11, 25))


def test_webface160k_keeps_more_of_whoever_has_more(made_up):
    data, items = made_up
    there = dict(zip(data.identities, np.bincount(data.labels), strict=True))
    kept = [np.mean([len(ids) for name, ids in items.items() if there[name] >= limit]) for limit in (11, 30, 80)]
    assert kept == sorted(set(kept))


def test_webface160k_refuses_a_set_that_is_too_small():
    with pytest.raises(DataError, match="0 of 2 identities have at least 11 images, fewer than the 10,000 to draw"):
        chosen(counted_faces([9, 9]), WEBFACE160K)
