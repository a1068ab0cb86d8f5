"""``faceassay evaluate``: conventions, several packs of one name, suspicions about the colour order."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from evaluating import (
    CONVENTIONS,
    FEW,
    artifacts,
    bin_of_photographs,
    kinds_of,
)
from miniatures.bins import write_bin
from miniatures.brought import matrix, write_onnx
from miniatures.pairs import pairs


def test_all_conventions_come_from_one_set_of_features(evaluate, calls, tmp_path):
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--convention", "all", store=tmp_path / "new")
    assert [name.split("/")[1] for name in said.lfw["metrics"]] == list(CONVENTIONS)
    assert said.lfw["conventions"] == ["all"]
    assert kinds_of(artifacts(tmp_path / "new")) == ["evaluation", "features", "preprocessing"]


def test_all_on_templates_is_the_whole_grid(evaluate):
    said = evaluate("--benchmark", f"ijb-c={{packs}}/ijbc/IJBC,fprs=1e-1{FEW}", "--convention", "all")
    settings = {tuple(name.split("/")[3:6]) for name in said.results["ijb-c"]["metrics"]}
    grid = {(f, n, d) for f in ("flip-sum", "no-flip") for n in ("norm-kept", "norm-one") for d in ("det", "no-det")}
    assert settings == grid


def test_all_on_identification_is_what_has_such_a_protocol(evaluate):
    said = evaluate("--benchmark", f"tinyface={{packs}}/tiny,counts=warn,ranks=1{FEW}", "--convention", "all")
    assert list(said.results["tinyface"]["metrics"]) == [
        "rank:1/adaface/cosine/flip-sum",
        "rank:1/cvlface/cosine/flip-sum",
    ]


def test_several_conventions_are_given_by_name(evaluate):
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--convention", "tface", "--convention", "facexzoo")
    assert said.lfw["conventions"] == ["tface", "facexzoo"]
    assert list(said.lfw["metrics"]) == [
        "accuracy:10fold/tface/grid-0.01/flip-sum",
        "accuracy:10fold/facexzoo/train-range-1000/no-flip",
    ]


def test_a_benchmark_may_have_conventions_of_its_own(evaluate):
    said = evaluate(
        *("--benchmark", f"lfw={{packs}}/lfw.bin,conventions=tface+cvlface{FEW}"),
        *("--benchmark", f"cfp-ff={{packs}}/cfp{FEW}", "--convention", "adaface"),
    )
    assert said.lfw["conventions"] == ["tface", "cvlface"]
    assert said.results["cfp-ff"]["conventions"] == ["adaface"]


def test_an_unknown_convention_is_refused_with_the_known_ones(evaluate):
    said = evaluate("--benchmark", "lfw={packs}/lfw.bin", "--convention", "arcface")
    assert said.code == 2
    assert said.stderr.count("conventions") == 1
    assert "(got 'arcface')" in said.stderr
    assert all(f"'{name}'" in said.stderr for name in (*CONVENTIONS, "all"))


def test_another_convention_afterwards_embeds_nothing(evaluate, calls, tmp_path):
    store = tmp_path / "new"
    evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", store=store)
    before = artifacts(store)
    assert calls
    calls.clear()
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--convention", "facexzoo", store=store)
    assert said.lfw["metrics"]
    assert calls == []
    assert kinds_of(artifacts(store) - before) == ["evaluation"]


def test_two_packs_of_one_name_are_two_rows_with_their_checksums(evaluate, tmp_path, packs):
    write_bin(tmp_path / "other.bin", *bin_of_photographs(seed=1))
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", "--benchmark", f"lfw={{tmp}}/other.bin{FEW}")
    assert list(said.results) == ["lfw", "lfw#2"]
    rows = [line.split()[:2] for line in said.stdout.splitlines() if "accuracy" in line]
    assert rows == [["lfw", "accuracy:10fold"], ["lfw#2", "accuracy:10fold"]]
    for name, file in (("lfw", packs / "lfw.bin"), ("lfw#2", tmp_path / "other.bin")):
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        assert said.results[name]["pack"]["sha256"] == sha256
        assert f"{name}: {file}, sha256 {sha256}" in said.stdout.splitlines()


def test_one_pack_under_two_settings_is_embedded_once(evaluate, tmp_path):
    store = tmp_path / "new"
    said = evaluate(
        "--benchmark",
        f"lfw={{packs}}/lfw.bin{FEW}",
        "--benchmark",
        f"lfw={{packs}}/lfw.bin,fprs=1e-1{FEW}",
        store=store,
    )
    assert len(said.results["lfw#2"]["metrics"]) == 2
    assert kinds_of(artifacts(store)) == ["evaluation", "evaluation", "features", "preprocessing"]


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Return a folder with a pack whose people differ in red alone, and a network that sees its first channel best."""
    folder, rng = tmp_path_factory.mktemp("coloured"), np.random.default_rng(3)
    listed, shape = pairs(10, 6), (7, 7)
    red = rng.integers(20, 236, (60, *shape))
    content = []
    for _, _, *two in listed:
        for person, _ in two:
            cells = np.stack([red[person], rng.integers(20, 236, shape), rng.integers(20, 236, shape)], axis=-1)
            pixels = cells.repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
            content.append(cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))[1].tobytes())
    write_bin(folder / "lfw.bin", content, [same for _, same, *_ in listed])
    write_onnx(folder / "model.onnx", matrix(channels=(1, 0.05, 0.02)))
    return folder


def test_the_wrong_colour_order_is_suspected(evaluate, coloured):
    said = evaluate(
        "--benchmark", f"lfw={coloured}/lfw.bin{FEW}", "--colour", "bgr", recognizer=str(coloured / "model.onnx")
    )
    assert said.code == 0
    (suspicion,) = [warning for warning in said.lfw["warnings"] if "colour order" in warning]
    assert "with rgb the same and different pairs separate better" in suspicion
    assert f"warning: lfw: {suspicion}" in said.stderr.splitlines()
    assert said.lfw["embedded_by"]["brought"]["preprocessing"]["colour"] == "bgr"


def test_the_right_colour_order_is_not_suspected(evaluate, coloured):
    said = evaluate("--benchmark", f"lfw={coloured}/lfw.bin{FEW}", recognizer=str(coloured / "model.onnx"))
    assert not [warning for warning in said.lfw["warnings"] if "colour order" in warning]
    assert "colour order" not in said.stderr


def test_colour_order_and_scaling_change_the_key_of_the_features(evaluate, tmp_path):
    store, digests = tmp_path / "new", set()
    for options in ([], ["--colour", "bgr"], ["--mean", "0"], ["--std", "255"], ["--colour", "rgb"]):
        evaluate("--benchmark", f"lfw={{packs}}/lfw.bin{FEW}", *options, store=store)
        digests.add(frozenset(artifacts(store)))
    assert kinds_of(artifacts(store)).count("features") == 4
