"""The packs of IJB: found in every layout, aligned to the template, refused where files are missing or odd."""

from __future__ import annotations

import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from faceassay.contracts import DataError, Pack
from faceassay_protocols.readers.ijb import KNOWN, read_ijb
from miniatures.ijb import POINTS, write_ijb


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def release(tmp_path):
    return tmp_path / "IJB_release"


@pytest.fixture
def ijb(release):
    return write_ijb(release)


@pytest.fixture
def ready(release):
    return write_ijb(release, aligned=True)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def marks(crop):
    """Return the centre of the bright spot around each point of the template, (x, y) [5, 2]."""
    light = np.clip(crop.astype(float).mean(axis=-1) - 120, 0, None)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    near = [light * (np.hypot(x - left, y - top) < 8) for left, top in POINTS * crop.shape[0] / 112]
    return np.array([((x * spot).sum() / spot.sum(), (y * spot).sum() / spot.sum()) for spot in near])


def test_it_is_a_pack_of_what_the_lists_say(ijb):
    pack = read_ijb(ijb.path, name="ijb-c")
    assert isinstance(pack, Pack)
    assert pack.names == ijb.names
    assert pack.template_ids.tolist() == ijb.templates
    assert pack.media_ids.tolist() == ijb.media
    assert pack.detector_scores.tolist() == ijb.scores
    assert list(zip(pack.first_ids, pack.second_ids, pack.is_same, strict=True)) == ijb.pairs
    assert pack.people == [str(subject) for subject in sorted(set(ijb.subject_of.values()))]


def test_notes_count_what_is_there(ijb):
    notes = read_ijb(ijb.path, name="ijb-c").notes
    counts = {"images": 90, "templates": 18, "media": 54, "pairs": 72, "genuine_pairs": 12, "impostor_pairs": 60}
    assert {key: notes[key] for key in counts} == counts
    assert notes["subjects"] == 6
    assert notes["alignment"] == "five-point similarity, warpAffine as in OpenCV 4"
    assert {"sha256", "format", "decoder"} <= set(notes)


def test_without_lists_there_are_no_people(tmp_path):
    pack = read_ijb(write_ijb(tmp_path, lists=False).path, name="ijb-c")
    assert (pack.people, pack.subjects) == ((), None)
    assert "subjects" not in pack.notes


def test_marks_land_on_the_template(ijb):
    pack = read_ijb(ijb.path, name="ijb-c")
    for crop in pack.images(np.arange(0, 90, 7)):
        np.testing.assert_allclose(marks(crop), POINTS, atol=0.5)


def test_marks_land_on_the_scaled_template(ijb):
    pack = read_ijb(ijb.path, name="ijb-c", image_size=160)
    crops = pack.images(np.array([3, 50]))
    assert crops.shape == (2, 160, 160, 3)
    for crop in crops:
        np.testing.assert_allclose(marks(crop), POINTS * 160 / 112, atol=0.5)


def test_joined_landmarks_align_as_well(ijb):
    expected = read_ijb(ijb.path, name="ijb-c").images(np.arange(5))
    file = ijb.file("name_5pts_score.txt")
    file.write_text("\n".join(file.read_text().splitlines()[::-1]))
    np.testing.assert_array_equal(read_ijb(ijb.path, name="ijb-c").images(np.arange(5)), expected)


def test_images_come_in_the_order_asked_for(ijb):
    pack = read_ijb(ijb.path, name="ijb-c")
    some = pack.images(np.array([7, 0, 7]))
    np.testing.assert_array_equal(some, np.concatenate([pack.images(np.array([row])) for row in (7, 0, 7)]))
    with pytest.raises(IndexError):
        pack.images(np.array([90]))


def test_aligned_images_are_taken_as_found(ready):
    pack = read_ijb(ready.path, name="ijb-c")
    assert pack.notes["alignment"] == "as found"
    stored = np.asarray(Image.open(ready.path / "aligned_112" / "4.jpg"))
    assert np.abs(pack.images(np.array([3]))[0].astype(int) - stored).max() <= 2  # decoders may round differently


def test_aligned_images_need_no_landmarks(tmp_path):
    pack = read_ijb(write_ijb(tmp_path, aligned=True, landmarks=False).path, name="ijb-c")
    assert pack.detector_scores is None
    assert pack.images(np.array([0])).shape == (1, 112, 112, 3)


def test_crops_need_landmarks(tmp_path):
    with pytest.raises(DataError, match="no file of landmarks"):
        read_ijb(write_ijb(tmp_path, landmarks=False).path, name="ijb-c")


