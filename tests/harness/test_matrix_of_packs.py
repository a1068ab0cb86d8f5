"""A matrix whose benchmarks have files of their own: specified, planned, run, and evaluated once more by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import faceassay.stages.features
from evaluating import bin_of_photographs
from faceassay.brought.artifact import load
from faceassay.brought.opening import BroughtRecognizer
from faceassay.cli import main
from faceassay_protocols.pair_sets import Lfw
from faceassay_protocols.verification import pair_distances
from fakes import sources, stage_context
from matrices import changed, position, write_faces
from miniatures.bins import write_bin
from miniatures.brought import write_convolution
from miniatures.pairs import lfw_name, write_lfw

MATRIX = """\
schema: 1
name: packs
seeds: [0]
threads: 1
data:
  train: {plugin: folder, path: train, image_size: 16}
  test: {plugin: folder, path: test, image_size: 16}
train: train
recognizer:
  plugin: iresnet
  depth: [1, 1, 1, 1]
  width: 4
  embedding: 16
  image_size: 16
  updates: 12
  batch_size: 8
methods:
  - {name: Real, group: FR_real}
benchmarks:
  - name: published
    protocol: {plugin: lfw, path: lfw.bin, image_size: 16, other_sizes: resize, replicates: 20, fprs: [0.1]}
  - name: native
    protocol: {plugin: lfw, path: lfw, folds: 2..9, image_size: 16, other_sizes: resize, replicates: 20}
  - {name: held-out, data: test, protocol: {plugin: pair-verification, folds: 2}}
