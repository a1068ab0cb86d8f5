"""CFP as it is published, and as it must be refused."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faceassay.contracts import DataError
from faceassay_protocols.readers.cfp import read_cfp
from miniatures.pairs import write_cfp, zip_of


def opened(path, kind="FP", image_size=112, other_sizes="refuse"):
    return read_cfp(path, kind=kind, image_size=image_size, other_sizes=other_sizes)


@pytest.fixture
def cfp(tmp_path):
    return write_cfp(tmp_path / "cfp-dataset", folds=2, same=2)


def edit(file, line, text):
    lines = file.read_text().splitlines()
    lines[line - 1] = text
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("kind", "pose"), [("FP", "profile"), ("FF", "frontal")])
def test_the_second_image_is_from_the_list_of_its_kind(cfp, kind, pose):
    """Pairs of the miniature: person k with itself, then with the next, image 01 with image 02."""
    pack = opened(cfp, kind)
    named = [(pack.names[a], pack.names[b]) for a, b in zip(pack.first, pack.second, strict=True)]
    people = [(1, 1), (2, 2), (1, 2), (2, 3), (3, 3), (4, 4), (3, 4), (4, 1)]
    assert named == [(f"Data/Images/{a:03}/frontal/01.jpg", f"Data/Images/{b:03}/{pose}/02.jpg") for a, b in people]
    assert pack.is_same.tolist() == [True, True, False, False] * 2
    assert pack.fold.tolist() == [0] * 4 + [1] * 4


def test_people_are_the_numbered_folders(cfp):
    pack = opened(cfp)
    assert [pack.people[k] for k in pack.identity] == [name.split("/")[2] for name in pack.names]
    assert sorted(pack.people) == ["001", "002", "003", "004"]


def test_images_are_the_pixels_of_their_files(cfp):
    pack = opened(cfp)
    for row, name in enumerate(pack.names):
        stored = np.asarray(Image.open(cfp / name), dtype=int)
        assert np.abs(pack.images(np.array([row]))[0] - stored).mean() < 2


@pytest.mark.parametrize("outer", [False, True])
def test_a_zip_holds_the_same_pack_as_the_folder(cfp, outer):
    folder, zipped = opened(cfp), opened(zip_of(cfp, outer=outer))
    np.testing.assert_array_equal(folder.images(np.arange(8)), zipped.images(np.arange(8)))
    np.testing.assert_array_equal(folder.second, zipped.second)


def test_numbers_count_as_the_list_numbers_its_images_not_as_its_lines(cfp):
    before = opened(cfp)
    file = cfp / "Protocol" / "Pair_list_F.txt"
    file.write_text("\n".join(reversed(file.read_text().splitlines())))
    after = opened(cfp)
    assert [after.names[k] for k in after.first] == [before.names[k] for k in before.first]


def test_notes_count_what_there_is(cfp):
    notes = opened(cfp, "FF").notes
    assert (notes["pairs"], notes["same_pairs"], notes["images"], notes["people"], notes["folds"]) == (8, 4, 8, 4, 2)
    assert notes["format"] == "CFP Protocol/Split/FF"


def test_the_unknown_size_is_warned_of_under_its_own_name(cfp):
    assert any("8 pairs, CFP-FF has 7000" in warning for warning in opened(cfp, "FF").warnings)


def test_a_pair_labelled_against_its_people_is_warned_of(cfp):
    edit(cfp / "Protocol/Split/FP/01/same.txt", 1, "1,4")
    warned = [warning for warning in opened(cfp).warnings if "named after two people" in warning]
    assert len(warned) == 1
    assert warned[0].endswith("same.txt:1)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,99", r"diff\.txt:2: image 99 of a list of 8"),
        ("0,1", r"diff\.txt:2: image 0 of a list of 8"),
        ("1,2,3", r"diff\.txt:2: '1,2,3' where two numbers"),
        ("1;2", r"diff\.txt:2: '1;2' where a whole number"),
    ],
)
def test_a_wrong_line_of_a_split_is_named(cfp, line, message):
    edit(cfp / "Protocol/Split/FP/02/diff.txt", 2, line)
    with pytest.raises(DataError, match=message):
        opened(cfp)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3", r"Pair_list_P\.txt:3: '3' where"),
        ("2 ../Data/Images/002/profile/01.jpg", r"Pair_list_P\.txt:3: '2 .* where a new number"),
        ("x ../Data/Images/002/profile/01.jpg", r"Pair_list_P\.txt:3: 'x' where a whole number"),
        ("3 ../../../other/profile/01.jpg", r"Pair_list_P\.txt:3: .* leads out of the pack"),
        ("3 ../../etc/profile/01.jpg", r"Pair_list_P\.txt:3: .* leads out of the pack"),
    ],
)
def test_a_wrong_line_of_a_list_of_images_is_named(cfp, line, message):
    edit(cfp / "Protocol/Pair_list_P.txt", 3, line)
    with pytest.raises(DataError, match=message):
        opened(cfp)


def test_a_missing_image_is_named_with_the_line_that_wants_it(cfp):
    (cfp / "Data/Images/003/profile/02.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 8 images are missing.*01/diff\.txt:2: Data/Images/003/profile/02\.jpg"):
        opened(cfp)


def test_a_missing_fold_is_refused(cfp):
    (cfp / "Protocol/Split/FP/01").rename(cfp / "Protocol/Split/FP/05")
    with pytest.raises(DataError, match="02 05 where the folds 01 to 10"):
        opened(cfp)


@pytest.mark.parametrize("name", ["Pair_list_P.txt", "Split/FP/01/same.txt"])
def test_a_missing_list_is_named(cfp, name):
    (cfp / "Protocol" / name).unlink()
    with pytest.raises(DataError, match=f"{name}: No such file.*: restore it, or fetch"):
        opened(cfp)


def test_a_folder_without_the_protocol_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no Protocol/Pair_list_F\.txt"):
        opened(tmp_path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["Pair_list_F.txt", "Split/FP/01/same.txt"]),
    st.lists(
        st.one_of(
            st.sampled_from([b"1", b",", b"\n", b" ", b"../Data/", b"a/b/c.jpg", b"\0", b"\xff"]), st.binary(max_size=4)
        )
    ).map(b"".join),
)
def test_any_bytes_open_or_are_refused(cfp, name, content):
    file = cfp / "Protocol" / name
    before = file.read_bytes()
    file.write_bytes(content)
    with suppress(DataError):
        assert len(opened(cfp).first)
    file.write_bytes(before)
