"""``faceassay evaluate``: what the store keeps, and how a disturbed evaluation goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evaluating import (
    FEW,
    artifacts,
    bin_of_photographs,
    kinds_of,
)
from faceassay.brought.network import NetworkRecognizer
from faceassay.checkpoints import FolderCheckpoints
from miniatures.bins import write_bin
from miniatures.brought import matrix, write_onnx


def changed_stages(evaluate, store, *arguments, **more):
    """Return the kinds of the stages that a call computed anew."""
    before = artifacts(store)
    assert evaluate(*arguments, store=store, **more).code == 0
    return kinds_of(artifacts(store) - before)


def test_features_are_known_by_their_content(evaluate, packs, tmp_path):
    store, bench = tmp_path / "new", f"lfw={{packs}}/lfw.bin{FEW}"
    moved = shutil.copy(packs / "lfw.bin", tmp_path / "moved.bin")
    model = shutil.copy(packs / "model.onnx", tmp_path / "renamed.onnx")
    other = write_onnx(tmp_path / "other.onnx", matrix(width=2, seed=5))
    anew = ["evaluation", "features", "preprocessing"]
    assert changed_stages(evaluate, store, "--benchmark", bench) == anew
    assert changed_stages(evaluate, store, "--benchmark", bench) == []
    assert changed_stages(evaluate, store, "--benchmark", f"lfw={moved}{FEW}") == []
    assert changed_stages(evaluate, store, "--benchmark", bench, recognizer=str(model)) == []
    assert changed_stages(evaluate, store, "--benchmark", bench, recognizer=str(other)) == anew
    write_bin(Path(moved), *bin_of_photographs(seed=1))
    assert changed_stages(evaluate, store, "--benchmark", f"lfw={moved}{FEW}") == anew


def test_another_image_size_is_embedded_anew(evaluate, tmp_path):
    weights = matrix(width=2)
    small, store = write_onnx(tmp_path / "small.onnx", weights, side=56), tmp_path / "new"
    arguments = ["--benchmark", f"lfw={{packs}}/lfw.bin,image_size=56,other_sizes=resize{FEW}"]
    assert "features" in changed_stages(evaluate, store, *arguments, recognizer=str(small))
    assert changed_stages(evaluate, store, *arguments, recognizer=str(small)) == []


@pytest.fixture
def disturbed(evaluate, monkeypatch, tmp_path, calls):
    """Return a function: an evaluation in batches of 8 that meets an error behind 80 of 120 images, then one that does
    not; and what the second embedded."""

    def call(error):
        arguments = ["--benchmark", f"lfw={{packs}}/lfw.bin{FEW}"]
        monkeypatch.setattr("faceassay.stages.features.BATCH", 8)
        monkeypatch.setattr(FolderCheckpoints, "due", lambda self: True)
        with monkeypatch.context() as patch:
            embed = NetworkRecognizer.embed

            def failing(self, images):
                if len(calls) == 20:  # ten batches, each plain and mirrored
                    raise error
                return embed(self, images)

            patch.setattr(NetworkRecognizer, "embed", failing)
            first = evaluate(*arguments, store=tmp_path / "new")
        calls.clear()
        return first, evaluate(*arguments, store=tmp_path / "new"), list(calls)

    return call


def test_a_failed_evaluation_goes_on_where_it_was(evaluate, disturbed):
    failed, resumed, embedded_anew = disturbed(OSError("the cable fell out"))
    assert failed.code == 1
    assert "OSError: the cable fell out" in failed.lfw["failure"]
    assert resumed.code == 0
    assert embedded_anew.count(8) == 2 * (120 - 80) / 8
    assert resumed.lfw["metrics"] == evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}").lfw["metrics"]


def test_an_interrupted_evaluation_goes_on_where_it_was(evaluate, disturbed):
    interrupted, resumed, embedded_anew = disturbed(KeyboardInterrupt())
    assert interrupted.code == 130
    assert interrupted.document == {}
    assert "the same command goes on from here" in interrupted.stderr
    assert embedded_anew.count(8) == 2 * (120 - 80) / 8
    assert resumed.lfw["metrics"] == evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}").lfw["metrics"]
