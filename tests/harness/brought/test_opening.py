"""Brought recognizers as inputs: the kind of a file, its fingerprint and key, opening in another process."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from faceassay import keys
from faceassay.brought.artifact import Artifact
from faceassay.brought.opening import BroughtRecognizer, kind_of
from faceassay.brought.preprocessing import Preprocessing, prepared
from faceassay.contracts import DataError
from miniatures import networks


@pytest.fixture
def archive(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        networks.scripted().save(tmp_path / "net.pt")
    return tmp_path / "net.pt"


@pytest.fixture
def onnx_file(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    onnx.save(networks.model(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def trained(tmp_path):
    """Return a folder with the record of a recognizer and one file."""
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "weights").write_bytes(b"weights")
    files = {"weights": hashlib.sha256(b"weights").hexdigest()}
    record = {
        "kind": "recognizer",
        "key": {"plugin": {"name": "iresnet", "parameters": {}}},
        "files": {name: {"sha256": sha256} for name, sha256 in files.items()},
        "content": keys.digest(files),
    }
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def by_hand(stated):
    return networks.expected(prepared(networks.faces(), stated))


def assert_opens_everywhere(given, stated):
    wanted = by_hand(stated)
    tolerance = {"rtol": 1e-5, "atol": 1e-5 * np.abs(wanted).max()}
    np.testing.assert_allclose(networks.embedded(given), wanted, **tolerance)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        np.testing.assert_allclose(pool.submit(networks.embedded, given).result(60), wanted, **tolerance)


def test_a_torchscript_archive_opens_here_and_in_a_spawned_process(archive):
    stated = Preprocessing("bgr", 0, 255)
    given = BroughtRecognizer.of(archive, preprocessing=stated, image_size=8)
    assert (given.kind, given.name) == ("torchscript", "net.pt")
    assert given.fingerprint == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert_opens_everywhere(given, stated)


def test_an_onnx_file_opens_here_and_in_a_spawned_process(onnx_file):
    given = BroughtRecognizer.of(onnx_file)
    assert (given.kind, given.name) == ("onnx", "net.onnx")
    assert given.fingerprint == hashlib.sha256(onnx_file.read_bytes()).hexdigest()
    assert given.preprocessing == Preprocessing()
    assert_opens_everywhere(given, Preprocessing())


def test_an_artifact_is_named_by_the_content_of_its_files(trained):
    given = BroughtRecognizer.of(trained)
    assert (given.kind, given.preprocessing) == ("artifact", None)
    assert given.fingerprint == Artifact.of(trained).content
    assert given.document["brought"]["code"]["name"] == "iresnet"
    assert pickle.loads(pickle.dumps(given)) == given


def test_weights_kept_beside_an_onnx_file_count(tmp_path, onnx_file):
    import onnx

    path = tmp_path / "external.onnx"
    onnx.save(onnx.load(onnx_file), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    given = BroughtRecognizer.of(path)
    content = bytearray((tmp_path / "weights.bin").read_bytes())
    content[10] ^= 1
    (tmp_path / "weights.bin").write_bytes(content)
    assert BroughtRecognizer.of(path).fingerprint != given.fingerprint
    with pytest.raises(DataError, match="changed meanwhile"):
        given.open()


def test_the_key_says_all_that_changes_an_embedding_and_no_path(archive, tmp_path):
    stated = Preprocessing("rgb", 0, 1)
    given = BroughtRecognizer.of(archive, preprocessing=stated, image_size=8)
    moved = BroughtRecognizer.of(shutil.copy(archive, tmp_path / "copy.pth"), preprocessing=stated, image_size=8)
    assert keys.digest(given.document) == keys.digest(moved.document)
    others = [
        BroughtRecognizer.of(archive, preprocessing=stated),
        BroughtRecognizer.of(archive, image_size=8),
        BroughtRecognizer.of(archive, preprocessing=Preprocessing("bgr", 0, 1), image_size=8),
    ]
    assert len({keys.digest(one.document) for one in (given, *others)}) == 4


def test_a_file_that_changed_is_not_opened(archive):
    given = BroughtRecognizer.of(archive, image_size=8)
    with archive.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DataError, match=r"net\.pt changed meanwhile"):
        given.open()


class _Armed:
    """Unpickling this makes the folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_without_their_network_are_refused_and_not_unpickled(tmp_path, zipped):
    import torch

    torch.save({"weight": _Armed(tmp_path / "made")}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(DataError, match=r"w\.pth is neither .* torch\.onnx\.export"):
        BroughtRecognizer.of(tmp_path / "w.pth")
    assert not (tmp_path / "made").exists()


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.onnx: there is no such file"):
        kind_of(tmp_path / "none.onnx")


@pytest.mark.parametrize("said", [{"preprocessing": Preprocessing()}, {"image_size": 112}, {"output": "embedding"}])
def test_an_artifact_takes_no_statements(trained, said):
    with pytest.raises(DataError, match=f"{next(iter(said))} cannot be given: a trained recognizer"):
        BroughtRecognizer.of(trained, **said)


def test_a_torchscript_network_takes_no_output_name(archive):
    with pytest.raises(DataError, match="output cannot be given: a TorchScript network"):
        BroughtRecognizer.of(archive, output="embedding")


def test_importing_the_package_imports_neither_torch_nor_onnx():
    modules = "faceassay.brought.opening, faceassay.brought.embeddings, faceassay.stages.preprocessing"
    code = f"import sys, {modules}; print([name for name in ('torch', 'onnx', 'onnxruntime') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
