"""Block files: complete or missing, the same bytes whoever writes them."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from faceassay.blocks import block_is_complete, block_rows, read_block_header, write_block
from faceassay.contracts import StoreError
from fakes import toy_faces


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


def test_a_block_tells_what_it_holds(blocks):
    header = read_block_header(blocks[1])
    assert (header.start_row, header.stop_row, header.image_size, header.labels) == (4, 8, 16, (0, 0, 0, 1))


def test_a_block_is_a_tar(blocks, faces):
    with tarfile.open(blocks[1], "r:") as archive:
        pixels = np.asarray(Image.open(archive.extractfile("000000005.png")))
    assert np.array_equal(pixels, faces.pixels[5])


def test_a_written_block_is_complete(blocks):
    assert all(block_is_complete(block) for block in blocks)


def test_a_block_has_the_same_bytes_whenever_written(faces, blocks, tmp_path):
    again = write_blocks(faces, tmp_path / "again")
    assert [block.read_bytes() for block in again] == [block.read_bytes() for block in blocks]


def test_a_block_leaves_no_other_file(blocks):
    assert sorted(blocks[0].parent.iterdir()) == sorted(blocks)


def test_a_block_replaces_a_broken_one(faces, blocks):
    blocks[0].write_bytes(b"broken")
    write_block(blocks[0], 0, faces.pixels[:4], faces.labels[:4])
    assert block_is_complete(blocks[0])


def test_a_block_that_fails_to_be_written_leaves_no_block(faces, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_block(tmp_path / "gone" / "block.tar", 0, faces.pixels, faces.labels)
    with pytest.raises(ValueError, match="uint8"):
        write_block(tmp_path / "block.tar", 0, faces.pixels.astype(float), faces.labels)
    assert not block_is_complete(tmp_path / "block.tar")


def test_a_writer_killed_before_the_end_leaves_no_block(faces, tmp_path, monkeypatch):
    def die(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr("faceassay.blocks.os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        write_block(tmp_path / "block.tar", 0, faces.pixels, faces.labels)
    assert not (tmp_path / "block.tar").exists()


@pytest.mark.parametrize("part", [0, 1, 100, 512, 600, 1024, 2000, -1024, -512, -1])
def test_a_truncated_block_is_missing(blocks, part):
    content = blocks[0].read_bytes()
    blocks[0].write_bytes(content[:part])
    assert not block_is_complete(blocks[0])


def test_a_block_cut_anywhere_is_missing(blocks):
    content = blocks[0].read_bytes()
    for cut in range(0, len(content), 97):
        blocks[0].write_bytes(content[:cut])
        assert not block_is_complete(blocks[0])


@pytest.mark.parametrize("place", [530, 1100, -1500, -10])
def test_a_block_with_a_changed_byte_is_missing(blocks, place):
    content = bytearray(blocks[0].read_bytes())
    content[place] ^= 1
    blocks[0].write_bytes(content)
    assert not block_is_complete(blocks[0])


def test_a_block_with_a_hole_is_missing(blocks):
    content = blocks[0].read_bytes()
    blocks[0].write_bytes(content[:1500] + bytes(len(content) - 1500))
    assert not block_is_complete(blocks[0])


@pytest.mark.parametrize("content", [b"", b"no tar", bytes(10240)])
def test_a_file_that_is_no_block_has_no_header(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StoreError, match="no complete block"):
        read_block_header(tmp_path / "file")


def test_a_tar_of_something_else_is_no_block(tmp_path):
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    assert not block_is_complete(tmp_path / "other.tar")


def test_a_missing_block_is_not_complete(tmp_path):
    assert not block_is_complete(tmp_path / "gone.tar")


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 8, 8), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 8, 9, 3), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 8, 8, 1), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 8, 8, 3), np.float32), np.zeros(2, np.int64)),
        (np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64)),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2)),
        (np.zeros((2, 8, 8, 3), np.uint8), np.array([0, -1])),
    ],
)
def test_misshapen_images_or_labels_are_refused(tmp_path, images, labels):
    with pytest.raises(ValueError, match="must be"):
        write_block(tmp_path / "block.tar", 0, images, labels)


def test_the_rows_of_a_block_are_its_members(blocks):
    with tarfile.open(blocks[1], "r:") as archive:
        expected = [(archive.getmember(f"{row:09d}.png").size, row) for row in range(4, 8)]
    for (member_bytes, size), (expected_size, row) in zip(block_rows(blocks[1]), expected, strict=True):
        assert size == expected_size
        with tarfile.open(fileobj=io.BytesIO(member_bytes + bytes(1024))) as archive:
            assert archive.getnames() == [f"{row:09d}.png", f"{row:09d}.cls"]