def test_the_same_pack_is_found_from_every_side(ijb, release, tmp_path):
    one, other, above = (read_ijb(path, name="ijb-c") for path in (ijb.path, release, release.parent))
    assert one.fingerprint == other.fingerprint == above.fingerprint
    for packed in (zipped(ijb.path, tmp_path / "one.zip"), zipped(release, tmp_path / "two.zip")):
        pack = read_ijb(packed, name="ijb-c")
        np.testing.assert_array_equal(pack.images(np.array([5, 80])), one.images(np.array([5, 80])))
        np.testing.assert_array_equal(pack.template_ids, one.template_ids)


def test_the_name_tells_two_benchmarks_apart(ijb, release):
    small = write_ijb(release, "ijb-b", subjects=2)
    assert len(read_ijb(release, name="ijb-b")) == len(small.names)
    assert len(read_ijb(release, name="ijb-c")) == len(ijb.names)
    with pytest.raises(DataError, match=r"meta/ijbb_face_tid_mid\.txt"):
        read_ijb(ijb.path, name="ijb-b")


def test_a_folder_can_be_named(ijb):
    (ijb.path / "loose_crop").rename(ijb.path / "crops")
    with pytest.raises(DataError, match="images_in"):
        read_ijb(ijb.path, name="ijb-c")
    pack = read_ijb(ijb.path, name="ijb-c", images_in="crops", align="five-point")
    np.testing.assert_allclose(marks(pack.images(np.array([0]))[0]), POINTS, atol=0.5)


def test_two_folders_of_aligned_images_are_not_guessed(ready):
    shutil.copytree(ready.path / "aligned_112", ready.path / "IJBC_gt_aligned")
    with pytest.raises(DataError, match="2 folders of aligned images IJBC_gt_aligned aligned_112"):
        read_ijb(ready.path, name="ijb-c")
    assert len(read_ijb(ready.path, name="ijb-c", images_in="IJBC_gt_aligned")) == 90


def test_a_folder_outside_is_refused(ijb):
    with pytest.raises(DataError, match="leads out"):
        read_ijb(ijb.path, name="ijb-c", images_in="../../elsewhere")


def test_an_image_outside_is_refused(ijb, tmp_path):
    shutil.copy(ijb.path / "loose_crop" / "1.jpg", tmp_path / "secret.jpg")
    for kind in ("face_tid_mid.txt", "name_5pts_score.txt"):
        text = ijb.file(kind).read_text()
        ijb.file(kind).write_text(text.replace("1.jpg", "../../../secret.jpg", 1))
    with pytest.raises(DataError, match="leads out"):
        read_ijb(ijb.path, name="ijb-c")


@pytest.mark.parametrize("as_zip", [False, True])
def test_missing_images_are_named_together(ijb, tmp_path, as_zip):
    for name in ("2.jpg", "30.jpg"):
        (ijb.path / "loose_crop" / name).unlink()
    path = zipped(ijb.path, tmp_path / "ijbc.zip") if as_zip else ijb.path
    with pytest.raises(DataError, match=r"2 of 90 images are missing: .*loose_crop/2\.jpg, .*loose_crop/30\.jpg"):
        read_ijb(path, name="ijb-c")


def test_a_damaged_image_that_the_sample_missed_is_named_when_asked_for(ijb, monkeypatch):
    monkeypatch.setattr("faceassay_protocols.readers.ijb._SIZES_LOOKED_AT", 2)
    (ijb.path / "loose_crop" / "8.jpg").write_bytes(b"no image")
    pack = read_ijb(ijb.path, name="ijb-c")
    assert len(pack.images(np.array([6]))) == 1
    with pytest.raises(DataError, match=r"loose_crop/8\.jpg"):
        pack.images(np.array([6, 7]))


def test_landmarks_without_a_scale_are_named_at_opening(ijb):
    file = ijb.file("name_5pts_score.txt")
    lines = file.read_text().splitlines()
    lines[2] = "3.jpg " + "5.5 " * 10 + "0.1"
    file.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"the landmarks of 1 images cannot be aligned: 3\.jpg\."):
        read_ijb(ijb.path, name="ijb-c")
    assert len(read_ijb(ijb.path, name="ijb-c", align="none", other_sizes="resize")) == 90


