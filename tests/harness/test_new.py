"""``faceassay new``: what it writes, what it refuses, and that it leaves nothing half-written."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.scaffold import KINDS, LONGEST

NAMES = ("ab", "my-swirl", "swirl-" + "x" * (LONGEST - 6))
OF_EVERY_KIND = {"pyproject.toml", "README.md", "matrix.yaml", "tests/test_conformance.py", "src/my_swirl/__init__.py"}


def new(*arguments):
    return CliRunner().invoke(main, ["new", *map(str, arguments)], prog_name="faceassay")


def written(kind, folder, name="my-swirl"):
    result = new(kind, name, "--folder", folder)
    assert result.exit_code == 0, result.output
    return folder / name


def paths(project):
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def in_every_project(folder, *tool):
    """Run a tool in what is written for every kind, under names of every length."""
    for kind in KINDS:
        (folder / kind).mkdir()
        for name in NAMES:
            command = [sys.executable, "-m", *tool, "."]
            cwd = written(kind, folder / kind, name)
            done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dataset"])
def test_a_package_with_test_and_matrix_is_written(kind, tmp_path):
    assert paths(written(kind, tmp_path)) == OF_EVERY_KIND


def test_a_dataset_comes_with_sample_images(tmp_path):
    samples = {f"src/my_swirl/sample/pattern{person}_{view}.png" for person in range(1, 5) for view in range(1, 7)}
    assert paths(written("dataset", tmp_path)) == OF_EVERY_KIND | samples


def test_the_folder_is_the_current_one_unless_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new("protocol", "my-swirl").exit_code == 0
    assert paths(tmp_path / "my-swirl") == OF_EVERY_KIND


def test_the_next_commands_are_told(tmp_path):
    folder = tmp_path / "two words"
    folder.mkdir()
    shown = new("protocol", "my-swirl", "--folder", folder).output.splitlines()
    assert shown[-3:] == [
        f"  python -m pip install -e '{folder}/my-swirl'",
        "  faceassay check my-swirl",
        f"  faceassay run '{folder}/my-swirl/matrix.yaml'",
    ]


def test_the_entry_point_is_two_lines(tmp_path):
    lines = (written("generator", tmp_path) / "pyproject.toml").read_text().splitlines()
    at = lines.index('[project.entry-points."faceassay"]')
    assert lines[at + 1] == 'my-swirl = "my_swirl"'


def test_the_project_is_named_after_the_plugin(tmp_path):
    project = tomllib.loads((written("recognizer", tmp_path) / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["dependencies"]) == ("my-swirl", ["faceassay"])


def test_the_class_of_an_augmentation_is_short(tmp_path):
    tree = ast.parse((written("augmentation", tmp_path) / "src/my_swirl/__init__.py").read_text())
    (cls,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    statements = [node for node in ast.walk(cls) if isinstance(node, ast.stmt) and not isinstance(node, ast.Expr)]
    assert len(statements) - 1 == 21


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_the_same_each_time(kind, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = written(kind, tmp_path / "one"), written(kind, tmp_path / "other")
    assert all((one / path).read_bytes() == (other / path).read_bytes() for path in paths(one) | paths(other))


def test_what_is_written_is_formatted(tmp_path):
    in_every_project(tmp_path, "ruff", "format", "--check", "--isolated")


def test_what_is_written_passes_the_default_rules(tmp_path):
    in_every_project(tmp_path, "ruff", "check", "--isolated")


@pytest.mark.slow
def test_the_plugin_is_typed(tmp_path):
    folders = [written(kind, tmp_path, f"typed-{kind}") / "src" for kind in KINDS]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_templates_are_data_of_the_package():
    assert files("faceassay.scaffold").joinpath("templates/augmentation/plugin.py.j2").is_file()


@pytest.mark.parametrize(
    "name",
    ["", "Swirl", "my_swirl", "-swirl", "swirl-", "my--swirl", "2swirl", "my swirl", "my/swirl", "..", "x" * 31, "ä"],
)
def test_what_is_no_name_is_refused(name, tmp_path):
    result = new("augmentation", "--folder", tmp_path, "--", name)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{name!r} is no name: write at most 30 lower-case letters")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("augmentation", "blend", f"the augmentation 'blend' of faceassay {version('faceassay')} (entry point"),
        ("generator", "class", "'class' is a word of Python or YAML"),
        ("generator", "yes", "'yes' is a word of Python or YAML"),
        ("generator", "none", "'none' is a word of Python or YAML"),
        ("generator", "scikit-learn", f"the distribution scikit-learn {version('scikit-learn')} is installed"),
        ("generator", "json", "the package 'json' is there already ("),
        ("generator", "faceassay-plugins", "the package 'faceassay_plugins' is there already ("),
        ("generator", "fitted-generator", "its class would be called FittedGenerator, as another one that it needs"),
        ("augmentation", "augmentation", "its class would be called Augmentation, as another one that it needs"),
        ("dataset", "face-dataset", "its class would be called FaceDataset, as another one that it needs"),
        ("augmentation", "value-error", "its class would be called ValueError, as another one that it needs"),
        ("protocol", "values", "its class would be called Values, as another one that it needs"),
        ("protocol", "choices", "its class would be called Choices, as another one that it needs"),
    ],
)
def test_a_name_that_is_taken_is_refused(kind, name, reason, tmp_path):
    result = new(kind, name, "--folder", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{name!r} cannot be the name: {reason}")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_plugin_of_another_kind_is_free(tmp_path):
    assert written("protocol", tmp_path, "blend").is_dir()


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "my-swirl").mkdir()
    (tmp_path / "my-swirl" / "README.md").write_text("mine")
    result = new("augmentation", "my-swirl", "--folder", tmp_path)
    assert (result.exit_code, result.stderr) == (
        2,
        f"{tmp_path / 'my-swirl'} is there already, and stays as it is: choose another name or --folder\n",
    )
    assert paths(tmp_path) == {"my-swirl/README.md"}


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_whatever_has_the_name_stays(make, tmp_path):
    make(tmp_path / "my-swirl")
    assert new("augmentation", "my-swirl", "--folder", tmp_path).exit_code == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["my-swirl"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_half_written(error, tmp_path, monkeypatch):
    write = Path.write_bytes

    def fail(path, content):
        if path.name == "README.md":
            raise error
        write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert new("augmentation", "my-swirl", "--folder", tmp_path).exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    def fail(path, target):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", fail)
    result = new("augmentation", "my-swirl", "--folder", tmp_path)
    expected = f"{tmp_path / 'my-swirl'} cannot be written (Permission denied): use --folder DIR\n"
    assert (result.exit_code, result.stderr) == (2, expected)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    result = new("augmentation", "my-swirl", "--folder", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused():
    result = new("augmentaton", "my-swirl")
    assert result.exit_code == 2
    assert "'augmentaton' is not one of 'augmentation', 'generator'" in result.stderr
