"""``faceassay evaluate``: options and files that are refused, before anything runs."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from evaluating import FEW, WEIGHTS
from faceassay.registry import Origin, Registry
from miniatures.brought import write_onnx, write_torchscript
from tiny_benchmarks import TinySize


@pytest.mark.parametrize("options", [[], ["--recognizer", "{packs}/model.onnx", "--embeddings", "{packs}/model.onnx"]])
def test_a_recognizer_or_embeddings_must_be_given(evaluate, options):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", *options, recognizer=None)
    assert said.code == 2
    assert said.stderr == "give either --recognizer PATH or --embeddings FILE\n"


@pytest.mark.parametrize(
    "option",
    [["--colour", "bgr"], ["--mean", "0"], ["--std", "1"], ["--image-size", "112"], ["--output", "embedding"]],
)
def test_embeddings_have_no_preprocessing(evaluate, tmp_path, option):
    np.save(tmp_path / "lfw.npy", np.ones((60, 2), np.float32))
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--embeddings", "{tmp}/lfw.npy", *option, recognizer=None)
    assert said.code == 2
    assert f"leave out {option[0]}" in said.stderr


@pytest.mark.parametrize(
    ("benchmark", "problem"),
    [
        ("lfww={packs}/lfw.bin", "--benchmark lfww: no protocol plugin is called 'lfww'; did you mean 'lfw'"),
        ("lfw#2={packs}/lfw.bin", "--benchmark lfw#2: no protocol plugin is called 'lfw#2'; did you mean 'lfw'"),
        ("lfw", "--benchmark lfw: give its files as NAME=PATH"),
        ("lfw=", "--benchmark lfw: give its files as NAME=PATH"),
        (
            "lfw={packs}/lfw.bin,replicats=3",
            "--benchmark lfw: replicats: unknown parameter; did you mean 'replicates'?",
        ),
        ("lfw={packs}/lfw.bin,replicates=some", "--benchmark lfw: replicates: Input should be a valid integer"),
        (
            "lfw={packs}/lfw.bin,replicates=-1",
            "--benchmark lfw: replicates: Input should be greater than or equal to 0",
        ),
        ("lfw={packs}/lfw.bin,fprs=1e-2+2", "--benchmark lfw: fprs.1: Input should be less than or equal to 1"),
        ("lfw={packs}/lfw,folds=1to5", "--benchmark lfw: folds: String should match pattern"),
        ("lfw={packs}/lfw.bin,replicates=1,replicates=2", "--benchmark lfw: a parameter is given twice"),
        ("lfw={packs}/lfw.bin,path={packs}/lfw", "--benchmark lfw: a parameter is given twice"),
        ("lfw={packs}/lfw.bin,folds=6..10", "--benchmark lfw: an insightface pack has neither a list of pairs nor"),
        (
            "pair-verification={packs}/lfw",
            "--benchmark pair-verification: this protocol is made from a dataset: use it",
        ),
        ("lfw={packs}/model.onnx", "--benchmark lfw: "),
        ("cfp-fp={packs}/lfw", "--benchmark cfp-fp: "),
        ("lfw={packs}/lfw,folds=6..11", "folds 6 to 11 of a list with folds 1 to 10"),
    ],
)
def test_a_benchmark_that_cannot_be_opened_is_refused_with_the_remedy(evaluate, tmp_path, benchmark, problem):
    said = evaluate("--benchmark", benchmark, store=tmp_path / "new")
    assert said.code == 2, said.stdout
    assert problem in said.stderr.replace(str(tmp_path), "{tmp}")
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "new").exists()


def test_faults_of_several_benchmarks_are_told_together(evaluate):
    said = evaluate(
        "--benchmark", "lfww=x", "--benchmark", "lfw={packs}/lfw.bin,fprs=5", "--benchmark", "cfp-fp=nowhere"
    )
    assert [line.partition(":")[0] for line in said.stderr.splitlines()] == [
        "--benchmark lfww",
        "--benchmark lfw",
        "--benchmark cfp-fp",
    ]


def test_a_path_that_is_not_there_tells_where_it_was_looked_for(evaluate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path / "data"))
    said = evaluate("--benchmark", "lfw=nowhere.bin")
    assert said.code == 2
    assert f"tried {tmp_path / 'nowhere.bin'}, {tmp_path / 'data/nowhere.bin'}" in said.stderr
    assert "FACEASSAY_DATA" in said.stderr


def test_files_are_found_in_the_folder_of_data(evaluate, packs, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEASSAY_DATA", str(packs))
    said = evaluate("--benchmark", f"lfw=faces,pairs=list/lfw_pairs.txt{FEW}")
    assert said.code == 0, said.stderr
    assert said.lfw["files"] == {"path": str(packs / "faces"), "pairs": str(packs / "list/lfw_pairs.txt")}


def test_a_tilde_is_the_home_folder(evaluate, packs, monkeypatch):
    monkeypatch.setenv("HOME", str(packs))
    assert evaluate("--benchmark", f"cfp-fp=~/cfp{FEW}").code == 0


def test_a_comma_in_a_path_is_none_between_parameters(evaluate, packs, tmp_path):
    shutil.copy(packs / "lfw.bin", tmp_path / "lfw, aligned=2.bin")
    said = evaluate("--benchmark", f"lfw={{tmp}}/lfw, aligned=2.bin{FEW}")
    assert said.lfw["files"] == {"path": str(tmp_path / "lfw, aligned=2.bin")}


def test_a_recognizer_that_is_not_there_is_refused(evaluate, tmp_path):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", recognizer="{tmp}/nowhere.onnx", store=tmp_path / "new")
    assert said.code == 2
    assert "nowhere.onnx: there is no such file" in said.stderr


def test_a_recognizer_that_is_none_is_refused(evaluate):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", recognizer="{packs}/lfw.bin")
    assert said.code == 2
    assert "neither an ONNX file" in said.stderr


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("half.onnx", "half.onnx: it is no readable ONNX file"),
        ("half.pt", "half.pt is neither an ONNX file"),
        ("size.onnx", "size.onnx: the network takes images of 84 px, not the image_size 112"),
    ],
)
def test_a_recognizer_that_cannot_embed_is_refused_before_packs_are_opened(
    evaluate, packs, tmp_path, monkeypatch, wrong, problem
):
    (tmp_path / "half.onnx").write_bytes((packs / "model.onnx").read_bytes()[:-100])
    (tmp_path / "half.pt").write_bytes(write_torchscript(tmp_path / "whole.pt", WEIGHTS).read_bytes()[:-100])
    write_onnx(tmp_path / "size.onnx", WEIGHTS, side=84)
    monkeypatch.setattr("faceassay_protocols.readers.pair_files.PairFiles.open", None)
    options = ["--image-size", "112"] if wrong == "size.onnx" else []
    said = evaluate("--benchmark", "lfw={packs}/lfw", *options, recognizer=f"{{tmp}}/{wrong}", store=tmp_path / "new")
    assert said.code == 2
    assert problem in said.stderr
    assert not (tmp_path / "new").exists()


def test_a_device_that_is_not_there_is_refused(evaluate):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", "--device", "abacus")
    assert said.code == 2
    assert "device 'abacus' cannot be used" in said.stderr


def test_a_benchmark_without_conventions_takes_none(evaluate, packs, monkeypatch):
    known = Registry({("protocol", "tiny-size"): TinySize}, {("protocol", "tiny-size"): Origin("tiny", "tiny", "1")})
    monkeypatch.setattr("faceassay.registry.load_plugins", lambda: known)
    said = evaluate("--benchmark", "tiny-size={packs}/lfw.bin", "--convention", "adaface")
    assert said.code == 2
    assert said.stderr == "--benchmark tiny-size: this protocol has no conventions: leave out --convention\n"
