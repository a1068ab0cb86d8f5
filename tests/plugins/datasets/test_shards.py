"""Tar shards: those of others, written by Python's tarfile, and those that a synthesis leaves."""

import io
import json
import os
import pickle
import tarfile

import numpy as np
import pytest

from faceassay import DataError, FaceDataset
from faceassay.shards import assemble, write_block
from faceassay_plugins.datasets.shards import plugin
from faceassay_plugins.datasets.shards.plugin import Shards
from fakes import toy_faces
from miniatures.recordio import picture

LABELS = [0, 0, 10, 10, 2, 2]


def write(path, members, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, options.pop("mode", "w"), **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if callable(content):
                content(info)
                tar.addfile(info)
            else:
                info.size, info.mtime = len(content), 1_000_000_000
                tar.addfile(info, io.BytesIO(content))
    return path


def samples(rows, suffix="cls", said=lambda row: str(LABELS[row]).encode(), name="{:06d}".format):
    for row in rows:
        yield f"{name(row)}.png", picture(row)
        if suffix:
            yield f"{name(row)}.{suffix}", said(row)


def opened(path, **parameters):
    return Shards(path=path, **{"image_size": 12, **parameters}).open()


def message_of(path, **parameters):
    with pytest.raises(DataError) as caught:
        opened(path, **parameters)
    return str(caught.value)


def stored(dataset):
    return [dataset.encoded(row) for row in range(len(dataset))]


@pytest.fixture
def shards(tmp_path):
    """Make two shards of three samples."""
    write(tmp_path / "set" / "000001.tar", samples(range(3, 6)))
    write(tmp_path / "set" / "000000.tar", samples(range(3)))
    return tmp_path / "set"


def test_it_is_a_face_dataset(shards):
    assert isinstance(opened(shards), FaceDataset)


def test_images_are_read_bit_for_bit_in_the_order_of_the_files(shards):
    assert stored(opened(shards)) == [picture(row) for row in range(6)]


def test_identities_are_in_natural_order(shards):
    dataset = opened(shards)
    assert dataset.identities == ("0", "2", "10")
    assert (dataset.labels.dtype, dataset.labels.tolist()) == (np.int64, [0, 0, 2, 2, 1, 1])


def test_a_plain_tar_reader_finds_the_same_bytes_under_the_item_ids(shards):
    dataset = opened(shards)
    for row, item in enumerate(dataset.item_ids):
        shard, _, member = item.partition("/")
        with tarfile.open(shards / shard) as tar:
            assert tar.extractfile(member).read() == dataset.encoded(row)


def test_one_shard_will_do(shards):
    assert len(opened(shards / "000000.tar", min_images=1)) == 3


def test_identities_from_a_field_of_json(tmp_path):
    def said(row):
        return json.dumps({"id": f"p{LABELS[row]}", "age": 3}).encode()

    path = write(tmp_path / "a.tar", samples(range(6), "json", said))
    assert opened(path, identity="json", json_field="id").identities == ("p0", "p2", "p10")


def test_identities_from_the_folder(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(6), "", name=lambda row: f"train/p{LABELS[row]}/{row}"))
    assert opened(path, identity="folder").identities == ("train/p0", "train/p2", "train/p10")


def test_members_of_a_sample_may_be_in_any_order_and_of_any_kind(tmp_path):
    members = [
        ("1.cls", b"7\n"),
        ("1.json", b"{}"),
        ("1.PNG", picture(0)),
        ("1.seg.txt", b""),
        ("2.cls", b"7"),
        ("2.png", picture(1)),
    ]
    dataset = opened(write(tmp_path / "a.tar", members))
    assert (dataset.identities, stored(dataset)) == (("7",), [picture(0), picture(1)])


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_beyond_ascii(tmp_path, form):
    path = write(tmp_path / "a.tar", samples(range(6), name=lambda row: f"{'é' * 90}/{'x' * 90}{row}"), format=form)
    dataset = opened(path)
    assert (dataset.item_ids[3], stored(dataset)[3]) == (f"a.tar/{'é' * 90}/{'x' * 90}3.png", picture(3))


def test_folders_in_the_tar_are_passed_over(tmp_path):
    def folder(info):
        info.type = tarfile.DIRTYPE

    assert len(opened(write(tmp_path / "a.tar", [("d", folder), *samples(range(6))]))) == 6


def test_opening_again_scans_nothing(shards, monkeypatch):
    for shard in shards.iterdir():
        os.utime(shard, (1_000_000_000, 1_000_000_000))
    first = opened(shards)
    monkeypatch.setattr(plugin, "scan", lambda *_: pytest.fail("scanned again"))
    again = opened(shards)
    assert (again.fingerprint, again.item_ids) == (first.fingerprint, first.item_ids)


def test_it_survives_pickling(shards):
    assert stored(pickle.loads(pickle.dumps(opened(shards)))) == [picture(row) for row in range(6)]


def test_the_fingerprint_does_not_depend_on_the_place(shards, tmp_path):
    before = opened(shards).fingerprint
    shards.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved").fingerprint == before


def link(info):
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"


def hard_link(info):
    info.type, info.linkname = tarfile.LNKTYPE, "000000.png"


