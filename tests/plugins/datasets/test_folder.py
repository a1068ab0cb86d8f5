"""A folder of people as a dataset: order, refusals, fingerprints, memory; and a few real faces where they are."""

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceassay import DataError, FaceDataset
from faceassay_plugins.datasets import encoded
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.datasets.images import decode


def opened(root, **parameters):
    return Folder(path=root, **{"image_size": 16, **parameters}).open()


def message_of(root, **parameters):
    with pytest.raises(DataError) as caught:
        opened(root, **parameters)
    return str(caught.value)


def test_it_is_a_face_dataset(people):
    assert isinstance(opened(people), FaceDataset)


def test_identities_are_in_natural_order(people):
    assert opened(people).identities == ("s1", "s2", "s10")


def test_item_ids_are_relative_paths_in_natural_order(people):
    assert opened(people).item_ids == ("s1/1.png", "s1/10.jpg", "s2/1.png", "s2/10.jpg", "s10/1.png", "s10/10.jpg")


def test_labels_follow_the_identities(people):
    labels = opened(people).labels
    assert (labels.dtype, labels.tolist()) == (np.int64, [0, 0, 1, 1, 2, 2])


def test_images_are_decoded_from_their_files(people):
    dataset = opened(people)
    expected = [decode((people / item).read_bytes(), 16, "crop") for item in dataset.item_ids]
    assert np.array_equal(dataset.images(np.arange(6)), np.stack(expected))


def test_images_come_in_the_order_asked_for(people):
    dataset = opened(people)
    everything = dataset.images(np.arange(6))
    assert np.array_equal(dataset.images(np.array([5, 0, 5, 2])), everything[[5, 0, 5, 2]])


def test_the_fit_is_used(people):
    dataset = opened(people, fit="stretch")
    expected = decode((people / "s2/1.png").read_bytes(), 16, "stretch")
    assert np.array_equal(dataset.images(np.array([2]))[0], expected)


def test_stored_files_are_given_unchanged(people):
    assert opened(people).encoded(3) == (people / "s2" / "10.jpg").read_bytes()


@pytest.mark.parametrize("index", [6, -1])
def test_there_are_no_other_images(people, index):
    with pytest.raises(IndexError):
        opened(people).images(np.array([index]))
    with pytest.raises(IndexError):
        opened(people).encoded(index)


def test_a_batch_does_not_change_what_is_kept(people):
    dataset = opened(people)
    first = dataset.images(np.arange(6))
    dataset.images(np.arange(6))[:] = 0
    assert np.array_equal(dataset.images(np.arange(6)), first)


def decodings(monkeypatch):
    calls = []
    monkeypatch.setattr(encoded, "decode", lambda content, size, fit: calls.append(1) or decode(content, size, fit))
    return calls


def test_a_small_set_is_decoded_once(people, monkeypatch):
    calls = decodings(monkeypatch)
    dataset = opened(people)
    for _ in range(3):
        dataset.images(np.array([0, 1, 1]))
    assert len(calls) == 2


def test_a_large_set_is_not_kept_in_memory(people, monkeypatch):
    calls = decodings(monkeypatch)
    monkeypatch.setattr(encoded, "KEPT_BYTES", 6 * 16 * 16 * 3)
    dataset = opened(people)
    for _ in range(3):
        dataset.images(np.array([0, 1]))
    assert len(calls) == 6


def test_it_survives_pickling(people):
    dataset = opened(people)
    assert np.array_equal(pickle.loads(pickle.dumps(dataset)).images(np.arange(6)), dataset.images(np.arange(6)))


def test_upper_case_and_other_suffixes_are_images(tmp_path, save_picture):
    for name in ["1.JPG", "2.Jpeg", "3.PNG", "4.pgm", "5.bmp", "6.webp", "7.ppm"]:
        save_picture(tmp_path / "set" / "a" / name)
    assert len(opened(tmp_path / "set")) == 7


def test_a_wrong_suffix_among_known_formats_does_not_matter(tmp_path, save_picture):
    save_picture(tmp_path / "set" / "a" / "1.jpg", format="PNG")
    save_picture(tmp_path / "set" / "a" / "2.jpg")
    assert len(opened(tmp_path / "set")) == 2


def test_unicode_names(tmp_path, save_picture):
    for name in ["ünal.png", "木.jpg"]:
        save_picture(tmp_path / "set" / "José Ångström" / name)
    dataset = opened(tmp_path / "set")
    assert dataset.identities == ("José Ångström",)
    assert dataset.item_ids == ("José Ångström/ünal.png", "José Ångström/木.jpg")


def test_names_that_differ_in_leading_zeros_are_all_kept(tmp_path, save_picture):
    for name in ["s1", "s01", "s001"]:
        save_picture(tmp_path / "set" / name / "1.png")
    assert opened(tmp_path / "set", min_images=1).identities == ("s001", "s01", "s1")


def test_hidden_files_are_ignored_silently(people):
    (people / ".DS_Store").write_bytes(b"x")
    (people / "s1" / "._1.png").write_bytes(b"x")
    (people / ".thumbnails").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(opened(people)) == 6


def test_other_files_are_ignored_with_a_count(people):
    (people / "README.txt").write_text("x")
    (people / "s1" / "landmarks.txt").write_text("x")
    (people / "s1" / "scan.TIFF").write_text("x")
    with pytest.warns(UserWarning, match=r"3 other files or folders ignored \(\.txt: 2, \.tiff: 1\)"):
        assert len(opened(people)) == 6


