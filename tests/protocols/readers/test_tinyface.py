"""The reader of TinyFace on miniatures: layouts, who is who, what it warns of and what it refuses."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from faceassay.contracts import DataError, Pack
from faceassay_protocols.identification import rank_probes
from faceassay_protocols.readers.decoding import decoded
from faceassay_protocols.readers.tinyface import read_tinyface
from miniatures.tinyface import ALIGNED, LISTS, list_bytes, write_list, write_tinyface

PROBE_IDS = [3, 3, 10, 10, 17, 17, 24, 24, 31, 31]
PROBE_NAMES = [f"{i}_{k}.jpg" for i in (3, 10, 17, 24, 31) for k in (0, 1)]


def opened(path, **options):
    return read_tinyface(
        path, **{"images_in": None, "image_size": 112, "other_sizes": "refuse", "counts": "warn"} | options
    )


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        opened(path, **options)
    return str(caught.value)


def zipped(folder, file):
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return file


def file_pixels(path):
    return decoded(path.read_bytes(), str(path))


@pytest.fixture
def tinyface(tmp_path):
    return write_tinyface(tmp_path / "data")


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory):
    """A miniature that no test changes; its fingerprints are cached apart."""
    return write_tinyface(tmp_path_factory.mktemp("tinyface") / "data").parent


def test_probes_mates_and_distractors_come_in_this_order_with_their_identities(shared_data):
    pack = opened(shared_data)
    assert isinstance(pack, Pack)
    assert list(pack.names) == [
        *(f"Probe/{name}" for name in PROBE_NAMES),
        *(f"Gallery_Match/{name}" for name in PROBE_NAMES),
        *(f"Gallery_Distractor/{k:04d}.jpg" for k in range(20)),
    ]
    assert list(pack.people) == ["3", "10", "17", "24", "31"]
    assert [pack.people[i] for i in pack.probe_ids] == [str(i) for i in PROBE_IDS]
    assert [pack.people[i] for i in pack.gallery_ids[:10]] == [str(i) for i in PROBE_IDS]
    assert pack.gallery_ids[10:].tolist() == [-1] * 20
    assert pack.probe_ids.dtype == pack.gallery_ids.dtype == np.int64


def test_equal_names_in_two_folders_keep_their_own_pixels(shared_data):
    pack = opened(shared_data)
    probe, mate = pack.images(np.array([0, 10]))
    np.testing.assert_array_equal(probe, file_pixels(shared_data / ALIGNED / "Probe" / "3_0.jpg"))
    np.testing.assert_array_equal(mate, file_pixels(shared_data / ALIGNED / "Gallery_Match" / "3_0.jpg"))
    assert not np.array_equal(probe, mate)


def test_the_pack_fits_identification(shared_data):
    pack = opened(shared_data)
    people = np.append(pack.probe_ids, np.where(pack.gallery_ids < 0, 5, pack.gallery_ids))
    one_hot = np.eye(6)[people]
    ranked = rank_probes(one_hot[:10], one_hot[10:], pack.probe_ids, pack.gallery_ids)
    assert ranked.rank.tolist() == [1] * 10
    sample = pack.sample_pairs(8)
    assert np.array_equal(people[sample.first] == people[sample.second], sample.is_same)


def test_notes_say_counts_tree_and_decoder(shared_data):
    notes = opened(shared_data).notes
    assert {key: notes[key] for key in ("probes", "gallery", "distractors", "people", "tree")} == {
        "probes": 10, "gallery": 10, "distractors": 20, "people": 5, "tree": ALIGNED,
    }  # fmt: skip
    assert len(notes["sha256"]) == 64
    assert notes["decoder"].startswith("OpenCV ")


@pytest.mark.parametrize("inner", [".", "tinyface/.."])
def test_the_aligned_tree_is_found_from_above(shared_data, inner):
    assert opened(shared_data / inner).notes["tree"] == ALIGNED


def test_the_aligned_tree_is_found_beside_testing_set(tinyface):
    (tinyface.parent / ALIGNED).rename(tinyface / ALIGNED)
    assert opened(tinyface).notes["tree"] == ALIGNED


@pytest.mark.parametrize("lists_in", ["inside", "above", "testing set"])
def test_the_aligned_tree_is_taken_by_itself(tinyface, lists_in):
    aligned, testing_set = tinyface.parent / ALIGNED, tinyface / "Testing_Set"
    expected = opened(tinyface.parent)
    for file, _, _ in LISTS.values():
        if lists_in != "testing set":
            (testing_set / file).rename((aligned if lists_in == "inside" else aligned.parent) / file)
    pack = opened(aligned)
    assert (list(pack.names), pack.notes["tree"]) == (list(expected.names), ALIGNED)
    np.testing.assert_array_equal(pack.images(np.arange(40)), expected.images(np.arange(40)))


@pytest.mark.parametrize("inner", ["", "tinyface", "tinyface/Testing_Set"])
def test_a_zip_reads_as_its_folder(tmp_path, shared_data, inner):
    archive = zipped(shared_data / inner, tmp_path / "tinyface.zip")
    raw = {"images_in": None if inner.endswith("Set") else "Testing_Set", "other_sizes": "resize"}
    options = {} if inner == "" else raw
    from_zip, from_folder = opened(archive, **options), opened(shared_data / inner, **options)
    assert list(from_zip.names) == list(from_folder.names)
    np.testing.assert_array_equal(from_zip.probe_ids, from_folder.probe_ids)
    np.testing.assert_array_equal(from_zip.images(np.arange(40)), from_folder.images(np.arange(40)))
    assert from_zip.notes["tree"] == from_folder.notes["tree"]


def test_a_zip_with_the_outermost_folder_in_it_is_read(tmp_path, shared_data):
    assert opened(zipped(shared_data.parent, tmp_path / "x.zip")).notes["tree"] == ALIGNED


def test_crops_as_found_are_refused(tmp_path):
    message = refused(write_tinyface(tmp_path, aligned=False))
    assert "40 of 40 images are not 112x112 pixels" in message
    assert "align them first" in message


def test_resized_crops_carry_the_warning_about_published_numbers(tmp_path):
    pack = opened(write_tinyface(tmp_path, aligned=False), other_sizes="resize")
    assert pack.notes["tree"] == "as found"
    assert any("rank-1 46.0 instead of 72.0" in warning for warning in pack.warnings)
    assert pack.images(np.array([0, 39])).shape == (2, 112, 112, 3)


def test_aligned_crops_carry_no_warning_but_the_counts(shared_data):
    (warning,) = opened(shared_data).warnings
    assert "10 probes instead of 3728, 10 gallery instead of 4443, 20 distractors instead of 153428" in warning


def test_other_counts_are_an_error_unless_told_otherwise(shared_data):
    message = refused(shared_data, counts="assert")
    assert "10 probes instead of 3728, 10 gallery instead of 4443, 20 distractors instead of 153428" in message


def test_the_known_counts_are_asserted_by_default(shared_data):
    with pytest.raises(DataError, match="not the whole TinyFace"):
        read_tinyface(shared_data, images_in=None, image_size=112, other_sizes="refuse")


def test_a_named_tree_goes_before_the_aligned_one(shared_data):
    pack = opened(shared_data, images_in="tinyface/Testing_Set", other_sizes="resize")
    assert pack.notes["tree"] == "as found"
    assert pack.fingerprint != opened(shared_data).fingerprint


def test_trees_in_one_zip_have_fingerprints_of_their_own(tmp_path, shared_data):
    archive = zipped(shared_data, tmp_path / "x.zip")
    raw = opened(archive, images_in="tinyface/Testing_Set", other_sizes="resize")
    assert raw.fingerprint != opened(archive).fingerprint


@pytest.mark.parametrize("images_in", ["nowhere", "tinyface"])
def test_a_tree_without_the_three_folders_is_refused(shared_data, images_in):
    assert "no folder Gallery_Distractor, Gallery_Match, Probe" in refused(shared_data, images_in=images_in)


def test_no_tree_outside_the_pack_is_read(shared_data):
    assert "leads out of the pack" in refused(shared_data / "tinyface", images_in=f"../{ALIGNED}")


def test_files_may_have_another_extension_than_the_lists_say(tmp_path):
    write_tinyface(tmp_path, suffix=".png")
    pack = opened(tmp_path)
    assert list(pack.names[:2]) == ["Probe/3_0.png", "Probe/3_1.png"]
    with Image.open(tmp_path / ALIGNED / "Probe" / "3_0.png") as image:
        np.testing.assert_array_equal(pack.images(np.array([0]))[0], np.asarray(image))


def test_a_name_in_several_formats_is_the_listed_one_or_refused(tinyface):
    probe = tinyface.parent / ALIGNED / "Probe" / "3_0.jpg"
    probe.with_suffix(".png").write_bytes(probe.read_bytes())
    pack = opened(tinyface.parent)
    assert pack.names[0] == "Probe/3_0.jpg"
    assert any("1 images of Probe are not listed and not used, such as Probe/3_0.png" in w for w in pack.warnings)
    probe.rename(probe.with_suffix(".jpeg"))
    assert "1 of 10 listed images are missing, or there in several formats, such as 3_0.jpg" in refused(tinyface.parent)


def test_missing_images_are_counted_and_named(tinyface):
    for name in ("3_0.jpg", "31_1.jpg"):
        (tinyface.parent / ALIGNED / "Gallery_Match" / name).unlink()
    message = refused(tinyface.parent)
    assert "Gallery_Match: 2 of 10 listed images are missing" in message
    assert "3_0.jpg, 31_1.jpg" in message


def test_images_that_are_not_listed_are_counted_and_left_out(tinyface):
    folder = tinyface.parent / ALIGNED / "Gallery_Match"
    (folder / "99_0.jpg").write_bytes((folder / "3_0.jpg").read_bytes())
    (folder / "Thumbs.db").write_bytes(b"no image")
    pack = opened(tinyface.parent)
    assert "Gallery_Match/99_0.jpg" not in pack.names
    assert any("1 images of Gallery_Match are not listed" in warning for warning in pack.warnings)


def test_identities_that_differ_from_the_names_are_counted_and_those_of_the_list_used(tinyface):
    write_list(tinyface / "Testing_Set", "Probe", PROBE_NAMES, [10, *PROBE_IDS[1:]])
    pack = opened(tinyface.parent)
    assert pack.people[pack.probe_ids[0]] == "10"
    assert any("identities of 1 of 10 images are not the numbers" in w and "3_0.jpg (10)" in w for w in pack.warnings)


def test_probes_without_a_mate_are_refused_with_examples(tinyface):
    keep = slice(2, None)
    write_list(tinyface / "Testing_Set", "Gallery_Match", PROBE_NAMES[keep], PROBE_IDS[keep])
    message = refused(tinyface.parent)
    assert "2 probes have no mate" in message
    assert "Probe/3_0.jpg (identity 3)" in message


def test_an_image_listed_twice_is_refused(tinyface):
    write_list(tinyface / "Testing_Set", "Probe", [PROBE_NAMES[0], *PROBE_NAMES], [3, *PROBE_IDS])
    assert "1 images are listed more than once, such as Probe/3_0.jpg" in refused(tinyface.parent)


def test_a_listed_name_cannot_lead_elsewhere(tinyface):
    write_list(tinyface / "Testing_Set", "Probe", ["../Gallery_Match/3_0.jpg", *PROBE_NAMES[1:]], PROBE_IDS)
    assert "1 of 10 listed images are missing" in refused(tinyface.parent)


def test_an_unreadable_image_is_named_when_it_is_decoded(tinyface):
    pack = opened(tinyface.parent)
    (tinyface.parent / ALIGNED / "Probe" / "3_1.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3_1\.jpg: no image"):
        pack.images(np.array([1]))


def test_sizes_beyond_the_looked_at_are_refused_when_decoded(tinyface, monkeypatch):
    monkeypatch.setattr("faceassay_protocols.readers.tinyface.HEADERS_CHECKED", 4)
    odd = tinyface.parent / ALIGNED / "Probe" / "3_1.jpg"
    odd.write_bytes((tinyface / "Testing_Set" / "Probe" / "3_1.jpg").read_bytes())
    pack = opened(tinyface.parent)
    assert pack.images(np.array([0, 2])).shape == (2, 112, 112, 3)
    with pytest.raises(DataError, match=r"3_1\.jpg: not 112x112 pixels"):
        pack.images(np.array([1]))


def test_fingerprint_follows_content_and_lists(tinyface):
    first = opened(tinyface.parent).fingerprint
    write_list(tinyface / "Testing_Set", "Probe", PROBE_NAMES, [10, *PROBE_IDS[1:]])
    second = opened(tinyface.parent).fingerprint
    image = tinyface.parent / ALIGNED / "Gallery_Distractor" / "0000.jpg"
    image.write_bytes((image.parent / "0001.jpg").read_bytes())
    assert len({first, second, opened(tinyface.parent).fingerprint}) == 3


def test_a_folder_without_lists_is_refused(tmp_path):
    assert "probe_img_ID_pairs.mat" in refused(tmp_path)


BAD_LISTS = {
    "empty": b"",
    "cut": list_bytes("probe_set", PROBE_NAMES, "probe_ids", PROBE_IDS)[:500],
    "no names": list_bytes("names", PROBE_NAMES, "probe_ids", PROBE_IDS),
    "no identities": list_bytes("probe_set", PROBE_NAMES, "ids", PROBE_IDS),
    "fewer identities": list_bytes("probe_set", PROBE_NAMES, "probe_ids", PROBE_IDS[1:]),
    "nothing": list_bytes("probe_set", [], "probe_ids", []),
}


@pytest.mark.parametrize("bad", BAD_LISTS)
def test_bad_lists_are_refused_by_name(tinyface, bad):
    (tinyface / "Testing_Set" / LISTS["Probe"][0]).write_bytes(BAD_LISTS[bad])
    assert "probe_img_ID_pairs.mat: " in refused(tinyface.parent)


@pytest.mark.parametrize("wrong", [-3, 3.5, np.nan, np.inf])
def test_what_is_no_identity_number_is_refused(tinyface, wrong):
    cells = np.empty((10, 1), dtype=object)
    cells[:, 0] = PROBE_NAMES
    content = io.BytesIO()
    savemat(content, {"probe_set": cells, "probe_ids": np.array([[wrong], *([i] for i in PROBE_IDS[1:])], float)})
    (tinyface / "Testing_Set" / LISTS["Probe"][0]).write_bytes(content.getvalue())
    assert "no identity number" in refused(tinyface.parent)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_lists_with_flipped_bytes_open_or_are_refused(shared_data, data):
    file = shared_data / "tinyface" / "Testing_Set" / LISTS["Gallery_Match"][0]
    good = file.read_bytes()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 2))):
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bad)
    try:
        with suppress(DataError):
            pack = opened(shared_data)
            assert len(pack) == len(pack.probe_ids) + len(pack.gallery_ids)
    finally:
        file.write_bytes(good)
