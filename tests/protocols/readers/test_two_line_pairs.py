"""CALFW and CPLFW as they are published, and as they must be refused."""

from __future__ import annotations

import shutil
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faceassay.contracts import DataError
from faceassay_protocols.readers.two_line_pairs import read_two_line_pairs
from miniatures.pairs import lfw_name, write_calfw, write_cplfw, zip_of

WRITERS = {"calfw": write_calfw, "cplfw": write_cplfw}


def opened(path, name, image_size=112, other_sizes="refuse"):
    return read_two_line_pairs(path, name=name, image_size=image_size, other_sizes=other_sizes)


@pytest.fixture(params=sorted(WRITERS))
def pair_set(request, tmp_path):
    """Give a name and the folder of its miniature: ten folds of two same and two different pairs."""
    return request.param, WRITERS[request.param](tmp_path / request.param, same=2)


def list_of(name, folder):
    return folder / f"pairs_{name.upper()}.txt"


def rewrite(name, folder, change):
    file = list_of(name, folder)
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")


def stored_pairs(name, folder):
    """Return image, image, label of every two lines as they follow one another in the file."""
    fields = [line.split() for line in list_of(name, folder).read_text().splitlines()]
    return [(one, two, int(label) != 0) for (one, label), (two, _) in zip(fields[::2], fields[1::2], strict=True)]


def test_folds_are_dealt_as_facexzoo_deals_them(pair_set):
    """Fold k takes pairs 2k and 2k + 1 of the same ones and of the different ones, which begin at 20."""
    name, folder = pair_set
    pack, stored = opened(folder, name), stored_pairs(name, folder)
    expected = []
    for fold in range(10):
        expected += stored[2 * fold : 2 * fold + 2] + stored[20 + 2 * fold : 22 + 2 * fold]
    bare = [image.removeprefix("aligned images/") for image in pack.names]
    assert [
        (bare[a], bare[b], same) for a, b, same in zip(pack.first, pack.second, pack.is_same, strict=True)
    ] == expected
    assert pack.fold.tolist() == np.repeat(range(10), 4).tolist()


def test_the_file_itself_has_all_same_pairs_first(pair_set):
    assert [same for *_, same in stored_pairs(*pair_set)] == [True] * 20 + [False] * 20


def test_people_are_the_names_without_number(pair_set):
    name, folder = pair_set
    pack = opened(folder, name)
    assert sorted(pack.people) == sorted(lfw_name(person) for person in range(20))
    assert not any("named after" in warning for warning in pack.warnings)


def test_images_are_the_pixels_of_their_files(pair_set):
    name, folder = pair_set
    pack = opened(folder, name)
    for row in (0, 7, 39):
        stored = np.asarray(Image.open(folder / pack.names[row]), dtype=int)
        assert np.abs(pack.images(np.array([row]))[0] - stored).mean() < 2


@pytest.mark.parametrize("outer", [False, True])
def test_a_zip_holds_the_same_pack_as_the_folder(pair_set, outer):
    name, folder = pair_set
    plain, zipped = opened(folder, name), opened(zip_of(folder, outer=outer), name)
    np.testing.assert_array_equal(plain.images(np.arange(40)), zipped.images(np.arange(40)))
    np.testing.assert_array_equal(plain.first, zipped.first)


@pytest.mark.parametrize("images", ["images", "."])
def test_images_may_lie_elsewhere(pair_set, images):
    name, folder = pair_set
    for file in list((folder / "aligned images").iterdir()):
        (folder / images).mkdir(exist_ok=True)
        file.rename(folder / images / file.name)
    assert opened(folder, name).notes["images_folder"] == images


def test_of_two_folders_the_aligned_one_is_taken(pair_set):
    name, folder = pair_set
    (folder / "Images").mkdir()
    for file in (folder / "aligned images").iterdir():
        (folder / "Images" / file.name).write_bytes(file.read_bytes())
    assert opened(folder, name).notes["images_folder"] == "aligned images"


def test_notes_count_what_there_is(pair_set):
    name, folder = pair_set
    notes = opened(folder, name).notes
    counts = tuple(notes[key] for key in ("pairs", "same_pairs", "images", "people", "folds"))
    assert counts == (40, 20, 40, 20, 10)
    assert notes["format"] == list_of(name, folder).name


def test_only_the_size_deviates_from_the_known_set(pair_set):
    name, folder = pair_set
    warnings = opened(folder, name).warnings
    assert len(warnings) == 1
    assert f"40 pairs, {name.upper()} has 6000" in warnings[0]


def test_labels_that_differ_within_a_pair_are_refused(pair_set):
    name, folder = pair_set
    rewrite(name, folder, lambda lines: [lines[0], f"{lines[1].split()[0]} 0", *lines[2:]])
    with pytest.raises(DataError, match=r"\.txt:2: label 0 below label 1"):
        opened(folder, name)


