"""Inputs that no stage makes: what of a pack enters a key, and that it is the same when it is opened again."""

from __future__ import annotations

import pickle

import pytest

from faceassay.contracts import DataError
from faceassay.given import DataInput, PackInput
from fakes import WholePack
from tiny_benchmarks import TinyFiles, write_pack
from tiny_plugins import TinyFaces, TinyReader


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    return write_pack(tmp_path / "pack.npz")


def pack_of(path, name="bench", **parameters):
    return PackInput.of(name, TinyFiles(path=path, **parameters), None)


def test_a_pack_is_opened_once_to_learn_about_it(file):
    pack = pack_of(file)
    assert (pack.images, pack.image_size, pack.people) == (24, 16, ("s1", "s2"))
    assert pack.warnings == ("it is small",)
    assert pack.open().image_size == 16


def test_neither_name_nor_place_of_a_pack_is_in_its_key(file, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = file.rename(tmp_path / "elsewhere/renamed.npz")
    document = pack_of(moved, "other").document
    write_pack(file)
    assert document == pack_of(file).document
    assert "renamed" not in str(document)


def test_content_and_parameters_of_a_pack_are_in_its_key(file, tmp_path):
    other = write_pack(tmp_path / "other.npz", seed=1)
    documents = [pack_of(file).document, pack_of(other).document, pack_of(file, every=2).document]
    assert len({str(document) for document in documents}) == 3


def test_data_behind_a_pack_is_in_its_key():
    data = [DataInput.of("faces", TinyFaces(seed=seed), None) for seed in (0, 1)]
    packs = [PackInput.of("bench", TinyReader(), one) for one in data]
    assert packs[0].document["pack"]["data"] == data[0].document
    assert packs[0].document != packs[1].document
    assert isinstance(packs[0].open(), WholePack)


def test_a_pack_that_changed_since_is_refused(file):
    pack = pack_of(file)
    write_pack(file, seed=1)
    with pytest.raises(DataError, match=r"benchmark 'bench' changed meanwhile: run again"):
        pack.open()


def test_an_input_travels_to_another_process(file):
    pack = pickle.loads(pickle.dumps(pack_of(file)))
    assert pack == pack_of(file)
    assert len(pack.open()) == 24