def device(info):
    info.type = tarfile.CHRTYPE


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../x.png", b"a"), "../x.png names a path outside the archive"),
        (("/x.png", b"a"), "/x.png names a path outside the archive"),
        (("x.png", link), "is no plain file"),
        (("x.png", hard_link), "is no plain file"),
        (("x.png", device), "is no plain file"),
        (("000000.png", picture(0)), "000000.png is there twice"),
        (("000000.jpg", picture(0)), "000000.jpg is the second image of its sample"),
        (("x.png", b""), "x.png is empty"),
        (("x.png", b"GIF89a"), "x.png is no JPEG, PNG"),
        (("x.png", picture(9)), "sample 'x' has no identity (identity: cls)"),
        (("x.cls", b"1"), "sample 'x' has no image"),
        (("x.cls", b"\xff"), "x.cls is no text"),
    ],
)
def test_a_member_that_cannot_be_used_is_refused(tmp_path, member, said):
    assert said in message_of(write(tmp_path / "a.tar", [*samples(range(6)), member]))


@pytest.mark.parametrize("value", [b"{}", b"[1]", b'{"label": 1.5}', b'{"label": true}', b'{"label": null}'])
def test_a_json_that_says_no_identity_is_refused(tmp_path, value):
    path = write(tmp_path / "a.tar", samples(range(6), "json", lambda row: value))
    assert "000000.json has no whole number or text 'label'" in message_of(path, identity="json")


def test_what_is_no_json_is_refused(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(6), "json", lambda row: b"{"))
    assert "000000.json is no JSON" in message_of(path, identity="json")


def test_a_sparse_file_is_refused(tmp_path):
    """GNU's sparse headers in pax form, written by hand."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("x.png")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}
        info.size = 1
        tar.addfile(info, io.BytesIO(b"a"))
    assert "is no plain file" in message_of(path)


def test_a_compressed_tar_is_refused(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(6)), mode="w:gz")
    assert "not compressed ones" in message_of(path)


def test_a_folder_without_shards_is_refused(tmp_path):
    assert "holds no .tar" in message_of(tmp_path)


def test_an_empty_shard_is_refused(tmp_path):
    assert "hold no images" in message_of(write(tmp_path / "a.tar", []))


def test_identities_with_few_images_are_named(shards):
    assert "have fewer than min_images: 3 images: 0 (2), 2 (2), 10 (2)" in message_of(shards, min_images=3)


def test_a_tar_cut_anywhere_is_refused(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(2)), format=tarfile.USTAR_FORMAT)
    content = path.read_bytes().rstrip(b"\0")
    for length in range(0, len(content), 4):
        path.write_bytes(content[:length])
        message_of(path)


def test_a_damaged_header_is_refused(tmp_path):
    """Python's tarfile takes it for the end where it is not the first."""
    path = write(tmp_path / "a.tar", samples(range(6)))
    content = bytearray(path.read_bytes())
    content[content.index(b"000003.png") + 5] ^= 1
    path.write_bytes(content)
    assert "does not end where its members do" in message_of(path)


def test_tars_that_were_joined_are_refused(shards):
    path = shards / "000000.tar"
    path.write_bytes(path.read_bytes() + (shards / "000001.tar").read_bytes())
    assert "does not end where its members do" in message_of(path)


def test_a_damaged_image_is_named_when_it_is_read(tmp_path):
    path = write(
        tmp_path / "a.tar", [("1.png", picture(0)), ("1.cls", b"1"), ("2.png", picture(1)[:50]), ("2.cls", b"1")]
    )
    with pytest.raises(DataError, match=r"a\.tar: 2\.png: .*; bring the file again"):
        opened(path).images(np.array([1]))


@pytest.fixture
def synthesis(tmp_path):
    """Write shards of our own, of 24 images of 16 px."""
    faces = toy_faces()
    write_block(tmp_path / "block", 0, faces.pixels, faces.labels)
    assemble([tmp_path / "block"], tmp_path / "synthesis", faces.identities, images_per_shard=10)
    return tmp_path / "synthesis"


def test_our_own_shards_bring_their_index(synthesis, monkeypatch):
    monkeypatch.setattr(plugin, "scan", lambda *_: pytest.fail("scanned"))
    dataset, faces = opened(synthesis, image_size=16), toy_faces()
    assert np.array_equal(dataset.images(np.arange(24)), faces.pixels)
    assert (dataset.labels.tolist(), dataset.identities) == (faces.labels.tolist(), faces.identities)
    assert dataset.item_ids[23] == "000000023"


def test_our_own_shards_are_resized_where_asked_for(synthesis):
    assert opened(synthesis, image_size=24).images(np.array([0])).shape == (1, 24, 24, 3)


def test_our_own_shards_read_as_foreign_ones_hold_the_same(synthesis):
    (synthesis / "shards.json").unlink()
    dataset, faces = opened(synthesis, image_size=16), toy_faces()
    assert np.array_equal(dataset.images(np.arange(24)), faces.pixels)
    assert (dataset.labels.tolist(), dataset.identities) == (faces.labels.tolist(), ("0", "1", "2", "3"))


def test_our_own_shards_without_a_file_are_refused(synthesis):
    (synthesis / "shard-00001.tar").unlink()
    assert "no shards of images" in message_of(synthesis)