def test_an_odd_number_of_lines_is_refused(pair_set):
    name, folder = pair_set
    rewrite(name, folder, lambda lines: lines[:-1])
    with pytest.raises(DataError, match=r"\.txt:79: the last of 79 lines has no partner"):
        opened(folder, name)


def test_pairs_that_ten_folds_do_not_divide_are_refused(pair_set):
    name, folder = pair_set
    rewrite(name, folder, lambda lines: lines[2:])
    with pytest.raises(DataError, match="19 same and 20 different pairs cannot be cut into 10 folds"):
        opened(folder, name)


def test_an_empty_list_is_refused(pair_set):
    name, folder = pair_set
    list_of(name, folder).write_text("\n \n")
    with pytest.raises(DataError, match="the list of pairs is empty"):
        opened(folder, name)


@pytest.mark.parametrize("label", ["11", "-1", "x", ""])
def test_a_wrong_label_is_named(pair_set, label):
    name, folder = pair_set
    rewrite(name, folder, lambda lines: [*lines[:4], f"{lines[4].split()[0]} {label}", *lines[5:]])
    with pytest.raises(DataError, match=rf"pairs_{name.upper()}\.txt:5: "):
        opened(folder, name)


def test_the_list_of_calfw_is_not_taken_for_that_of_cplfw(tmp_path):
    folder = write_calfw(tmp_path / "calfw", same=2)
    list_of("calfw", folder).rename(list_of("cplfw", folder))
    with pytest.raises(DataError, match=r"pairs_CPLFW\.txt:5: .* is this the list of CPLFW"):
        opened(folder, "cplfw")


def test_a_missing_image_is_named_with_the_line_that_wants_it(pair_set):
    name, folder = pair_set
    wanted = list_of(name, folder).read_text().splitlines()[4].split()[0]
    (folder / "aligned images" / wanted).unlink()
    with pytest.raises(DataError, match=rf"1 of 40 images are missing.*\.txt:5: aligned images/{wanted}"):
        opened(folder, name)


def test_names_that_lead_out_of_the_pack_are_refused(pair_set):
    name, folder = pair_set
    rewrite(name, folder, lambda lines: ["../x.jpg 1", *lines[1:]])
    with pytest.raises(DataError, match=r"\.txt:1: '../x.jpg' leads out of the pack"):
        opened(folder, name)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(pair_set):
    name, folder = pair_set
    before = opened(folder, name)
    content = list_of(name, folder).read_bytes()
    list_of(name, folder).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    after = opened(folder, name)
    assert list(after.names) == list(before.names)
    np.testing.assert_array_equal(after.second, before.second)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"0", b"1", b" ", b"\n", b"\t", b".jpg", b"..", b"/", b".", b"\0", b"\xff", b"x" * 300]),
            st.binary(max_size=4),
        ),
        max_size=40,
    ).map(b"".join)
)
def test_any_bytes_open_or_are_refused(pair_set, content):
    name, folder = pair_set
    list_of(name, folder).write_bytes(content)
    with suppress(DataError):
        assert len(opened(folder, name).first)


def test_folders_called_unaligned_are_not_taken(pair_set):
    name, folder = pair_set
    shutil.copytree(folder / "aligned images", folder / "unaligned images")
    assert opened(folder, name).notes["images_folder"] == "aligned images"
    (folder / "aligned images").rename(folder / "images")
    with pytest.raises(DataError, match="the images are in images and in unaligned images"):
        opened(folder, name)


def test_labels_of_calfw_that_name_another_fold_are_counted(tmp_path):
    """The second and the third pair, of folds 1 and 2, change their labels."""
    folder = write_calfw(tmp_path / "calfw", same=2)
    assert not any("another fold" in warning for warning in opened(folder, "calfw").warnings)

    def relabelled(lines):
        names = [line.split()[0] for line in lines[2:6]]
        return [*lines[:2], *(f"{one} {label}" for one, label in zip(names, "2211", strict=True)), *lines[6:]]

    rewrite("calfw", folder, relabelled)
    (warning,) = [warning for warning in opened(folder, "calfw").warnings if "another fold" in warning]
    assert "the labels of 2 of 20 same pairs name another fold" in warning
    assert "pairs_CALFW.txt:3)" in warning


@pytest.mark.parametrize("label", [1, 7])
def test_labels_of_calfw_that_say_only_same_are_no_deviation(tmp_path, label):
    folder = write_calfw(tmp_path / "calfw", same=2)
    rewrite("calfw", folder, lambda lines: [f"{one.split()[0]} {label * (one[-2:] != ' 0')}" for one in lines])
    assert not any("another fold" in warning for warning in opened(folder, "calfw").warnings)