def test_links_are_followed(people, tmp_path):
    os.symlink(people / "s1", people / "s3")
    os.symlink(people / "s1" / "1.png", people / "s2" / "2.png")
    dataset = opened(people)
    assert dataset.identities == ("s1", "s2", "s3", "s10")
    assert np.array_equal(*dataset.images(np.array([0, dataset.item_ids.index("s2/2.png")])))


def test_a_broken_link_is_named(people):
    os.symlink(people / "gone.png", people / "s2" / "2.png")
    assert "s2/2.png (No such file or directory)" in message_of(people)


def test_an_empty_identity_is_named(people):
    (people / "s7").mkdir()
    assert "1 of 4 identities have fewer than min_images: 2 images: s7 (0)" in message_of(people)


def test_every_identity_with_too_few_images_is_named(people, save_picture):
    save_picture(people / "s7" / "1.png")
    (people / "s8").mkdir()
    message = message_of(people)
    assert "s7 (1), s8 (0)" in message
    assert "lower min_images" in message


def test_one_image_is_enough_where_allowed(people, save_picture):
    save_picture(people / "s7" / "1.png")
    assert "s7" in opened(people, min_images=1).identities


def test_no_image_is_never_enough(people):
    (people / "s7").mkdir()
    assert "s7 (0)" in message_of(people, min_images=1)


def test_hundreds_of_identities_with_too_few_images_are_counted(people):
    for k in range(60):
        (people / f"t{k}").mkdir()
    assert message_of(people).count("(0)") == 50
    assert "and 10 more" in message_of(people)


def test_a_file_is_no_folder(people):
    assert "is not a folder" in message_of(people / "s1" / "1.png")


def test_a_folder_without_folders_is_refused(people):
    assert "a folder of its own" in message_of(people / "s1")


def test_images_one_level_too_deep_are_explained(people):
    assert "directly in the folder of their identity" in message_of(people.parent)


@pytest.mark.parametrize("name", ["s1/1.png", "s2/10.jpg"])
def test_a_truncated_image_is_found_at_opening(people, name):
    content = (people / name).read_bytes()
    (people / name).write_bytes(content[: len(content) * 2 // 3])
    assert f"1 of 6 files cannot be used: {name} (damaged image" in message_of(people)


def test_all_bad_images_are_named_at_once(people):
    (people / "s1" / "1.png").write_bytes(b"")
    (people / "s2" / "10.jpg").write_text("not an image")
    message = message_of(people)
    assert "s1/1.png (empty file)" in message
    assert "s2/10.jpg (no JPEG, PNG" in message


def test_an_image_that_is_broken_later_is_named(people):
    dataset = opened(people)
    (people / "s1" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"s1/1\.png: empty file; it was a good image"):
        dataset.images(np.array([0]))


def test_opening_again_decodes_nothing(people, monkeypatch):
    opened(people)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded again"))
    opened(people)


def test_the_fingerprint_is_the_same_again(people):
    assert opened(people).fingerprint == opened(people).fingerprint


def test_the_fingerprint_does_not_depend_on_the_place(people, tmp_path):
    before = opened(people).fingerprint
    people.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved").fingerprint == before


@pytest.mark.parametrize("parameters", [{"image_size": 24}, {"fit": "pad"}])
def test_the_fingerprint_depends_on_the_decoding(people, parameters):
    assert opened(people, **parameters).fingerprint != opened(people).fingerprint


def test_the_fingerprint_does_not_depend_on_what_is_refused(people):
    assert opened(people, min_images=1).fingerprint == opened(people).fingerprint


@pytest.mark.parametrize("change", ["content", "name", "identity", "less"])
def test_the_fingerprint_depends_on_the_files(people, save_picture, change):
    before = opened(people, min_images=1).fingerprint
    changes = {
        "content": lambda: save_picture(people / "s1" / "1.png", seed=77),
        "name": lambda: (people / "s1" / "1.png").rename(people / "s1" / "2.png"),
        "identity": lambda: (people / "s1").rename(people / "s5"),
        "less": lambda: (people / "s1" / "1.png").unlink(),
    }
    changes[change]()
    assert opened(people, min_images=1).fingerprint != before


def test_a_missing_path_is_refused_by_the_parameter(tmp_path):
    with pytest.raises(ValueError, match="no such file or folder"):
        Folder(path=tmp_path / "gone")


def lfw_archive():
    variable = os.environ.get("FACEASSAY_DATA")
    if not variable:
        pytest.skip("FACEASSAY_DATA is not set: no real LFW faces to open")
    archive = Path(variable) / "lfw" / "lfw_view2_aligned112.zip"
    if not archive.exists():
        pytest.skip(f"{archive} is not there: no real LFW faces to open")
    return archive


def test_real_faces(tmp_path):
    root = tmp_path / "lfw"
    with zipfile.ZipFile(lfw_archive()) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(("Aaron_P", "Abdu", "AJ_")))
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(archive.read(name))
    dataset = opened(root, image_size=112, min_images=1)
    assert sorted(dataset.item_ids) == names
    expected = np.asarray(Image.open(root / dataset.item_ids[1]))
    assert np.array_equal(dataset.images(np.array([1]))[0], expected)
