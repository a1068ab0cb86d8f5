"""Embeddings from files: every format as stored, and each way in which a file is not what the benchmark needs."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from faceassay.brought.embeddings import BroughtEmbeddings, features
from faceassay.contracts import DataError

ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def save(path, embeddings=ROWS, **others):
    if path.suffix == ".npy":
        np.save(path, embeddings)
    elif path.suffix == ".npz":
        np.savez(path, embeddings=embeddings, **others)
    else:
        save_file({"embeddings": embeddings, **others}, path)
    return path


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.safetensors", "e.NPY"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_type_are_kept(tmp_path, name, dtype):
    path = save(tmp_path / name.lower(), ROWS.astype(dtype)).rename(tmp_path / name)
    found = features(path, 6)
    assert found.embeddings.dtype == dtype
    np.testing.assert_array_equal(found.embeddings, ROWS.astype(dtype))
    assert found.flipped is None


@pytest.mark.parametrize("name", ["e.npz", "e.safetensors"])
def test_mirrored_ones_are_read_and_strangers_are_not(tmp_path, name):
    path = save(tmp_path / name, flipped=-ROWS, labels=np.arange(3))
    np.testing.assert_array_equal(features(path, 6).flipped, -ROWS)


def test_npy_is_memory_mapped(tmp_path):
    assert isinstance(features(save(tmp_path / "e.npy"), 6).embeddings, np.memmap)


def test_nan_is_left_to_the_protocols(tmp_path):
    assert np.isnan(features(save(tmp_path / "e.npy", ROWS * np.nan), 6).embeddings).all()


def test_another_number_of_rows_says_how_to_get_the_order(tmp_path):
    with pytest.raises(DataError, match=r"has 6 rows for 7 images: .* --list-images"):
        BroughtEmbeddings.of(save(tmp_path / "e.npy"), 7)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.arange(24).reshape(6, 4), "int64"),
        (ROWS.astype(np.longdouble), "float128"),
        (ROWS[:, :, None], "must be"),
        (ROWS[:, :0], "must be"),
        (ROWS[0], "must be"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(tmp_path, array, message):
    with pytest.raises(DataError, match=message):
        features(save(tmp_path / "e.npz", array), 6)


def test_mirrored_ones_must_be_alike(tmp_path):
    with pytest.raises(DataError, match="must be alike"):
        features(save(tmp_path / "e.npz", flipped=ROWS[:, :3]), 6)
    with pytest.raises(DataError, match="flipped has 5 rows"):
        features(save(tmp_path / "e.npz", flipped=ROWS[:5]), 6)


def test_a_file_without_the_name_is_refused(tmp_path):
    np.savez(tmp_path / "e.npz", features=ROWS)
    with pytest.raises(DataError, match="no array 'embeddings'"):
        features(tmp_path / "e.npz", 6)


class _Armed:
    """Unpickling this makes the folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.safetensors"])
def test_nothing_is_unpickled(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(_Armed(tmp_path / "made")))
    with pytest.raises(DataError, match="cannot be read") as error:
        features(tmp_path / name, 6)
    assert "allow_pickle" not in str(error.value)
    if name != "e.safetensors":
        save(tmp_path / name, np.array([_Armed(tmp_path / "made")], dtype=object))
        with pytest.raises(DataError, match=r"cannot be read|is object"):
            features(tmp_path / name, 6)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.safetensors"])
@pytest.mark.parametrize("kept", [0, 0.3, 0.95])
def test_files_cut_short_are_named(tmp_path, name, kept):
    path = save(tmp_path / name, np.tile(ROWS, (50, 10)))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        features(path, 300)


@pytest.mark.parametrize("text", [b"(", b"{'descr': (", b"  x\n y", b"{'descr': (), 'fortran_order': 0, 'shape': ()}"])
@pytest.mark.parametrize("name", ["e.npy", "e.npz"])
def test_damaged_headers_are_named(tmp_path, name, text):
    content = b"\x93NUMPY\x01\x00" + (64).to_bytes(2, "little") + text.ljust(64)
    if name == "e.npy":
        (tmp_path / name).write_bytes(content)
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("embeddings.npy", content)
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        features(tmp_path / name, 6)


@pytest.mark.parametrize(("shape", "message"), [((10**13, 512), "has 10000000000000 rows"), ((6, 10**13), "be read")])
def test_headers_that_claim_more_than_memory_holds_are_refused(tmp_path, shape, message):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("embeddings.npy", header.getvalue() + bytes(64))
    with pytest.raises(DataError, match=message):
        features(tmp_path / "e.npz", 6)


@pytest.mark.parametrize("zeros", [np.zeros((7, 2**20), np.float32), np.zeros((6, 2**20), np.int32)])
def test_archives_are_unpacked_only_if_they_will_do(tmp_path, zeros):
    np.savez_compressed(tmp_path / "e.npz", embeddings=zeros)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"has 7 rows|is int32"):
            features(tmp_path / "e.npz", 6)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("stored", "size"), [("F8_E4M3", 1), ("BF16", 2), ("I64", 8)])
def test_tensors_of_types_that_are_not_read_are_named(tmp_path, stored, size):
    about = {"embeddings": {"dtype": stored, "shape": [6, 4], "data_offsets": [0, 24 * size]}}
    header = json.dumps(about).encode()
    (tmp_path / "e.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(24 * size))
    with pytest.raises(DataError, match=f"embeddings is {stored}: save float32"):
        features(tmp_path / "e.safetensors", 6)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_headers_are_read(tmp_path, version):
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive, archive.open("embeddings.npy", "w") as member:
        np.lib.format.write_array(member, ROWS, version)
    np.testing.assert_array_equal(features(tmp_path / "e.npz", 6).embeddings, ROWS)


@pytest.mark.parametrize("name", ["e.csv", "e", "e.pt"])
def test_other_formats_are_refused_with_those_that_are_read(tmp_path, name):
    with pytest.raises(DataError, match=r"\.npy, \.npz, \.safetensors"):
        features(tmp_path / name, 6)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.npy cannot be read"):
        BroughtEmbeddings.of(tmp_path / "none.npy", 6)


def test_an_archive_called_npy_is_refused(tmp_path):
    save(tmp_path / "e.npz").rename(tmp_path / "e.npy")
    with pytest.raises(DataError, match=r"call it \.npz"):
        features(tmp_path / "e.npy", 6)


def test_as_an_input_it_is_picklable_named_by_content_and_checked_again(tmp_path):
    path = save(tmp_path / "e.npy")
    given = BroughtEmbeddings.of(path, 6)
    other = BroughtEmbeddings.of(save(tmp_path / "other.npy"), 6)
    assert pickle.loads(pickle.dumps(given)) == given
    assert given.name == "e.npy"
    assert given.document == other.document
    np.testing.assert_array_equal(given.open("cpu", 1).embeddings, ROWS)
    save(path, 2 * ROWS)
    with pytest.raises(DataError, match="changed meanwhile"):
        given.open()
    assert BroughtEmbeddings.of(path, 6).document != given.document
