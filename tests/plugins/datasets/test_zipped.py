"""Zips of folders, written by Python's zipfile: layouts, refusals, damage; and the real LFW archives where they are."""

import os
import pickle
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from faceassay import DataError, FaceDataset
from faceassay_plugins.datasets import zipped
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.datasets.zipped import Zip
from miniatures.recordio import picture

FACES = {"s1/1.png": 0, "s1/10.png": 1, "s2/1.png": 2, "s2/2.png": 3, "s10/1.png": 4, "s10/2.png": 5}


def write(path, members=None, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (members or {name: picture(seed) for name, seed in FACES.items()}).items():
            archive.writestr(name, content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def opened(path, **parameters):
    return Zip(path=path, **{"image_size": 12, **parameters}).open()


def message_of(path, **parameters):
    with pytest.raises(DataError) as caught:
        opened(path, **parameters)
    return str(caught.value)


def stored(dataset):
    return [dataset.encoded(row) for row in range(len(dataset))]


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def faces(request, tmp_path):
    return write(tmp_path / "faces.zip", method=request.param)


def test_it_is_a_face_dataset(faces):
    assert isinstance(opened(faces), FaceDataset)


def test_members_are_read_bit_for_bit(faces):
    assert stored(opened(faces)) == [picture(seed) for seed in FACES.values()]


def test_it_is_what_the_folder_is(faces, tmp_path):
    with zipfile.ZipFile(faces) as archive:
        for name in archive.namelist():
            (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / name).write_bytes(archive.read(name))
    ours, its = opened(faces), Folder(path=tmp_path / "folder", image_size=12).open()
    assert ours.item_ids == its.item_ids
    assert (ours.identities, ours.labels.tolist()) == (its.identities, its.labels.tolist())
    assert np.array_equal(ours.images(np.arange(6)), its.images(np.arange(6)))


def test_members_may_be_in_any_order(tmp_path):
    members = {name: picture(seed) for name, seed in reversed(FACES.items())}
    assert opened(write(tmp_path / "a.zip", members)).item_ids == tuple(FACES)


def test_one_folder_may_be_around_all(tmp_path):
    dataset = opened(write(tmp_path / "a.zip", {f"faces/{name}": picture(seed) for name, seed in FACES.items()}))
    assert (dataset.identities, dataset.item_ids[0]) == (("s1", "s2", "s10"), "faces/s1/1.png")


def test_names_beyond_ascii(tmp_path):
    dataset = opened(write(tmp_path / "a.zip", {"José/ünal.png": picture(0), "José/木.png": picture(1)}))
    assert (dataset.identities, dataset.item_ids) == (("José",), ("José/ünal.png", "José/木.png"))


def test_others_are_counted_and_hidden_ones_are_not(tmp_path):
    others = {
        "readme.txt": b"a",
        "s1/note.txt": b"b",
        "s1/deeper/1.png": b"c",
        "__MACOSX/s1/._1.png": b"d",
        "s1/.x": b"",
    }
    path = write(tmp_path / "a.zip", {**{name: picture(seed) for name, seed in FACES.items()}, **others})
    with pytest.warns(UserWarning, match=r"3 other members ignored \(.txt: 2, .png: 1\)"):
        assert len(opened(path)) == 6


def test_opening_again_scans_nothing(faces, monkeypatch):
    first = opened(faces)
    monkeypatch.setattr(zipped, "_listed", lambda path: pytest.fail("scanned again"))
    assert opened(faces).fingerprint == first.fingerprint


def test_it_survives_pickling(faces):
    assert stored(pickle.loads(pickle.dumps(opened(faces)))) == [picture(seed) for seed in FACES.values()]


def test_many_threads_read_at_once(faces):
    dataset, wrong = opened(faces), []

    def read(seed):
        for row in np.random.default_rng(seed).integers(0, 6, 200).tolist():
            if dataset.encoded(row) != picture(row):
                wrong.append(row)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("name", ["../s1/1.png", "/s1/1.png", "s1/../../1.png", "C:/s1/1.png", "\\s1\\1.png"])
def test_paths_outside_are_refused(tmp_path, name):
    assert "name a path outside the archive" in message_of(write(tmp_path / "a.zip", {name: picture(0)}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_path_that_is_there_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("s1/1.png", picture(0))
        archive.writestr("s1/1.png", picture(1))
    assert "paths that are there twice: 's1/1.png'" in message_of(tmp_path / "a.zip")


def test_an_encrypted_member_is_refused(tmp_path):
    path = write(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted members: 's1/1.png'" in message_of(path)


def test_another_packing_is_refused(tmp_path):
    assert "packed otherwise" in message_of(write(tmp_path / "a.zip", method=zipfile.ZIP_BZIP2))


def test_an_empty_member_is_found_at_opening(tmp_path):
    assert "empty members: s1/2.png" in message_of(write(tmp_path / "a.zip", {"s1/1.png": picture(0), "s1/2.png": b""}))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_no_image_is_found_at_opening(tmp_path, method):
    path = write(tmp_path / "a.zip", {"s1/1.png": picture(0), "s1/2.png": b"a text"}, method)
    assert "no JPEG, PNG, PNM, BMP or WebP image: s1/2.png" in message_of(path)


def test_a_zip_without_folders_is_refused(tmp_path):
    assert "holds no images in folders" in message_of(write(tmp_path / "a.zip", {"1.png": picture(0)}))


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    assert "no .zip, or a damaged one" in message_of(tmp_path / "a.zip")


def test_a_folder_is_refused(people):
    assert "no .zip" in message_of(people)


def test_identities_with_few_images_are_named(faces):
    assert "3 of 3 identities have fewer than min_images: 3 images: s1 (2), s2 (2), s10 (2)" in message_of(
        faces, min_images=3
    )


def test_a_zip_cut_anywhere_is_refused(tmp_path):
    path = write(tmp_path / "a.zip", {"s1/1.png": picture(0), "s1/2.png": picture(1)})
    content = path.read_bytes()
    for length in range(0, len(content), 4):
        path.write_bytes(content[:length])
        message_of(path)


@pytest.mark.filterwarnings("ignore:.*other members ignored")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_single_changed_byte_never_gives_another_image(tmp_path, method):
    images = {"s1/1.png": picture(0), "s1/2.png": picture(1)}
    path = write(tmp_path / "a.zip", images, method)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            found = stored(opened(path, min_images=1))
        except DataError:
            continue
        assert set(found) <= set(images.values())


def test_damage_is_named_when_it_is_read(faces):
    content = faces.read_bytes()
    place = content.index(b"s10/2.png") + 60
    faces.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError, match=r"faces\.zip: s10/2\.png: .*; bring the \.zip again"):
        opened(faces).images(np.array([5]))


@pytest.mark.parametrize(
    ("name", "images", "people"),
    [("lfw_view2_aligned112.zip", 7701, 4281), ("lfw_rest_ge2_aligned112_q92.zip", 4116, 615)],
)
def test_real_faces(name, images, people):
    path = Path(os.environ.get("FACEASSAY_DATA", "")) / "lfw" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: no real LFW faces to open")
    dataset = opened(path, image_size=112, min_images=1)
    assert (len(dataset), len(dataset.identities)) == (images, people)
    with zipfile.ZipFile(path) as archive:
        for row in range(0, images, 400):
            assert dataset.encoded(row) == archive.read(dataset.item_ids[row])


def test_a_member_without_a_name_is_refused(tmp_path):
    file = write(tmp_path / "faces.zip")
    content = file.read_bytes()
    place = content.rindex(b"s10/2.png")
    file.write_bytes(content[:place] + b"\0" + content[place + 1 :])
    assert "members that name a path outside the archive: ''" in message_of(file)