def moved(ijb, change, rows):
    """Rewrite the landmarks of some rows: float [5, 2] to others."""
    file = ijb.file("name_5pts_score.txt")
    lines = file.read_text().splitlines()
    for row in rows:
        name, *numbers, score = lines[row].split()
        points = change(np.array(numbers, dtype=float).reshape(5, 2))
        lines[row] = " ".join([name, *map(str, points.ravel()), score])
    file.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "change", [lambda points: points * 1000, lambda points: points + np.array([0, 900]), lambda points: points / 200]
)
def test_landmarks_that_are_no_pixels_of_the_crop_are_counted(ijb, change):
    moved(ijb, change, rows=(3, 40, 41))
    warning = read_ijb(ijb.path, name="ijb-c").warnings[-1]
    assert "loose_crop: the landmarks of 3 of 90 images looked at are centred outside the image or within" in warning
    assert "such as loose_crop/4.jpg:" in warning


def test_a_mouth_outside_its_crop_is_no_fault(ijb):
    moved(ijb, lambda points: points + ([[0, 0]] * 3 + [[0, 60]] * 2), rows=range(90))
    assert not any("landmarks" in warning for warning in read_ijb(ijb.path, name="ijb-c").warnings)


def test_crops_are_not_taken_for_aligned(ijb):
    with pytest.raises(DataError, match="not 112x112"):
        read_ijb(ijb.path, name="ijb-c", align="none")
    pack = read_ijb(ijb.path, name="ijb-c", align="none", other_sizes="resize")
    assert any("90 of 90 images are not 112x112" in warning for warning in pack.warnings)
    assert pack.images(np.arange(3)).shape == (3, 112, 112, 3)


def test_an_odd_size_that_the_sample_missed_is_found_when_asked_for(ready, monkeypatch):
    monkeypatch.setattr("faceassay_protocols.readers.ijb._SIZES_LOOKED_AT", 2)
    Image.new("RGB", (96, 112)).save(ready.path / "aligned_112" / "5.jpg")
    pack = read_ijb(ready.path, name="ijb-c")
    with pytest.raises(DataError, match=r"5\.jpg: 96x112 pixels, not 112x112"):
        pack.images(np.array([4]))
    resized = read_ijb(ready.path, name="ijb-c", other_sizes="resize")
    assert resized.images(np.array([4])).shape == (1, 112, 112, 3)


def test_each_count_that_is_not_the_known_one_is_said(ijb):
    warnings = read_ijb(ijb.path, name="ijb-c").warnings
    assert [warning.removeprefix(f"{ijb.path}: ") for warning in warnings] == [
        "90 images, IJB-C has 469375",
        "18 templates, IJB-C has 23124",
        "72 pairs, IJB-C has 15658489",
        "12 genuine pairs, IJB-C has 19557",
    ]


def test_known_counts_agree_with_one_another():
    """IJB-B has 8,000,000 and IJB-C 15,638,932 impostor pairs; every probe has one mate in either gallery."""
    impostors = {name: known.pairs - known.genuine_pairs for name, known in KNOWN.items()}
    assert impostors == {"ijb-b": 8_000_000, "ijb-c": 15_638_932}
    assert KNOWN["ijb-b"].templates - KNOWN["ijb-b"].genuine_pairs == 1845


@pytest.mark.parametrize("kind", ["image", "landmarks", "templates", "size", "alignment"])
def test_the_fingerprint_follows_what_decides_the_pixels(ijb, kind):
    before = read_ijb(ijb.path, name="ijb-c", other_sizes="resize").fingerprint
    parameters = {"size": {"image_size": 96}, "alignment": {"align": "none"}}.get(kind, {})
    if kind == "image":
        shutil.copy(ijb.path / "loose_crop" / "1.jpg", ijb.path / "loose_crop" / "2.jpg")
    elif kind in ("landmarks", "templates"):
        file = ijb.file("name_5pts_score.txt" if kind == "landmarks" else "face_tid_mid.txt")
        file.write_text(file.read_text() + "\n")
    assert read_ijb(ijb.path, name="ijb-c", other_sizes="resize", **parameters).fingerprint != before


def test_a_second_opening_reads_no_image(ijb, monkeypatch):
    for file in ijb.path.rglob("*.*"):
        os.utime(file, (1e9, 1e9))
    before = read_ijb(ijb.path, name="ijb-c").fingerprint
    monkeypatch.setattr("faceassay.fingerprints._examine", None)
    assert read_ijb(ijb.path, name="ijb-c").fingerprint == before


def test_unaligned_images_are_not_taken_for_aligned_ones(ready):
    (ready.path / "unaligned").mkdir()
    assert "in aligned_112 " in read_ijb(ready.path, name="ijb-c").notes["format"]
    (ready.path / "aligned_112").rename(ready.path / "not_aligned")
    with pytest.raises(DataError, match=r"0 folders of aligned images: name the folder .* with images_in"):
        read_ijb(ready.path, name="ijb-c")