"""
PARAMETERS = "image_size=16,other_sizes=resize,replicates=20"


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        patch.delenv("FACEASSAY_STORE", raising=False)
        yield


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix") / "of packs"
    write_faces(folder)
    write_bin(folder / "lfw.bin", *bin_of_photographs())
    write_lfw(folder / "lfw")
    (folder / "matrix.yaml").write_text(MATRIX)
    return folder


@pytest.fixture(scope="module")
def finished(untouched, tmp_path_factory):
    """Return a folder in which the matrix has run."""
    folder = shutil.copytree(untouched, tmp_path_factory.mktemp("finished") / "of packs")
    said = command(folder, "run", "--no-mlflow", "--quiet")
    assert said.exit_code == 0, said.output
    return folder


@pytest.fixture
def refused(untouched, tmp_path):
    """Return a function that plans the matrix after changes and returns the errors; it must not run."""

    def call(*changes):
        folder = shutil.copytree(untouched, tmp_path / "refused", dirs_exist_ok=True)
        text = changed(*changes, text=MATRIX)
        (folder / "matrix.yaml").write_text(text)
        said = command(folder, "plan")
        assert said.exit_code == 2, said.output
        return said.stderr.replace(f"{folder}/", "")

    return call


def command(folder, name, *options):
    said = CliRunner().invoke(main, [name, str(folder / "matrix.yaml"), "--store", str(folder / "store"), *options])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exc_info
    return said


def table(folder):
    """Return the only row of the table by column."""
    header, row = (line.split(",") for line in (folder / "table.csv").read_text().splitlines())
    return dict(zip(header, row, strict=True))


def recognizer_of(folder):
    (path,) = (folder / "store/artifacts/recognizer").iterdir()
    return path


def test_a_benchmark_with_files_of_its_own_is_planned(untouched):
    said = command(untouched, "plan")
    assert said.exit_code == 0, said.output
    assert "features published of Real, seed 0" in said.stdout
    assert "\n7 stages: 7 missing\n" in said.stdout


def test_its_metrics_are_columns_of_the_table(finished):
    row = table(finished)
    assert 0 <= float(row["published/accuracy:10fold/insightface_eval_ijbc/grid-0.01/flip-sum mean"]) <= 1
    assert "native/accuracy:8fold/insightface_eval_ijbc/grid-0.01/flip-sum mean" in row
    assert [name for name in row if name.startswith("held-out/accuracy:2fold")]


def test_the_trained_recognizer_scores_the_same_by_hand(finished, tmp_path):
    """Its images are embedded in the same batches with as many threads, so that every digit agrees."""
    said = CliRunner().invoke(
        main,
        [
            *("evaluate", "--recognizer", str(recognizer_of(finished)), "--store", str(tmp_path / "store"), "--quiet"),
            *("--benchmark", f"lfw={finished / 'lfw.bin'},fprs=0.1,{PARAMETERS}", "--threads", "1"),
            *("--benchmark", f"lfw={finished / 'lfw'},folds=2..9,{PARAMETERS}", "--json", str(tmp_path / "out.json")),
        ],
    )
    assert said.exit_code == 0, said.output
    results, row = json.loads((tmp_path / "out.json").read_text())["benchmarks"], table(finished)
    for name, title in (("lfw", "published"), ("lfw#2", "native")):
        for metric, about in results[name]["metrics"].items():
            assert about["value"] == float(row[f"{title}/{metric} mean"])
    assert results["lfw"]["embedded_by"]["brought"]["kind"] == "artifact"
    assert results["lfw"]["embedded_by"]["brought"]["preprocessing"] is None
    assert not [path for path in (tmp_path / "store/artifacts").iterdir() if path.name == "preprocessing"]


def test_a_trained_recognizer_takes_no_preprocessing(finished, tmp_path):
    arguments = [
        "--recognizer",
        str(recognizer_of(finished)),
        "--benchmark",
        f"lfw={finished / 'lfw.bin'},{PARAMETERS}",
    ]
    said = CliRunner().invoke(main, ["evaluate", *arguments, "--colour", "bgr", "--store", str(tmp_path / "store")])
    assert said.exit_code == 2
    assert "a trained recognizer prepares its images as it did in training" in said.stderr


def test_data_for_a_benchmark_of_files_is_refused(refused):
    entry = "  - name: published\n"
    line, column = position(
        changed((entry, f"{entry}    data: test\n"), text=MATRIX), "test\n    protocol: {plugin: lfw"
    )
    said = refused((entry, f"{entry}    data: test\n"))
    assert f"matrix.yaml:{line}:{column}: protocol 'lfw' has files of its own: leave data out" in said


def test_a_benchmark_without_the_data_that_it_needs_is_refused(refused):
    line, column = position(MATRIX, "{name: held-out")
    said = refused(("held-out, data: test,", "held-out,"))
    assert f"matrix.yaml:{line}:{column}: protocol 'pair-verification' needs 'data: NAME' of an entry of data" in said


@pytest.mark.parametrize(
    ("change", "place", "problem"),
    [
        (("path: lfw.bin", "path: nowhere.bin"), "nowhere.bin", "no such file or folder (tried "),
        (("folds: 2..9", "folds: 2to9"), "2to9", "folds: String should match pattern"),
        (("folds: 2..9", "folds: 5..12"), "name: native", "folds 5 to 12 of a list with folds 1 to 10"),
        (("replicates: 20, fprs", "replicats: 20, fprs"), "20, fprs", "did you mean 'replicates'"),
        (("fprs: [0.1]", "conventions: [arcface]"), "arcface", "Input should be 'insightface_eval_ijbc'"),
        (
            ("path: lfw.bin, image_size: 16", "path: lfw.bin, image_size: 24"),
            "name: published",
            "has images of 24 px, the training images 16 px: give both one image_size",
        ),
        (
            ("path: lfw.bin, image_size: 16, other_sizes: resize", "path: lfw.bin, image_size: 16"),
            "name: published",
            "set other_sizes to resize",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_at_its_place(refused, change, place, problem):
    line, column = position(changed(change, text=MATRIX), place)
    said = [text for text in refused(change).splitlines() if problem in text]
    assert said, problem
    assert said[0].startswith(f"matrix.yaml:{line}:{column}: ")


def test_people_who_are_trained_on_and_tested_are_refused_by_name(untouched, tmp_path):
    folder = shutil.copytree(untouched, tmp_path / "shared")
    for person, new in zip(sorted((folder / "train").iterdir()), (lfw_name(4), lfw_name(9)), strict=False):
        person.rename(folder / "train" / new)
    said = command(folder, "plan")
    line, column = position(MATRIX, "name: native")
    assert said.exit_code == 2
    assert f"matrix.yaml:{line}:{column}: benchmark 'native' tests 2 identities that are also trained on" in said.stderr
    assert f"{lfw_name(4)}, {lfw_name(9)}" in said.stderr
    assert "'published'" not in said.stderr, "a .bin pack does not say who is in it"


# --- the size of a batch


def embedded_in(batch, monkeypatch, folder, pack, recognizer):
    monkeypatch.setattr(faceassay.stages.features, "BATCH", batch)
    context = stage_context(folder / str(batch))
    faceassay.stages.features.run(None, sources(benchmark=pack, recognizer=recognizer), context)
    return faceassay.stages.features.load(None, context.folder, "cpu")


def require_batches_alike(monkeypatch, folder, pack, recognizer):
    """Check that no pair's score depends on the batches in which its images were embedded."""
    features = [embedded_in(batch, monkeypatch, folder, pack, recognizer) for batch in (1, 7, 64)]
    for flipped in (False, True):
        one, *others = [
            pair_distances(each.embeddings, each.flipped if flipped else None)[: len(pack) // 2] for each in features
        ]
        assert np.ptp(one) > 0.01
        for other in others:
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)


def test_the_batch_size_changes_no_score_of_a_trained_recognizer(finished, monkeypatch, tmp_path):
    pack = Lfw(path=finished / "lfw.bin", image_size=16, other_sizes="resize").reader().open(None)
    require_batches_alike(monkeypatch, tmp_path, pack, load(recognizer_of(finished)))


def test_the_batch_size_changes_no_score_of_an_onnx_network(untouched, monkeypatch, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pack = Lfw(path=untouched / "lfw.bin").reader().open(None)
    network = BroughtRecognizer.of(write_convolution(tmp_path / "model.onnx")).open()
    require_batches_alike(monkeypatch, tmp_path, pack, network)
