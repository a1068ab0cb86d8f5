"""``faceassay evaluate``: other recognizers than ONNX, its examples, what it must not import."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

from evaluating import (
    FEW,
    WEIGHTS,
    bin_of_photographs,
    decoded,
    save,
)
from faceassay.cli import main
from miniatures.brought import embedded, write_onnx, write_torchscript


def test_a_torchscript_network_scores_as_the_onnx_one(evaluate, tmp_path):
    write_torchscript(tmp_path / "model.pt", WEIGHTS)
    benchmark = ["--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--convention", "all"]
    said = evaluate(*benchmark, recognizer="{tmp}/model.pt")
    assert said.code == 0, said.stderr
    assert said.lfw["embedded_by"]["brought"]["kind"] == "torchscript"
    assert said.lfw["metrics"] == evaluate(*benchmark).lfw["metrics"]


def test_weights_without_their_network_are_refused(evaluate, tmp_path):
    import torch

    torch.save({"weights": torch.zeros(3)}, tmp_path / "weights.pt")
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", recognizer="{tmp}/weights.pt")
    assert said.code == 2
    assert "torch.jit.trace" in said.stderr


def test_an_output_that_is_not_there_is_refused_with_those_that_are(evaluate):
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--output", "features")
    assert said.code == 2
    assert "set output to one of embedding" in said.stderr


def examples():
    return re.findall(r"^ *faceassay (evaluate .*)$", main.commands["evaluate"].help, re.MULTILINE)


def test_there_are_examples():
    assert len(examples()) == 3


@pytest.mark.parametrize("example", examples())
def test_every_example_of_the_help_runs(packs, listed_pixels, tmp_path, monkeypatch, example):
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "model.onnx", WEIGHTS)
    for name in ("lfw.bin", "cfp_fp.bin"):
        (tmp_path / name).symlink_to(packs / "lfw.bin")
    (tmp_path / "IJBC").symlink_to(packs / "ijbc/IJBC")
    pixels = decoded(bin_of_photographs()[0])
    save(tmp_path / "cfp_fp.npz", *(embedded(pixels, WEIGHTS, flip=flip).astype(np.float32) for flip in (False, True)))
    result = CliRunner().invoke(main, shlex.split(example))
    assert result.exit_code == 0, result.output
    assert result.stdout


def test_help_lists_every_option_with_its_meaning():
    command = main.commands["evaluate"]
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


IMPORTED = """
import atexit, sys
atexit.register(lambda: print("MODULES", *sys.modules))
from faceassay.cli import main
main(prog_name="faceassay")
"""


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        ("--help", "torch onnx onnxruntime mlflow scipy pandas cv2 sklearn matplotlib"),
        ("--benchmark lfw={packs}/lfw --list-images", "torch onnx onnxruntime mlflow pandas"),
        (
            "--benchmark lfw={packs}/lfw --embeddings {tmp}/lfw.npy --convention facexzoo --store {tmp}/store",
            "torch onnx onnxruntime mlflow",
        ),
    ],
)
def test_nothing_heavy_is_imported_in_vain(packs, listed_pixels, tmp_path, arguments, heavy):
    np.save(tmp_path / "lfw.npy", embedded(listed_pixels, WEIGHTS).astype(np.float32))
    words = [word.format(packs=packs, tmp=tmp_path) for word in arguments.split()]
    command = [sys.executable, "-c", IMPORTED, "evaluate", *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ}, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert {*run.stdout.rpartition("MODULES ")[2].split()} & {*heavy.split()} == set()
