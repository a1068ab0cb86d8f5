"""``faceassay evaluate``: every pack in its real format goes through the command."""

from __future__ import annotations

import hashlib
import re

import pytest

from evaluating import (
    FEW,
    PACKS,
    bin_of_photographs,
    by_hand,
)
from miniatures.brought import matrix, write_onnx


@pytest.mark.parametrize("title", PACKS)
def test_every_pack_goes_through_the_command(evaluate, packs, title):
    name, files, population = PACKS[title]
    said = evaluate("--benchmark", f"{name}={{packs}}/{files}{FEW}")
    assert said.code == 0, said.stderr
    result = said.results[name]
    assert result["metrics"]
    for metric, about in result["metrics"].items():
        assert 0 <= about["value"] <= 1
        first = about["intervals"][0]
        assert first["population"] == population
        assert 0 <= first["low"] <= first["high"] <= 1, metric
        assert first["level"] == 0.95
        assert re.fullmatch(r"percentile bootstrap, (\d+ of )?20 replicates", first["method"])
    assert re.fullmatch("[0-9a-f]{64}", result["pack"]["sha256"])
    assert result["warnings"], "a miniature is never the known pack"
    assert result["files"]["path"] == str((packs / files.partition(",")[0]).resolve())
    assert f"{name} " in said.stdout
    assert result["pack"]["sha256"] in said.stdout


@pytest.mark.parametrize("title", ["lfw bin", "cfp-fp bin", "agedb-30 bin", "calfw bin", "cplfw bin", "cfp-ff bin"])
def test_accuracy_is_that_of_a_loop_over_the_images(evaluate, title):
    name, files, _ = PACKS[title]
    result = evaluate("--benchmark", f"{name}={{packs}}/{files}{FEW}", "--convention", "adaface").results[name]
    images, is_same = bin_of_photographs()
    (about,) = result["metrics"].values()
    assert about["value"] == pytest.approx(by_hand(images, is_same, flip=True), abs=1e-12)
    assert 0.5 < about["value"] < 1


@pytest.mark.parametrize("title", ["lfw folder", "lfw zip", "lfw zip of its folder", "lfw list given", "lfw bin.xz"])
def test_one_set_of_images_has_one_accuracy_in_every_form(evaluate, title):
    _, files, _ = PACKS[title]
    said = evaluate("--benchmark", f"lfw={{packs}}/{files}{FEW}", "--convention", "tface")
    images, is_same = bin_of_photographs()
    (about,) = said.lfw["metrics"].values()
    assert about["value"] == pytest.approx(by_hand(images, is_same, flip=True), abs=1e-12)


def test_five_folds_are_five_folds(evaluate):
    metrics = evaluate("--benchmark", f"lfw={{packs}}/lfw,folds=6..10{FEW}").lfw["metrics"]
    assert list(metrics) == ["accuracy:5fold/insightface_eval_ijbc/grid-0.01/flip-sum"]


def test_checksum_of_a_bin_is_that_of_the_file(evaluate, packs):
    for name in ("lfw.bin", "lfw.bin.xz"):
        expected = hashlib.sha256((packs / name).read_bytes()).hexdigest()
        assert evaluate("--benchmark", f"lfw={{packs}}/{name}{FEW}").lfw["pack"]["sha256"] == expected


def test_loose_crops_are_aligned_and_score_as_the_aligned_ones(evaluate, tmp_path, packs):
    """The faces of both miniatures are drawn at the same points, so that alignment makes them nearly the same."""
    wide = write_onnx(tmp_path / "wide.onnx", matrix(width=16))
    said = [
        evaluate(
            "--benchmark", f"ijb-c={{packs}}/{files},fprs=1e-1{FEW}", "--convention", "tface", recognizer=str(wide)
        )
        for files in ("ijbc/IJBC", "aligned/IJBC")
    ]
    loose, aligned = [next(iter(one.results["ijb-c"]["metrics"].values()))["value"] for one in said]
    assert loose == pytest.approx(aligned, abs=1 / 12)
