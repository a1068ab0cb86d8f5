"""``faceassay evaluate``: what it writes and prints, also when a benchmark fails."""

from __future__ import annotations

import hashlib
import json
import re

from evaluating import (
    FEW,
)
from miniatures.brought import matrix, write_onnx


def test_the_results_say_everything_about_a_number(evaluate, packs):
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin,fprs=1e-1+1e-3{FEW}", "--convention", "cvlface")
    assert said.document["schema"] == 1
    assert said.document["faceassay"]
    assert list(said.results) == ["lfw"]
    result = said.lfw
    assert result["conventions"] == ["cvlface"]
    assert result["protocol"]["name"] == "lfw"
    assert result["protocol"]["parameters"]["replicates"] == 20
    assert list(result["metrics"]) == [
        "accuracy:10fold/cvlface/grid-0.01/flip-sum",
        "tar_at_fpr:1e-1/cvlface/nearest/flip-sum",
        "tar_at_fpr:1e-3/cvlface/nearest/flip-sum",
    ]
    cautions = [about["caution"] for about in result["metrics"].values()]
    assert cautions[:2] == ["", ""]
    assert "below the resolution of 30 impostor pairs" in cautions[2]
    for about in result["metrics"].values():
        assert all({*one} == {"low", "high", "population", "method", "level"} for one in about["intervals"])
    populations = [
        one["population"] for one in result["metrics"]["tar_at_fpr:1e-1/cvlface/nearest/flip-sum"]["intervals"]
    ]
    assert populations == ["pairs", "false accepts", "genuine pairs"]
    by = result["embedded_by"]
    assert by["name"] == "model.onnx"
    assert by["brought"]["kind"] == "onnx"
    assert by["brought"]["fingerprint"] == hashlib.sha256((packs / "model.onnx").read_bytes()).hexdigest()
    assert by["brought"]["preprocessing"] == {"colour": "rgb", "mean": 127.5, "std": 127.5}
    assert any("60 pairs, LFW has 6000" in warning for warning in result["warnings"])


def test_another_run_writes_the_same_bytes(evaluate, tmp_path):
    arguments = ["--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--benchmark", f"ijb-c={{packs}}/ijbc/IJBC{FEW}"]
    written = []
    for store in ("one", "other", "other"):
        assert evaluate(*arguments, store=tmp_path / store).code == 0
        written.append((tmp_path / "results.json").read_bytes())
    assert written[0] == written[1] == written[2]


def test_images_of_another_size_are_refused_before_anything_runs(evaluate, tmp_path):
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin,image_size=56{FEW}", store=tmp_path / "new")
    assert said.code == 2
    assert "other_sizes" in said.stderr
    assert not (tmp_path / "new").exists()


def test_a_benchmark_that_fails_on_the_way_leaves_the_results_of_the_others(evaluate, tmp_path):
    write_onnx(tmp_path / "small.onnx", matrix(width=2), side=56)
    said = evaluate(
        *("--benchmark", f"cfp-fp={{packs}}/cfp{FEW}"),
        *("--benchmark", f"lfw={{packs}}/lfw.bin,image_size=56,other_sizes=resize{FEW}"),
        recognizer="{tmp}/small.onnx",
    )
    assert said.code == 1
    assert "metrics" not in said.results["cfp-fp"]
    assert "the recognizer takes 56 px" in said.results["cfp-fp"]["failure"]
    assert said.lfw["metrics"]
    assert re.search(r"^cfp-fp +failed$", said.stdout, re.MULTILINE)
    assert "cfp-fp failed: features plugin" in said.stderr
    assert "the recognizer takes 56 px" in said.stderr


def test_a_place_that_takes_no_file_is_refused_before_anything_runs(evaluate, tmp_path, calls):
    (tmp_path / "file").write_text("")
    said = evaluate(
        "--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--json", "{tmp}/file/results.json", store=tmp_path / "new"
    )
    assert said.code == 2
    assert "use --json FILE" in said.stderr
    assert calls == []
    assert not (tmp_path / "new").exists()


def test_a_folder_is_no_file_for_results(evaluate, tmp_path):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", "--json", str(tmp_path))
    assert said.code == 2
    assert "'--json'" in said.stderr


def test_the_folder_of_the_results_is_made(evaluate, tmp_path):
    evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--json", "{tmp}/new/folder/results.json")
    assert json.loads((tmp_path / "new/folder/results.json").read_text())["benchmarks"]["lfw"]["metrics"]


def test_nothing_is_printed_but_results(evaluate):
    said = evaluate("--benchmark", f"cfp-fp={{packs}}/cfp{FEW}")
    head = said.stdout.splitlines()[:2]
    assert head[0].split() == ["benchmark", "metric", "convention", "%", "95%", "interval", "over"]
    assert head[1].split()[:3] == ["cfp-fp", "accuracy:10fold", "insightface_eval_ijbc"]
    assert said.stderr.splitlines() == [f"warning: cfp-fp: {warning}" for warning in said.results["cfp-fp"]["warnings"]]
