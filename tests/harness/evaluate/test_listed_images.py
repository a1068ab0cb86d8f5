"""``faceassay evaluate``: images by name, and embeddings that were computed elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from evaluating import (
    FEW,
    IMAGES,
    PACKS,
    WEIGHTS,
    bin_of_photographs,
    decoded,
    save,
)
from miniatures.brought import embedded


def names_of(evaluate, benchmark):
    said = evaluate("--benchmark", benchmark, "--list-images", recognizer=None)
    assert (said.code, said.stderr) == (0, "")
    return said.stdout.splitlines()


@pytest.mark.parametrize("title", IMAGES)
def test_images_are_listed_one_a_line(evaluate, title):
    name, files, _ = PACKS[title]
    listed = names_of(evaluate, f"{name}={{packs}}/{files}")
    assert len(listed) == IMAGES[title]
    assert len(set(listed)) == len(listed)


def test_images_of_a_folder_are_listed_as_paths_in_it(evaluate, packs):
    listed = names_of(evaluate, "lfw={packs}/lfw")
    assert all((packs / "lfw" / name).is_file() for name in listed)


def test_images_of_a_bin_are_listed_by_number(evaluate):
    assert names_of(evaluate, "lfw={packs}/lfw.bin") == [str(row) for row in range(120)]


def test_images_are_listed_for_one_benchmark_at_a_time(evaluate):
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--benchmark", "cfp-fp={packs}/cfp", "--list-images")
    assert (said.code, said.stdout) == (2, "")
    assert "give one" in said.stderr


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_embeddings_in_the_listed_order_score_as_the_model_does(evaluate, listed_pixels, tmp_path, suffix):
    plain, mirrored = (embedded(listed_pixels, WEIGHTS, flip=flip).astype(np.float32) for flip in (False, True))
    file = save(tmp_path / f"lfw{suffix}", plain, mirrored)
    benchmark = f"lfw={{packs}}/lfw,fprs=1e-1{FEW}"
    own = evaluate("--benchmark", benchmark, "--embeddings", file, "--convention", "all", recognizer=None)
    model = evaluate("--benchmark", benchmark, "--convention", "all")
    assert own.code == 0, own.stderr
    assert own.lfw["metrics"] == model.lfw["metrics"]
    assert own.lfw["embedded_by"]["brought"]["kind"] == "embeddings"
    assert own.lfw["embedded_by"]["brought"]["fingerprint"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    assert own.lfw["pack"] == model.lfw["pack"]


def test_plain_embeddings_are_enough_without_mirroring(evaluate, listed_pixels, tmp_path):
    file = save(tmp_path / "lfw.npy", embedded(listed_pixels, WEIGHTS).astype(np.float32))
    benchmark = ["--benchmark", f"lfw={{packs}}/lfw{FEW}", "--convention", "facexzoo"]
    own = evaluate(*benchmark, "--embeddings", file, recognizer=None)
    assert own.code == 0, own.stderr
    assert own.lfw["metrics"] == evaluate(*benchmark).lfw["metrics"]


def test_a_file_may_be_a_link_to_one_without_a_suffix(evaluate, listed_pixels, tmp_path):
    """As model hubs keep their files."""
    Path(save(tmp_path / "blob.npy", embedded(listed_pixels, WEIGHTS).astype(np.float32))).rename(tmp_path / "blob")
    (tmp_path / "lfw.npy").symlink_to(tmp_path / "blob")
    own = evaluate(
        *(
            "--benchmark",
            f"lfw={{packs}}/lfw{FEW}",
            "--convention",
            "facexzoo",
            "--embeddings",
            str(tmp_path / "lfw.npy"),
        ),
        recognizer=None,
    )
    assert own.code == 0, own.stderr


def test_embeddings_of_several_benchmarks_go_by_name(evaluate, listed_pixels, packs, tmp_path):
    images, _ = bin_of_photographs()
    folder = save(tmp_path / "folder.npy", embedded(listed_pixels, WEIGHTS).astype(np.float32))
    bin_pack = save(tmp_path / "bin.npy", embedded(decoded(images), WEIGHTS).astype(np.float32))
    said = evaluate(
        *("--benchmark", f"lfw={{packs}}/lfw{FEW}", "--benchmark", f"lfw={{packs}}/lfw.bin{FEW}"),
        *("--embeddings", f"lfw#2={bin_pack}", "--embeddings", f"lfw={folder}", "--convention", "facexzoo"),
        recognizer=None,
    )
    assert said.code == 0, said.stderr
    values = [next(iter(part["metrics"].values()))["value"] for part in said.results.values()]
    assert values[0] == values[1]
    assert [part["embedded_by"]["name"] for part in said.results.values()] == ["folder.npy", "bin.npy"]


@pytest.mark.parametrize(
    ("named", "wanted"),
    [
        (["{tmp}/lfw.npy"], "--embeddings lfw=FILE --embeddings cfp-fp=FILE"),
        (["lfw={tmp}/lfw.npy", "cfp-ff={tmp}/lfw.npy"], "--embeddings lfw=FILE --embeddings cfp-fp=FILE"),
        (["lfw={tmp}/lfw.npy", "lfw={tmp}/lfw.npy"], "--embeddings lfw=FILE --embeddings cfp-fp=FILE"),
    ],
)
def test_embeddings_without_the_right_names_are_refused(evaluate, tmp_path, named, wanted):
    np.save(tmp_path / "lfw.npy", np.ones((60, 2), np.float32))
    options = [word for file in named for word in ("--embeddings", file)]
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--benchmark", "cfp-fp={packs}/cfp", *options, recognizer=None)
    assert said.code == 2
    assert wanted in said.stderr


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.ones((59, 2), np.float32), "59 rows for 60 images"),
        (np.ones((61, 2), np.float32), "61 rows for 60 images"),
        (np.ones((60, 2), np.int64), "int64"),
        (np.ones(60, np.float32), "shape (60,)"),
        (np.array([{}] * 60), "cannot be read"),
    ],
)
def test_embeddings_of_the_wrong_shape_or_type_are_refused_before_anything_runs(evaluate, tmp_path, array, problem):
    np.save(tmp_path / "lfw.npy", array)
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--embeddings", "{tmp}/lfw.npy", recognizer=None)
    assert said.code == 2
    assert problem in said.stderr
    assert str(tmp_path / "lfw.npy") in said.stderr


def test_missing_embeddings_are_refused(evaluate):
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--embeddings", "{tmp}/nowhere.npy", recognizer=None)
    assert said.code == 2
    assert "nowhere.npy" in said.stderr


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, ""), (0.0, "zero")])
def test_embeddings_that_cannot_be_scored_are_named(evaluate, listed_pixels, tmp_path, value, word):
    broken = embedded(listed_pixels, WEIGHTS).astype(np.float32)
    broken[[7, 31]] = value
    file = save(tmp_path / "lfw.npy", broken)
    names = names_of(evaluate, "lfw={packs}/lfw")
    said = evaluate("--benchmark", "lfw={packs}/lfw", "--embeddings", file, "--convention", "facexzoo", recognizer=None)
    assert said.code == 1
    assert names[7] in said.lfw["failure"]
    assert names[31] in said.lfw["failure"]
    assert word in said.lfw["failure"]
    assert "metrics" not in said.lfw


def test_a_convention_that_mirrors_needs_mirrored_embeddings(evaluate, listed_pixels, tmp_path):
    file = save(tmp_path / "lfw.npy", embedded(listed_pixels, WEIGHTS).astype(np.float32))
    said = evaluate("--benchmark", f"lfw={{packs}}/lfw{FEW}", "--embeddings", file, recognizer=None)
    assert said.code == 1
    assert "flipped" in said.lfw["failure"]
