"""AgeDB-30 as it is published, and as it must be refused; the nesting is read once more as public code does."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat, savemat

from faceassay.contracts import DataError
from faceassay_protocols.readers.agedb import LIST_NAME, read_agedb
from miniatures.pairs import agedb_list, agedb_name, write_agedb, zip_of


def opened(path, image_size=112, other_sizes="refuse"):
    return read_agedb(path, image_size=image_size, other_sizes=other_sizes)


def facexzoo_pairs(file):
    """Index the cells as FaceX-Zoo does with what SciPy loads."""
    for split in loadmat(file)["splits"]:
        names, labels = split[0][0][0][0], split[0][0][0][1][0]
        for first, second, label in zip(names[0], names[1], labels, strict=True):
            yield str(first[0][0][0][0]), str(second[0][0][0][0]), label == 1


def saved(**variables):
    content = io.BytesIO()
    savemat(content, variables)
    return content.getvalue()


@pytest.fixture
def agedb(tmp_path):
    return write_agedb(tmp_path / "AgeDB", folds=3, same=2)


def test_pairs_labels_and_folds_are_those_that_public_code_reads(agedb):
    pack = opened(agedb)
    stems = [name.removeprefix("03_Protocol_Images/").removesuffix(".jpg") for name in pack.names]
    read = [(stems[a], stems[b], same) for a, b, same in zip(pack.first, pack.second, pack.is_same, strict=True)]
    assert read == list(facexzoo_pairs(agedb / LIST_NAME))
    assert pack.fold.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_images_are_the_pixels_of_their_files(agedb):
    pack = opened(agedb)
    for row, name in enumerate(pack.names):
        stored = np.asarray(Image.open(agedb / name), dtype=int)
        assert np.abs(pack.images(np.array([row]))[0] - stored).mean() < 2


@pytest.mark.parametrize("outer", [False, True])
def test_a_zip_holds_the_same_pack_as_the_folder(agedb, outer):
    folder, zipped = opened(agedb), opened(zip_of(agedb, outer=outer))
    np.testing.assert_array_equal(folder.images(np.arange(12)), zipped.images(np.arange(12)))
    np.testing.assert_array_equal(folder.second, zipped.second)


def test_images_may_lie_beside_the_list(agedb):
    for file in list((agedb / "03_Protocol_Images").iterdir()):
        file.rename(agedb / file.name)
    assert opened(agedb).notes["images_folder"] == "."


def test_the_person_is_the_first_part_of_the_names_of_the_protocol(agedb):
    pack = opened(agedb)
    assert sorted(pack.people) == ["1", "2", "3", "4", "5", "6"]
    assert not any("named after" in warning for warning in pack.warnings)


def test_the_person_is_the_second_part_of_the_names_of_the_whole_set(agedb):
    """As in 1000_StephenHawking_1_m.jpg, where the first part numbers the image."""

    def renamed(name):
        _, person, number, age, gender = name.split("_")
        return f"{number}_{person}_{age}_{gender}"

    for file in list((agedb / "03_Protocol_Images").iterdir()):
        file.rename(file.with_name(f"{renamed(file.stem)}.jpg"))
    rows = list(facexzoo_pairs(agedb / LIST_NAME))
    folds = [rows[:4], rows[4:8], rows[8:]]
    names = [[(renamed(one), renamed(two)) for one, two, _ in fold] for fold in folds]
    (agedb / LIST_NAME).write_bytes(agedb_list(names, [[1, 1, -1, -1]] * 3))
    pack = opened(agedb)
    assert sorted(pack.people) == [f"Name{person}" for person in range(6)]
    assert not any("named after" in warning for warning in pack.warnings)


def test_notes_count_what_there_is(agedb):
    notes = opened(agedb).notes
    assert (notes["pairs"], notes["same_pairs"], notes["images"], notes["people"], notes["folds"]) == (12, 6, 12, 6, 3)
    assert notes["format"] == LIST_NAME


def test_labels_against_the_names_are_warned_of(agedb):
    names = [[(agedb_name(0, 0), agedb_name(0, 1)), (agedb_name(1, 0), agedb_name(2, 1)), (agedb_name(3, 0),) * 2]]
    (agedb / LIST_NAME).write_bytes(agedb_list(names, [[1, 1, 1]]))
    warnings = " ".join(opened(agedb).warnings)
    assert "1 of 3 pairs are called same, but their images are named after two people" in warnings
    assert "fold 1, pair 2" in warnings
    assert "1 of 3 pairs pair an image with itself" in warnings


@pytest.mark.parametrize("label", [0, 2, np.nan])
def test_labels_other_than_plus_and_minus_one_are_refused(agedb, label):
    names = [[(agedb_name(0, 0), agedb_name(0, 1)), (agedb_name(0, 0), agedb_name(1, 1))]]
    (agedb / LIST_NAME).write_bytes(agedb_list(names, [[1, label]]))
    with pytest.raises(DataError, match=r"fold 1: label .* \(1 of 2 are neither 1 nor -1\)"):
        opened(agedb)


def test_more_labels_than_pairs_are_refused(agedb):
    (agedb / LIST_NAME).write_bytes(agedb_list([[(agedb_name(0, 0), agedb_name(0, 1))]], [[1, -1]]))
    with pytest.raises(DataError, match="fold 1: not two rows of names"):
        opened(agedb)


def test_a_missing_image_is_named_with_the_pair_that_wants_it(agedb):
    (agedb / "03_Protocol_Images" / f"{agedb_name(2, 1)}.jpg").unlink()
    with pytest.raises(DataError, match=rf"1 of 12 images are missing.*fold 1, pair 4: .*{agedb_name(2, 1)}\.jpg"):
        opened(agedb)


@pytest.mark.parametrize(
    "content", [saved(other=[1, 2]), saved(splits=[1, 2]), saved(splits={"a": "b"}), b"", b"x" * 999]
)
def test_another_matlab_file_is_refused(agedb, content):
    (agedb / LIST_NAME).write_bytes(content)
    with pytest.raises(DataError, match=LIST_NAME):
        opened(agedb)


def test_names_that_lead_out_of_the_pack_are_refused(agedb):
    (agedb / LIST_NAME).write_bytes(agedb_list([[("../../secret", agedb_name(0, 1))]], [[1]]))
    with pytest.raises(DataError, match=r"fold 1, pair 1: '../../secret' leads out of the pack"):
        opened(agedb)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_a_damaged_list_opens_or_is_refused(agedb, at, byte, cut):
    names = [[(agedb_name(0, 0), agedb_name(0, 1)), (agedb_name(0, 0), agedb_name(1, 1))]]
    content = bytearray(agedb_list(names, [[1, -1]], do_compression=False))
    content[at % len(content)] = byte
    (agedb / LIST_NAME).write_bytes(content[: at % len(content)] if cut else content)
    with suppress(DataError):
        assert len(opened(agedb).first)


def test_names_in_two_columns_are_refused(agedb):
    """In n x 2 cells the first images of all pairs come before the second ones, so that neighbours are no pairs."""
    first = [agedb_name(person, 0) for person in range(4)]
    second = [agedb_name(person, 1) for person in range(4)]
    listed = first + second
    misread = list(zip(listed[::2], listed[1::2], strict=True))
    (agedb / LIST_NAME).write_bytes(agedb_list([misread], [[1, 1, 1, 1]]))
    with pytest.raises(DataError, match=r"4 of 4 same pairs are of two people .*the list is laid out otherwise"):
        opened(agedb)
