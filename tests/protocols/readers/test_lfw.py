"""LFW as it is published, as it is found, and as it must be refused."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faceassay.contracts import DataError
from faceassay_protocols.readers.lfw import read_lfw
from miniatures.pairs import jpeg, lfw_name, write, write_lfw, zip_of

DATA = os.environ.get("FACEASSAY_DATA", "")


def opened(path, pairs=None, folds=None, image_size=112, other_sizes="refuse"):
    return read_lfw(path, pairs=pairs, folds=folds, image_size=image_size, other_sizes=other_sizes)


def pair_names(pack):
    return [(pack.names[a], pack.names[b]) for a, b in zip(pack.first, pack.second, strict=True)]


def as_listed(folder):
    """Parse the list of a miniature by another road: the number of fields tells the kind of pair."""
    listed = []
    for fields in (line.split("\t") for line in (folder / "pairs.txt").read_text().splitlines()[1:]):
        names = [fields[0], fields[-2] if len(fields) == 4 else fields[0]]
        listed.append(tuple(f"{n}/{n}_{int(k):04d}.jpg" for n, k in zip(names, (fields[1], fields[-1]), strict=True)))
    return listed


def relist(folder, *lines):
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def lfw(tmp_path):
    return write_lfw(tmp_path / "lfw", folds=3, same=2)


def test_pairs_labels_and_folds_are_those_of_the_list(lfw):
    pack = opened(lfw)
    assert pair_names(pack) == as_listed(lfw)
    assert pack.is_same.tolist() == [True, True, False, False] * 3
    assert pack.fold.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_each_image_is_there_once_in_the_order_of_the_list(lfw):
    pack = opened(lfw)
    in_order = [name for names in as_listed(lfw) for name in names]
    assert list(pack.names) == list(dict.fromkeys(in_order))
    assert len(pack) == 12


def test_images_are_the_pixels_of_their_files(lfw):
    pack = opened(lfw)
    for row, name in enumerate(pack.names):
        stored = np.asarray(Image.open(lfw / name), dtype=int)
        assert np.abs(pack.images(np.array([row]))[0] - stored).mean() < 2


def test_people_are_those_of_the_folders(lfw):
    pack = opened(lfw)
    assert [pack.people[k] for k in pack.identity] == [name.split("/")[0] for name in pack.names]
    assert sorted(pack.people) == sorted(lfw_name(person) for person in range(6))


def test_notes_count_what_there_is(lfw):
    notes = dict(opened(lfw).notes)
    assert {key: notes[key] for key in ("pairs", "same_pairs", "images", "people", "folds", "format")} == {
        "pairs": 12,
        "same_pairs": 6,
        "images": 12,
        "people": 6,
        "folds": 3,
        "format": "LFW pairs.txt",
    }
    assert len(notes["sha256"]) == 64
    assert notes["decoder"].startswith("OpenCV ")
    assert "official_folds" not in notes


@pytest.mark.parametrize("outer", [False, True])
def test_a_zip_holds_the_same_pack_as_the_folder(lfw, outer):
    folder, zipped = opened(lfw), opened(zip_of(lfw, outer=outer))
    everything = np.arange(len(folder))
    np.testing.assert_array_equal(folder.images(everything), zipped.images(everything))
    np.testing.assert_array_equal(folder.first, zipped.first)
    assert [name.removeprefix("lfw/") for name in zipped.names] == list(folder.names)


def test_the_folder_of_people_may_lie_deeper_than_the_list(lfw, tmp_path):
    (tmp_path / "set").mkdir()
    lfw.rename(tmp_path / "set" / "lfw_aligned")
    (tmp_path / "set" / "lfw_aligned" / "pairs.txt").rename(tmp_path / "set" / "pairs.txt")
    pack = opened(tmp_path / "set")
    assert pack.notes["images_folder"] == "lfw_aligned"
    assert all(name.startswith("lfw_aligned/Ann_") for name in pack.names)


def test_the_list_beside_the_zip_is_found(lfw, tmp_path):
    (lfw / "pairs.txt").rename(tmp_path / "lfw_pairs.txt")
    assert len(opened(zip_of(lfw)).first) == 12


def test_a_given_list_wins_over_the_one_inside(lfw, tmp_path):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    (tmp_path / "mine.txt").write_text("\n".join(["1\t2", *lines[1:5]]))
    assert len(opened(lfw, pairs=tmp_path / "mine.txt").first) == 4


def test_a_missing_list_is_reported_with_what_was_tried(tmp_path):
    write(tmp_path / "lfw" / "A" / "A_0001.jpg", b"")
    with pytest.raises(DataError, match=r"no list of pairs; looked for pairs.txt and lfw_pairs.txt .* pairs=FILE"):
        opened(tmp_path / "lfw")


def test_a_given_list_that_is_missing_is_named(lfw):
    with pytest.raises(DataError, match=r"nowhere\.txt: No such file"):
        opened(lfw, pairs=lfw / "nowhere.txt")


def test_chosen_folds_keep_their_pairs_and_are_numbered_anew(lfw):
    whole, part = opened(lfw), opened(lfw, folds=(2, 3))
    assert pair_names(part) == pair_names(whole)[4:]
    assert part.fold.tolist() == [0] * 4 + [1] * 4
    assert part.notes["official_folds"] == "2-3 of 3"
    assert set(part.names) < set(whole.names)


def test_chosen_folds_of_the_known_list_are_no_deviation(tmp_path):
    lfw = write_lfw(tmp_path / "lfw", folds=10, same=3)
    warnings = opened(lfw, folds=(6, 10)).warnings
    assert len(warnings) == 1
    assert "60 pairs, LFW has 6000" in warnings[0]  # the whole list is what is compared


@pytest.mark.parametrize("folds", [(0, 2), (2, 4), (3, 2)])
def test_folds_that_the_list_has_not_are_refused(lfw, folds):
    with pytest.raises(DataError, match=f"folds {folds[0]} to {folds[1]} of a list with folds 1 to 3"):
        opened(lfw, folds=folds)


def test_a_single_number_heads_a_list_of_one_fold(lfw):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, "2", *lines[1:5])
    assert opened(lfw).fold.tolist() == [0] * 4


def test_blanks_windows_line_ends_and_a_byte_order_mark_change_nothing(lfw):
    before = opened(lfw)
    text = (lfw / "pairs.txt").read_text().replace("\t", "  ").replace("\n", "\r\n")
    (lfw / "pairs.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    after = opened(lfw)
    assert pair_names(after) == pair_names(before)
    assert after.is_same.tolist() == before.is_same.tolist()


@pytest.mark.parametrize("suffix", [".png", ".jpeg"])
def test_aligned_copies_may_have_another_suffix(lfw, suffix):
    for file in list(lfw.rglob("*.jpg")):
        Image.open(file).save(file.with_suffix(suffix))
        file.unlink()
    assert all(name.endswith(suffix) for name in opened(lfw).names)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_0._Other000\t1\tAnn_1._Other001\t2", r"pairs\.txt:2: .* where the first line promises a same pair"),
        ("Ann_0._Other000\t1", r"pairs\.txt:2: .*promises a same pair: name, number, number"),
        ("Ann_0._Other000\t1\ttwo", r"pairs\.txt:2: 'two' where a whole number"),
        ("../../x\t1\t2", r"pairs\.txt:2: .* leads out of the pack"),
    ],
)
def test_a_wrong_line_is_named(lfw, line, message):
    head, _, *rest = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, head, line, *rest)
    with pytest.raises(DataError, match=message):
        opened(lfw)


def test_a_same_pair_among_the_different_ones_is_named(lfw):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, *lines[:3], lines[1], *lines[4:])
    with pytest.raises(DataError, match=r"pairs\.txt:4: .*promises a different pair"):
        opened(lfw)


@pytest.mark.parametrize("head", ["3\t3", "4\t2", "999999999\t999999999", "2"])
def test_counts_that_contradict_the_header_are_refused(lfw, head):
    relist(lfw, head, *(lfw / "pairs.txt").read_text().splitlines()[1:])
    with pytest.raises(DataError, match=r"pairs\.txt:13: 12 pairs, but the first line promises"):
        opened(lfw)


@pytest.mark.parametrize("head", ["0\t2", "1\t2\t3", "ten\t300", "9" * 5000])
def test_a_header_of_no_counts_is_refused(lfw, head):
    relist(lfw, head, *(lfw / "pairs.txt").read_text().splitlines()[1:])
    with pytest.raises(DataError, match=r"pairs\.txt:1: "):
        opened(lfw)


def test_missing_images_are_named_together_with_the_line_that_wants_them(lfw):
    missing = [lfw / lfw_name(4) / f"{lfw_name(4)}_0001.jpg", lfw / lfw_name(5) / f"{lfw_name(5)}_0002.jpg"]
    for file in missing:
        file.unlink()
    named = ", .*".join(file.name for file in missing)
    with pytest.raises(
        DataError, match=rf"2 of 12 images are missing, the first one wanted by .*pairs\.txt:10: .*{named}"
    ):
        opened(lfw)


def test_of_many_missing_images_ten_are_named(tmp_path):
    lfw = write_lfw(tmp_path / "lfw", folds=3, same=4)
    for file in list(lfw.rglob("*.jpg"))[1:]:
        file.unlink()
    with pytest.raises(DataError, match="23 of 24 images are missing") as error:
        opened(lfw)
    assert str(error.value).count(".jpg") == 10


def test_images_that_are_nowhere_are_missing_not_a_crash(tmp_path):
    write(tmp_path / "lfw" / "pairs.txt", b"1\t1\nA\t1\t2\nA\t1\tB\t1\n")
    with pytest.raises(DataError, match="3 of 3 images are missing"):
        opened(tmp_path / "lfw")


def test_a_damaged_image_is_named(lfw):
    (lfw / lfw_name(1) / f"{lfw_name(1)}_0001.jpg").write_bytes(b"\xff\xd8no")
    with pytest.raises(DataError, match=rf"{lfw_name(1)}_0001\.jpg: no image"):
        opened(lfw)


def test_images_of_another_size_are_refused_or_resized_with_a_warning(lfw):
    write(lfw / lfw_name(0) / f"{lfw_name(0)}_0001.jpg", jpeg(np.zeros((250, 250, 3))))
    with pytest.raises(DataError, match="1 of 12 images are not 112x112 pixels"):
        opened(lfw)
    pack = opened(lfw, other_sizes="resize")
    assert any("1 of 12 images are not 112x112" in warning for warning in pack.warnings)
    assert pack.images(np.arange(12)).shape == (12, 112, 112, 3)


def test_a_pair_of_an_image_with_itself_is_warned_of(lfw):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, lines[0], f"{lfw_name(0)}\t1\t1", *lines[2:])
    assert any("1 of 12 pairs pair an image with itself" in warning for warning in opened(lfw).warnings)


def test_a_different_pair_of_one_person_is_warned_of(lfw):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, *lines[:3], f"{lfw_name(0)}\t1\t{lfw_name(0)}\t2", *lines[4:])
    warned = [warning for warning in opened(lfw).warnings if "named after one person" in warning]
    assert len(warned) == 1
    assert "1 of 12 pairs are called different" in warned[0]
    assert warned[0].endswith("pairs.txt:4)")


def test_two_folders_of_the_images_need_a_word_on_which(lfw, tmp_path):
    write_lfw(tmp_path / "set" / "one", folds=1, same=2)
    write_lfw(tmp_path / "set" / "two", folds=1, same=2)
    with pytest.raises(DataError, match="the images are in one and in two"):
        opened(tmp_path / "set")


def test_other_bytes_of_an_image_or_of_the_list_change_the_fingerprint(lfw):
    before = opened(lfw)
    lines = (lfw / "pairs.txt").read_text().splitlines()
    relist(lfw, lines[0], lines[2], lines[1], *lines[3:])
    relisted = opened(lfw)
    write(lfw / lfw_name(0) / f"{lfw_name(0)}_0001.jpg", jpeg(np.zeros((112, 112, 3))))
    assert len({pack.notes["sha256"] for pack in (before, relisted, opened(lfw))}) == 3
    assert len({pack.fingerprint for pack in (before, relisted, opened(lfw))}) == 3


def test_a_list_outside_counts_in_the_fingerprint(lfw, tmp_path):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    shas = set()
    for order in ([1, 2], [2, 1]):
        (tmp_path / "mine.txt").write_text("\n".join([lines[0], *(lines[k] for k in order), *lines[3:]]))
        shas.add(opened(lfw, pairs=tmp_path / "mine.txt").notes["sha256"])
    assert len(shas) == 2


def test_raw_pixels_tell_the_miniature_apart(lfw):
    pack = opened(lfw)
    pixels = pack.images(np.arange(len(pack))).reshape(len(pack), -1).astype(float)
    distance = np.linalg.norm(pixels[pack.first] - pixels[pack.second], axis=1)
    assert distance[pack.is_same].max() < distance[~pack.is_same].min()


FRAGMENTS = st.one_of(
    st.sampled_from([b"\t", b"\n", b" ", b"\r", b"1", b"2", b"10", lfw_name(0).encode(), b"..", b"/", b"\0", b"\xff"]),
    st.binary(max_size=6),
    st.just(b"x" * 300),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAGMENTS, max_size=25).map(b"".join))
def test_any_bytes_open_or_are_refused(lfw, content):
    (lfw / "pairs.txt").write_bytes(content)
    with suppress(DataError):
        assert len(opened(lfw).first)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 12), FRAGMENTS, st.integers(0, 40))
def test_a_mutated_line_opens_or_is_refused(tmp_path_factory, lfw, number, fragment, at):
    lines = (lfw / "pairs.txt").read_bytes().splitlines()
    lines[number] = lines[number][:at] + fragment + lines[number][at + 1 :]
    mutated = tmp_path_factory.getbasetemp() / "mutated.txt"
    mutated.write_bytes(b"\n".join(lines))
    with suppress(DataError):
        assert len(opened(lfw, pairs=mutated).first)


@pytest.mark.skipif(not DATA or not Path(DATA, "lfw", "lfw_pairs.txt").is_file(), reason="no LFW below FACEASSAY_DATA")
@pytest.mark.parametrize(("folds", "pairs"), [(None, 6000), ((6, 10), 3000)])
def test_the_real_list_opens_without_a_warning(folds, pairs):
    folder = Path(DATA, "lfw")
    pack = opened(folder / "lfw_view2_aligned112.zip", pairs=folder / "lfw_pairs.txt", folds=folds)
    assert (len(pack.first), int(pack.is_same.sum()), list(pack.warnings)) == (pairs, pairs // 2, [])
    if folds is None:
        assert (len(pack), len(pack.people)) == (7701, 4281)


def test_pairs_listed_again_are_counted(lfw):
    """The third line says the second one again, with its images exchanged."""
    lines = (lfw / "pairs.txt").read_text().splitlines()
    name, first, second = lines[1].split("\t")
    relist(lfw, *lines[:2], f"{name}\t{second}\t{first}", *lines[3:])
    (warning,) = [warning for warning in opened(lfw).warnings if "earlier" in warning]
    assert "1 of 12 pairs pair images that an earlier one pairs already" in warning
    assert warning.endswith("pairs.txt:3)")


def test_an_image_in_two_formats_is_refused(lfw):
    name = f"{lfw_name(0)}/{lfw_name(0)}_0001"
    Image.open(lfw / f"{name}.jpg").save(lfw / f"{name}.png")
    with pytest.raises(
        DataError, match=rf"1 of 12 images are there in several formats: {name}\.jpg beside {name}\.png"
    ):
        opened(lfw)


def test_a_folder_with_a_colon_in_its_name_is_read(lfw, tmp_path):
    lfw.rename(tmp_path / "lfw:112")
    (tmp_path / "lfw:112" / "pairs.txt").rename(tmp_path / "my:pairs.txt")
    assert len(opened(tmp_path / "lfw:112", pairs=tmp_path / "my:pairs.txt").first) == 12
