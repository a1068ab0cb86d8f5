"""Views on datasets: choices of identities, checked against the arrays they look at."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.contracts import DataError, FaceDataset
from faceassay.datasets import (
    Texts,
    damaged_images,
    evenly_chosen,
    identity_range,
    proper_names,
    rows,
    select_identities,
    select_items,
)
from fakes import ArrayDataset, toy_faces


@pytest.fixture
def faces():
    return toy_faces(identities=4, per_identity=3, size=8)


def shuffled(dataset, seed=0):
    order = np.random.default_rng(seed).permutation(len(dataset))
    items = tuple(dataset.item_ids[k] for k in order)
    return ArrayDataset(dataset.pixels[order], dataset.labels[order], dataset.identities, items)


def named(names, per_identity=2, seed=1, size=8):
    dataset = toy_faces(len(names), per_identity, size=size, seed=seed)
    return ArrayDataset(dataset.pixels, dataset.labels, tuple(names))


@pytest.mark.parametrize(
    ("count", "at_most", "chosen"), [(0, 3, []), (2, 3, [0, 1]), (9, 1, [0]), (9, 2, [0, 8]), (9, 3, [0, 4, 8])]
)
def test_evenly_chosen_goes_from_first_to_last(count, at_most, chosen):
    assert evenly_chosen(np.arange(count) + 5, at_most).tolist() == [5 + k for k in chosen]


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_evenly_chosen_are_as_many_as_asked_for_and_as_far_apart(count, at_most):
    chosen = evenly_chosen(np.arange(count), at_most)
    assert len(chosen) == min(count, at_most)
    steps = np.diff(chosen)
    assert not len(steps) or 1 <= steps.min() <= steps.max() <= steps.min() + 1


def test_rows_are_int64():
    assert rows([2, 0], 3).dtype == np.int64


def test_rows_accept_one_number():
    assert rows(np.int32(2), 3).tolist() == [2]


def test_rows_accept_none():
    assert rows([], 0).shape == (0,)


@pytest.mark.parametrize("index", [[3], [-1], [0, 5], 3, [0.5], [True], [[0]]])
def test_rows_refuse_what_is_no_row(index):
    with pytest.raises(IndexError):
        rows(index, 3)


def test_a_selection_is_a_face_dataset(faces):
    assert isinstance(select_identities(faces, ["s2"]), FaceDataset)


def test_a_selection_keeps_the_order_of_the_set(faces):
    assert select_identities(faces, ["s4", "s2"]).identities == ("s2", "s4")


def test_a_selection_labels_from_zero(faces):
    assert select_identities(faces, ["s2", "s4"]).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_selection_has_int64_labels(faces):
    assert select_identities(faces, ["s2"]).labels.dtype == np.int64


def test_a_selection_of_a_shuffled_set_keeps_name_and_pixels_together(faces):
    mixed = shuffled(faces)
    view = select_identities(mixed, ["s1", "s3"])
    expected = [k for k, label in enumerate(mixed.labels) if mixed.identities[label] in ("s1", "s3")]
    assert np.array_equal(view.images(np.arange(len(view))), mixed.pixels[expected])
    assert [view.identities[label] for label in view.labels] == [mixed.identities[mixed.labels[k]] for k in expected]


def test_a_selection_gives_images_in_the_order_asked_for(faces):
    view = select_identities(faces, ["s2"])
    assert np.array_equal(view.images(np.array([2, 0, 2])), faces.pixels[[5, 3, 5]])


def test_a_selection_keeps_item_ids(faces):
    assert select_identities(faces, ["s2"]).item_ids == ("item3", "item4", "item5")


def test_a_selection_passes_stored_files_on(faces):
    assert select_identities(faces, ["s2"]).encoded(1) == faces.encoded(4)


def test_a_selection_has_the_image_size_of_the_set(faces):
    assert select_identities(faces, ["s2"]).image_size == 8


def test_a_selection_names_repeated_names_once(faces):
    assert select_identities(faces, ["s2", "s2"]).identities == ("s2",)


def test_the_fingerprint_of_a_selection_depends_on_the_names(faces):
    assert select_identities(faces, ["s1"]).fingerprint != select_identities(faces, ["s2"]).fingerprint


def test_the_fingerprint_of_a_selection_depends_on_the_set(faces):
    other = toy_faces(identities=4, per_identity=3, size=8, seed=9)
    assert select_identities(faces, ["s1"]).fingerprint != select_identities(other, ["s1"]).fingerprint


def test_the_fingerprint_of_a_selection_ignores_the_order_of_names(faces):
    assert select_identities(faces, ["s2", "s1"]).fingerprint == select_identities(faces, ["s1", "s2"]).fingerprint


def test_a_selection_of_a_selection(faces):
    view = select_identities(select_identities(faces, ["s2", "s3", "s4"]), ["s4"])
    assert np.array_equal(view.images(np.arange(3)), faces.pixels[9:])
    assert view.labels.tolist() == [0, 0, 0]


def test_a_selection_survives_pickling(faces):
    view = pickle.loads(pickle.dumps(select_identities(faces, ["s2"])))
    assert np.array_equal(view.images(np.arange(3)), faces.pixels[3:6])


@pytest.mark.parametrize("index", [[3], [-1]])
def test_a_selection_has_no_other_images(faces, index):
    with pytest.raises(IndexError):
        select_identities(faces, ["s2"]).images(np.array(index))


@pytest.mark.parametrize("i", [3, -1])
def test_a_selection_has_no_other_files(faces, i):
    with pytest.raises(IndexError):
        select_identities(faces, ["s2"]).encoded(i)


def test_an_unknown_identity_is_an_error_with_a_suggestion():
    faces = named(["Aaron_Eckhart", "Zico"])
    with pytest.raises(DataError, match=r"'Aaron_Ekhart' \(did you mean 'Aaron_Eckhart'\?\)"):
        select_identities(faces, ["Zico", "Aaron_Ekhart"])


def test_an_unknown_identity_like_no_other_gets_no_suggestion(faces):
    with pytest.raises(DataError, match=r"among the 4 of this set: 'qqq'$"):
        select_identities(faces, ["qqq"])


def test_many_unknown_identities_are_counted(faces):
    with pytest.raises(DataError, match=r" and 20 more$"):
        select_identities(faces, [f"q{k}" for k in range(30)])


def test_selecting_nobody_is_an_error(faces):
    with pytest.raises(DataError, match="no identities selected"):
        select_identities(faces, [])


NAMES = ("s1", "s2", "s10", "s3", "John_Doe_Jr.", "Zoe")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s1..s10", ("s1", "s2", "s10")),
        ("s10..s3", ("s10", "s3")),
        ("s2..s2", ("s2",)),
        (" s1 .. s2 ", ("s1", "s2")),
        ("s3..John_Doe_Jr.", ("s3", "John_Doe_Jr.")),
        ("John_Doe_Jr...Zoe", ("John_Doe_Jr.", "Zoe")),
    ],
)
def test_a_range_goes_by_position_and_includes_both_ends(text, expected):
    assert identity_range(NAMES, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s1", r"no range of identities: write FIRST\.\.LAST, e\.g\. s1\.\.Zoe"),
        ("s1-s3", "no range"),
        ("s3..s1", "runs backwards: in this set s1 comes before s3"),
        ("s1..s33", r"'s33' \(did you mean 's3'\?\)"),
        ("..s1", "no such identity"),
    ],
)
def test_what_is_no_range_is_an_error(text, message):
    with pytest.raises(DataError, match=message):
        identity_range(NAMES, text)


@pytest.mark.parametrize(
    ("names", "proper"),
    [
        (["s1", "ada", "0", "000123"], ["s1", "ada"]),
        (["12a", "1.5", "-3", "1 2", ""], ["12a", "1.5", "-3", "1 2", ""]),
        (["\u0663", "\u00b2"], ["\u0663", "\u00b2"]),
    ],
)
def test_a_name_is_more_than_a_number(names, proper):
    assert proper_names(names) == proper


def test_texts_are_made_when_they_are_read():
    made = []
    names = Texts(5, lambda place: made.append(place) or f"t{place}")
    assert (len(names), made) == (5, [])
    assert (names[-1], names[np.int64(1)], names[1:4:2]) == ("t4", "t1", ("t1", "t3"))
    assert made == [4, 1, 1, 3]


def test_texts_are_a_sequence():
    names = Texts(3, "t{}".format)
    assert list(names) == ["t0", "t1", "t2"]
    assert names == ("t0", "t1", "t2")
    assert names != ("t0", "t1")
    assert names != ("t0", "t1", "x")
    assert names != 3
    assert ("t2" in names, names.index("t1")) == (True, 1)


@pytest.mark.parametrize("place", [3, -4])
def test_texts_end(place):
    with pytest.raises(IndexError):
        Texts(3, str)[place]


def test_damaged_images_are_found_in_any_dataset():
    class Damaged(ArrayDataset):
        def images(self, index):
            for row in index.tolist():
                if row in (3, 64, 130):
                    raise DataError(f"image {row} is damaged")
            return super().images(index)

    faces = toy_faces(identities=10, per_identity=14)
    damaged = Damaged(faces.pixels, faces.labels, faces.identities)
    assert list(damaged_images(damaged)) == [f"image {row} is damaged" for row in (3, 64, 130)]


def test_nothing_is_wrong_with_good_images(faces):
    assert list(damaged_images(faces)) == []


def test_selected_items_show_the_same_images_in_the_order_of_the_set(faces):
    mixed = shuffled(faces)
    view = select_items(mixed, {"s3": ["item8", "item6"], "s1": ["item1"]})
    places = sorted(mixed.item_ids.index(item) for item in ("item8", "item6", "item1"))
    assert tuple(view.item_ids) == tuple(mixed.item_ids[place] for place in places)
    assert (view.images(np.arange(3)) == mixed.pixels[places]).all()
    assert [view.identities[label] for label in view.labels] == [mixed.identities[mixed.labels[k]] for k in places]
    assert view.identities == ("s1", "s3")


def test_selected_items_that_are_not_there_are_all_named(faces):
    with pytest.raises(DataError, match=r"2 of 3 selected images are not in the set: item99, nobody$"):
        select_items(faces, {"s1": ["item99", "item0"], "s2": ["nobody"]})


def test_selected_items_of_somebody_else_are_named(faces):
    with pytest.raises(DataError, match=r"1 of 2 selected images are of another identity there: item3$"):
        select_items(faces, {"s1": ["item0", "item3"]})


def test_no_selected_items_are_refused(faces):
    with pytest.raises(DataError, match="name at least one"):
        select_items(faces, {"s1": []})


def test_fingerprint_of_selected_items_depends_on_them_the_set_and_what_opened_it(faces):
    other = ArrayDataset(faces.pixels ^ 1, faces.labels, faces.identities)
    views = [
        select_items(faces, {"s1": ["item0"]}),
        select_items(faces, {"s1": ["item1"]}),
        select_items(other, {"s1": ["item0"]}),
        select_items(faces, {"s1": ["item0"]}, "another reader"),
        select_identities(faces, ["s1"]),
    ]
    assert len({view.fingerprint for view in views}) == len(views)


def test_fingerprint_of_selected_items_does_not_depend_on_their_order(faces):
    one, two = (select_items(faces, {"s1": ids}) for ids in (["item0", "item1"], ["item1", "item0"]))
    assert one.fingerprint == two.fingerprint


def test_damaged_images_tell_how_many_were_looked_at():
    told = []
    list(damaged_images(toy_faces(5, 20, size=8), told.append))
    assert told == [64, 36]
