"""Unions of datasets and the balance of their parts, checked against the arrays they look at and closed forms."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.contracts import DataError, FaceDataset
from faceassay.datasets import select_identities
from faceassay.unions import Mixture, Origin, balanced, union
from fakes import ArrayDataset, toy_faces


def named(names, per_identity=2, seed=1, size=8):
    dataset = toy_faces(len(names), per_identity, size=size, seed=seed)
    return ArrayDataset(dataset.pixels, dataset.labels, tuple(names))


def of_size(images):
    """Return a set of one person whose image k is of grey level k."""
    levels = np.arange(images, dtype=np.uint8)
    return ArrayDataset(np.broadcast_to(levels[:, None, None, None], (images, 8, 8, 3)), np.zeros(images, int), ("p",))


@pytest.fixture
def parts():
    return {"first": named(["a", "b"], seed=1), "second": named(["c", "b"], per_identity=3, seed=2)}


def pixels(parts):
    return np.concatenate([part.pixels for part in parts.values()])


def test_a_union_is_a_face_dataset(parts):
    assert isinstance(union(parts), FaceDataset)
    assert isinstance(balanced(union(parts)), FaceDataset)


def test_a_union_appends_new_names(parts):
    assert union(parts).identities == ("a", "b", "c")


def test_a_union_joins_identities_by_name(parts):
    assert union(parts).labels.tolist() == [0, 0, 1, 1, 2, 2, 2, 1, 1, 1]


def test_people_kept_apart_have_names_and_labels_of_their_set(parts):
    both = union(parts, "apart")
    assert both.identities == ("first/a", "first/b", "second/c", "second/b")
    assert both.labels.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3]


def test_sets_with_slashes_in_their_names_stay_apart():
    both = union({"x": named(["y/z"]), "x/y": named(["z"])}, "apart")
    assert len(set(both.labels.tolist())) == len(both.identities) == 2


@pytest.mark.parametrize("people", ["joined", "apart"])
def test_a_union_has_int64_labels(parts, people):
    assert union(parts, people).labels.dtype == np.int64
    assert balanced(union(parts, people)).labels.dtype == np.int64


def test_a_union_without_common_names_has_all_classes():
    assert len(union({"first": named(["a"]), "second": named(["b"])}).identities) == 2


def test_a_union_has_the_images_of_both(parts):
    both = union(parts)
    assert len(both) == 10
    assert np.array_equal(both.images(np.arange(10)), pixels(parts))


def test_a_batch_that_mixes_both_parts_keeps_its_order(parts):
    index = np.array([9, 0, 4, 4, 3, 7])
    assert np.array_equal(union(parts).images(index), pixels(parts)[index])


def test_an_empty_batch_of_a_union(parts):
    assert union(parts).images(np.array([], dtype=np.int64)).shape == (0, 8, 8, 3)


def test_item_ids_say_which_set_and_which_item(parts):
    both = union(parts)
    assert len(set(both.item_ids)) == len(both)
    assert (both.item_ids[0], both.item_ids[4], both.item_ids[-1]) == ("first/item0", "second/item0", "second/item5")


@pytest.mark.parametrize("i", range(10))
def test_every_image_of_a_union_says_where_it_is_from(parts, i):
    origin = union(parts).origin(i)
    assert origin == (Origin("first", i, f"item{i}") if i < 4 else Origin("second", i - 4, f"item{i - 4}"))


@pytest.mark.parametrize("i", range(10))
def test_a_union_passes_stored_files_on(parts, i):
    first, second = parts.values()
    assert union(parts).encoded(i) == (first.encoded(i) if i < 4 else second.encoded(i - 4))


@pytest.mark.parametrize("index", [[10], [-1]])
def test_a_union_has_no_other_images(parts, index):
    both = union(parts)
    for read in (both.images, both.origin, balanced(both).images if index == [-1] else both.images):
        with pytest.raises(IndexError):
            read(np.array(index))


def test_a_union_refuses_two_image_sizes():
    with pytest.raises(DataError, match="8 px and of 16 px"):
        union({"first": named(["a"], size=8), "second": named(["b"], size=16)})


def test_a_union_of_nothing_is_refused():
    with pytest.raises(DataError, match="no set cannot be one set"):
        union({})


def test_the_fingerprint_of_a_union_depends_on_the_sets_their_order_names_and_people(parts):
    first, second = parts.values()
    unions = [
        union(parts),
        union(parts, "apart"),
        union({"first": second, "second": first}),
        union({"first": first, "second": first}),
        union({"first": first, "other": second}),
    ]
    assert len({one.fingerprint for one in [*unions, *map(balanced, unions)]}) == 10


def test_a_union_of_three_and_one_of_a_union_are_alike(parts):
    third = named(["d", "a"], seed=3)
    three = union({**parts, "third": third})
    nested = union({"both": union(parts), "third": third})
    assert three.identities == nested.identities == ("a", "b", "c", "d")
    assert three.labels.tolist() == nested.labels.tolist()
    assert np.array_equal(three.images(np.arange(14)), nested.images(np.arange(14)))
    assert (three.item_ids[12], nested.item_ids[4]) == ("third/item2", "both/second/item0")


def test_a_set_without_images_shifts_no_other(parts):
    first, second = parts.values()
    nobody = ArrayDataset(np.empty((0, 8, 8, 3), np.uint8), np.empty(0, int), ("nobody",))
    whole = union({"none": nobody, "first": first, "no more": nobody, "second": second})
    assert np.array_equal(whole.images(np.arange(10)), pixels(parts))
    assert (whole.origin(0).part, whole.origin(4).part) == ("first", "second")
    with pytest.raises(DataError, match="the none set has no images"):
        balanced(whole)


def test_views_copy_no_pixels(parts):
    class Counting(ArrayDataset):
        asked = 0

        def images(self, index):
            self.asked += len(index)
            return super().images(index)

    faces = parts["first"]
    first = Counting(faces.pixels, faces.labels, faces.identities)
    view = balanced(union({"first": select_identities(first, ["b"]), "second": parts["second"]}))
    assert (view.labels.tolist(), len(view.item_ids)) == ([0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0], 12)
    assert len(view.fingerprint) == 64
    assert first.asked == 0
    view.images(np.array([1, 5, 7]))
    assert first.asked == 2


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_a_balance_has_every_set_equally_often_and_its_images_as_evenly_as_can_be(sizes):
    whole = union({str(number): of_size(size) for number, size in enumerate(sizes)})
    view = balanced(whole)
    seen = [view.origin(i) for i in range(len(view))]
    longest = max(sizes)
    assert len(view) == len(sizes) * longest
    for number, size in enumerate(sizes):
        rows = [origin.row for origin in seen if origin.part == str(number)]
        counts = np.bincount(rows, minlength=size)
        assert len(rows) == counts.sum() == longest
        assert counts.tolist() == [longest // size + (row < longest % size) for row in range(size)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_the_rows_of_a_balance_are_those_that_it_says(sizes, random):
    view = balanced(union({str(number): of_size(size) for number, size in enumerate(sizes)}, "apart"))
    index = np.array([random.randrange(len(view)) for _ in range(12)])
    origins = [view.origin(int(i)) for i in index]
    assert view.images(index)[:, 0, 0, 0].tolist() == [origin.row for origin in origins]
    assert view.labels[index].tolist() == [int(origin.part) for origin in origins]
    assert [view.item_ids[i] for i in index] == [f"{o.part}/{o.item_id}" for o in origins]
    assert view.encoded(int(index[0])) == view.whole.parts[origins[0].part].encoded(origins[0].row)


def test_the_share_of_the_smaller_set_in_random_batches_is_a_half():
    view = balanced(union({"real": of_size(3), "synthetic": of_size(200)}))
    order = np.random.default_rng(0).permutation(len(view))
    shares = [np.mean([view.origin(int(i)).part == "real" for i in batch]) for batch in order.reshape(-1, 40)]
    assert np.mean(shares) == pytest.approx(0.5)
    assert np.std(shares) < 3 * np.sqrt(0.25 / 40)


def test_a_mixture_makes_what_it_says(parts):
    first, second = parts.values()
    both = Mixture().of(first, second)
    assert (len(both), both.identities, both.item_ids[4]) == (10, ("a", "b", "c"), "synthetic/item0")
    apart = Mixture("apart", "sources").of(first, second)
    assert (len(apart), apart.identities) == (12, ("real/a", "real/b", "synthetic/c", "synthetic/b"))


@pytest.mark.parametrize(("real", "synthetic"), [(4, 6), (6, 4), (5, 5)])
@pytest.mark.parametrize("balance", ["images", "sources"])
def test_a_mixture_knows_the_length_of_an_epoch(real, synthetic, balance):
    mixture = Mixture("apart", balance)
    assert mixture.epoch(real, synthetic) == len(mixture.of(of_size(real), of_size(synthetic)))


def test_mixtures_are_told_apart_by_their_key():
    mixtures = [Mixture(people, balance) for people in ("joined", "apart") for balance in ("images", "sources")]
    assert len({str(mixture.document) for mixture in mixtures}) == len({m.fingerprint for m in mixtures}) == 4
    assert Mixture().document == {"mixture": {"people": "joined", "balance": "images"}}


def test_a_mixture_travels_to_other_processes():
    mixture = Mixture("apart", "sources")
    assert pickle.loads(pickle.dumps(mixture)).open("cpu", 1) == mixture
