"""Shards, read back by tarfile and Pillow, which know nothing of the index."""

import hashlib
import io
import json
import pickle
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from faceassay.contracts import FaceDataset, StoreError
from faceassay.shards import ShardDataset, assemble, write_block
from fakes import toy_faces

IDENTITIES = ("anna", "bjørn", "chloé")


@pytest.fixture
def faces():
    return toy_faces(identities=3, per_identity=7, size=16)


def write_blocks(faces, folder, size=4):
    """Write the faces as blocks of ``size`` and return the paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for start in range(0, len(faces), size):
        part = slice(start, start + size)
        paths.append(folder / f"block-{start}.tar")
        write_block(paths[-1], start, faces.pixels[part], faces.labels[part])
    return paths


@pytest.fixture
def blocks(faces, tmp_path):
    return write_blocks(faces, tmp_path / "blocks")


@pytest.fixture
def shards(blocks, tmp_path):
    assemble(blocks, tmp_path / "shards", IDENTITIES, images_per_shard=10)
    return tmp_path / "shards"


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def read_in_sequence(folder):
    """Return name -> bytes of all members of all shards, as webdataset would meet them."""
    members = {}
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                members[member.name] = archive.extractfile(member).read()
    return members


def test_shards_hold_each_row_once_in_order(shards, faces):
    names = list(read_in_sequence(shards))
    assert names == [f"{row:09d}.{kind}" for row in range(21) for kind in ("png", "cls")]


def test_shards_hold_the_images(shards, faces):
    members = read_in_sequence(shards)
    for row in range(21):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(members[f"{row:09d}.png"]))), faces.pixels[row])


def test_shards_hold_the_labels_as_text(shards, faces):
    members = read_in_sequence(shards)
    assert [int(members[f"{row:09d}.cls"]) for row in range(21)] == faces.labels.tolist()


def test_shards_are_filled_one_after_another(shards):
    assert np.bincount(np.load(shards / "index.npy")[:, 0]).tolist() == [10, 10, 1]


def test_shards_keep_no_trace_of_time_or_user(shards):
    with tarfile.open(shards / "shard-00000.tar") as archive:
        traces = {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in archive}
    assert traces == {(0, 0, 0, "", 0o644)}


def test_the_index_points_at_the_images(shards):
    index = np.load(shards / "index.npy")
    members = read_in_sequence(shards)
    for row, (shard, offset, size) in enumerate(index):
        content = (shards / f"shard-{shard:05d}.tar").read_bytes()
        assert content[offset : offset + size] == members[f"{row:09d}.png"]


def test_the_index_is_int64(shards):
    assert np.load(shards / "index.npy").dtype == np.int64


def test_the_order_of_the_blocks_does_not_matter(blocks, shards, tmp_path):
    assemble(blocks[::-1], tmp_path / "other", IDENTITIES, images_per_shard=10)
    assert contents(tmp_path / "other") == contents(shards)


def test_the_size_of_the_blocks_does_not_matter(faces, shards, tmp_path):
    other = write_blocks(faces, tmp_path / "singles", size=1)
    assemble(other, tmp_path / "other", IDENTITIES, images_per_shard=10)
    assert contents(tmp_path / "other") == contents(shards)


def test_joining_again_over_a_half_written_result_gives_the_same_bytes(blocks, shards):
    expected = contents(shards)
    (shards / "shard-00001.tar").write_bytes(b"half" * 100_000)
    (shards / "index.npy").unlink()
    assemble(blocks, shards, IDENTITIES, images_per_shard=10)
    assert contents(shards) == expected


def test_a_shard_as_large_as_the_set(blocks, tmp_path):
    assemble(blocks, tmp_path / "one", IDENTITIES)
    assert [file.name for file in (tmp_path / "one").glob("*.tar")] == ["shard-00000.tar"]


def test_a_missing_block_cannot_be_joined(blocks, tmp_path):
    with pytest.raises(StoreError, match="row 4 is missing"):
        assemble([blocks[0], *blocks[2:]], tmp_path / "out", IDENTITIES)


def test_the_first_block_cannot_be_missing(blocks, tmp_path):
    with pytest.raises(StoreError, match="row 0 is missing"):
        assemble(blocks[1:], tmp_path / "out", IDENTITIES)


def test_a_block_given_twice_cannot_be_joined(blocks, tmp_path):
    with pytest.raises(StoreError, match="overlaps"):
        assemble([*blocks, blocks[0]], tmp_path / "out", IDENTITIES)


def test_a_damaged_block_cannot_be_joined(blocks, tmp_path):
    content = bytearray(blocks[2].read_bytes())
    content[-1500] ^= 1
    blocks[2].write_bytes(content)
    with pytest.raises(StoreError, match=r"block-8\.tar: no complete block"):
        assemble(blocks, tmp_path / "out", IDENTITIES)


def test_no_blocks_cannot_be_joined(tmp_path):
    with pytest.raises(StoreError, match="no blocks"):
        assemble([], tmp_path / "out", IDENTITIES)


def test_a_label_without_identity_cannot_be_joined(blocks, tmp_path):
    with pytest.raises(StoreError, match="label 2 at row 12 of 2 identities"):
        assemble(blocks, tmp_path / "out", IDENTITIES[:2])


def test_blocks_of_two_image_sizes_cannot_be_joined(blocks, tmp_path):
    write_block(tmp_path / "large.tar", 21, np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(StoreError, match="row 21 are 32 px, others 16"):
        assemble([*blocks, tmp_path / "large.tar"], tmp_path / "out", IDENTITIES)


def test_the_shards_are_a_face_dataset(shards):
    assert isinstance(ShardDataset(shards), FaceDataset)


def test_the_dataset_gives_the_pixels_back(shards, faces):
    assert np.array_equal(ShardDataset(shards).images(np.arange(21)), faces.pixels)


def test_the_dataset_gives_images_in_the_order_asked_for(shards, faces):
    index = np.array([20, 0, 11, 11])
    assert np.array_equal(ShardDataset(shards).images(index), faces.pixels[index])


def test_the_dataset_gives_an_empty_batch(shards):
    assert ShardDataset(shards).images(np.array([], dtype=np.int64)).shape == (0, 16, 16, 3)


def test_the_dataset_has_labels_and_names(shards, faces):
    dataset = ShardDataset(shards)
    assert dataset.labels.dtype == np.int64
    assert dataset.labels.tolist() == faces.labels.tolist()
    assert dataset.identities == IDENTITIES
    assert dataset.item_ids[20] == "000000020"


def test_the_dataset_gives_the_stored_png(shards):
    assert ShardDataset(shards).encoded(20) == read_in_sequence(shards)["000000020.png"]


@pytest.mark.parametrize("index", [21, -1])
def test_the_dataset_has_no_other_images(shards, index):
    with pytest.raises(IndexError):
        ShardDataset(shards).images(np.array([index]))
    with pytest.raises(IndexError):
        ShardDataset(shards).encoded(index)


def test_the_dataset_survives_pickling(shards, faces):
    dataset = ShardDataset(shards)
    dataset.images(np.array([0]))
    assert np.array_equal(pickle.loads(pickle.dumps(dataset)).images(np.array([3])), faces.pixels[[3]])


def test_the_fingerprint_ignores_how_rows_are_sharded(blocks, shards, tmp_path):
    assemble(blocks, tmp_path / "one", IDENTITIES)
    assert ShardDataset(tmp_path / "one").fingerprint == ShardDataset(shards).fingerprint


def test_the_fingerprint_is_that_of_the_members(shards):
    expected = hashlib.sha256(json.dumps([16, *IDENTITIES]).encode())
    for shard in sorted(shards.glob("*.tar")):
        expected.update(shard.read_bytes()[:-1024])
    assert ShardDataset(shards).fingerprint == expected.hexdigest()


def test_the_fingerprint_depends_on_the_names(blocks, shards, tmp_path):
    assemble(blocks, tmp_path / "other", ("x", "y", "z"), images_per_shard=10)
    assert ShardDataset(tmp_path / "other").fingerprint != ShardDataset(shards).fingerprint


@pytest.mark.parametrize(
    "name", ["shards.json", "index.npy", "labels.npy", "identities.json", "shard-00000.tar", "shard-00002.tar"]
)
def test_a_missing_file_is_a_store_error(shards, name):
    (shards / name).unlink()
    with pytest.raises(StoreError, match="no shards of images"):
        ShardDataset(shards)


@pytest.mark.parametrize("name", ["shards.json", "index.npy", "labels.npy", "identities.json", "shard-00001.tar"])
def test_a_truncated_file_is_a_store_error(shards, name):
    content = (shards / name).read_bytes()
    (shards / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(StoreError, match="no shards of images"):
        ShardDataset(shards)


def replace_array(name, change):
    def damage(folder):
        array = np.load(folder / name)
        np.save(folder / name, change(array))

    return damage


def replace_entry(name, value):
    def damage(folder):
        document = json.loads((folder / "shards.json").read_text())
        (folder / "shards.json").write_text(json.dumps({**document, name: value}))

    return damage


def pickled_labels(folder):
    np.save(folder / "labels.npy", np.array([print] * 21, dtype=object))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (replace_array("index.npy", lambda a: np.add(a, [0, 10**6, 0])), "behind the end"),
        (replace_array("index.npy", lambda a: np.subtract(a, [0, 10**6, 0])), "negative"),
        (replace_array("index.npy", lambda a: np.add(a, [0, 0, 2**62])), "behind the end"),
        (replace_array("index.npy", lambda a: a[:-1]), "index.npy is int64"),
        (replace_array("index.npy", lambda a: a.astype(float)), "index.npy is float64"),
        (replace_array("labels.npy", lambda a: a + 1), "labels 1 to 3 of 3"),
        (replace_array("labels.npy", lambda a: a - 1), "labels -1 to 1 of 3"),
        (pickled_labels, "allow_pickle"),
        (replace_entry("schema", 99), "schema 99, this version reads 1"),
        (replace_entry("count", 20), "not int64"),
    ],
)
def test_inconsistent_shards_are_a_store_error(shards, damage, reason):
    damage(shards)
    with pytest.raises(StoreError, match=reason):
        ShardDataset(shards)


def overwrite(shards, row, content):
    shard, offset, _ = np.load(shards / "index.npy")[row]
    with (shards / f"shard-{shard:05d}.tar").open("r+b") as file:
        file.seek(offset)
        file.write(content)


def test_a_damaged_image_is_a_store_error(shards):
    overwrite(shards, 11, bytes(100))
    with pytest.raises(StoreError, match="image 11 is damaged"):
        ShardDataset(shards).images(np.array([0, 11]))


def test_an_image_of_another_size_is_a_store_error(shards):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    overwrite(shards, 11, stream.getvalue())
    with pytest.raises(StoreError, match=r"image 11 is damaged \(8x8 px instead of 16\)"):
        ShardDataset(shards).images(np.array([11]))


def test_shards_that_vanish_are_a_store_error(shards):
    dataset = ShardDataset(shards)
    shutil.rmtree(shards)
    with pytest.raises(StoreError, match="image 0 is damaged"):
        dataset.images(np.array([0]))
