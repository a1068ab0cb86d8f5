"""Fixtures of the tests of ``faceassay evaluate``: every pack as a miniature, a store, the command in this process."""

from __future__ import annotations

import json
import lzma
import shutil

import pytest
from click.testing import CliRunner

from evaluating import WEIGHTS, Said, bin_of_photographs, decoded
from faceassay.brought.network import NetworkRecognizer
from faceassay.cli import main
from miniatures.bins import write_bin
from miniatures.brought import write_onnx
from miniatures.ijb import write_ijb
from miniatures.pairs import write_agedb, write_calfw, write_cfp, write_cplfw, write_lfw, zip_of
from miniatures.tinyface import write_tinyface


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        patch.delenv("FACEASSAY_STORE", raising=False)
        yield


@pytest.fixture(scope="session")
def packs(tmp_path_factory):
    """Return a folder with a miniature of every benchmark in every form, and with the recognizer ``model.onnx``."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("packs")
    write_onnx(folder / "model.onnx", WEIGHTS)
    write_bin(folder / "lfw.bin", *bin_of_photographs())
    (folder / "lfw.bin.xz").write_bytes(lzma.compress((folder / "lfw.bin").read_bytes(), preset=0))
    zip_of(write_lfw(folder / "lfw"))
    (folder / "outer").mkdir()
    zip_of(folder / "lfw", outer=True).rename(folder / "outer/lfw.zip")
    zip_of(folder / "lfw")
    shutil.copytree(folder / "lfw", folder / "faces")
    (folder / "list").mkdir()
    (folder / "faces/pairs.txt").rename(folder / "list/lfw_pairs.txt")
    zip_of(write_cfp(folder / "cfp"))
    write_agedb(folder / "agedb")
    write_calfw(folder / "calfw")
    write_cplfw(folder / "cplfw")
    write_ijb(folder / "ijbb", "ijb-b")
    zip_of(write_ijb(folder / "ijbc").path)
    write_ijb(folder / "bare", lists=False)
    write_ijb(folder / "aligned", aligned=True)
    write_tinyface(folder / "tiny")
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return a store that most tests share, as a user's evaluations do."""
    return tmp_path_factory.mktemp("shared") / "store"


@pytest.fixture
def evaluate(packs, shared, tmp_path):
    """Return a function that evaluates ``model.onnx``, or what is given instead, and returns what came of it."""

    def call(*arguments, store=shared, recognizer="{packs}/model.onnx"):
        written = tmp_path / "results.json"
        written.unlink(missing_ok=True)
        source = [] if recognizer is None else ["--recognizer", recognizer]
        given = [argument.format(packs=packs, tmp=tmp_path) for argument in (*source, *arguments)]
        options = ["--store", str(store), "--json", str(written), "--threads", "1", "--quiet"]
        result = CliRunner().invoke(main, ["evaluate", *options, *given], prog_name="faceassay")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        document = json.loads(written.read_text(), parse_constant=not_json) if written.exists() else {}
        return Said(result.exit_code, result.stdout, result.stderr, document)

    return call


@pytest.fixture
def calls(monkeypatch):
    """Return a list that grows by the size of each batch that the network embeds."""
    sizes, embed = [], NetworkRecognizer.embed

    def counted(self, images):
        sizes.append(len(images))
        return embed(self, images)

    monkeypatch.setattr(NetworkRecognizer, "embed", counted)
    return sizes


@pytest.fixture(scope="session")
def listed_pixels(packs):
    """Return the images of the miniature LFW folder in the order that ``--list-images`` prints."""
    result = CliRunner().invoke(main, ["evaluate", "--benchmark", f"lfw={packs / 'lfw'}", "--list-images"])
    return decoded([(packs / "lfw" / name).read_bytes() for name in result.stdout.splitlines()])


def not_json(name):
    raise AssertionError(f"{name} is no JSON")
