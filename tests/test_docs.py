"""The documentation is complete and builds: nothing is left unmentioned, no link is broken, no other host is asked."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from functools import cache

import click
import pytest

from faceassay import contracts
from faceassay.cli import main
from faceassay.hookspecs import KINDS
from faceassay.registry import load_plugins
from faceassay.spec import model
from faceassay_protocols.conventions import NAMED
from shown import PAGES, ROOT

REGISTRY = load_plugins()
BUNDLED = sorted({name for (_, name), origin in REGISTRY.origins.items() if origin.distribution == "faceassay"})
WORDS = {
    f"{part.__name__}.{name}"
    for part in vars(model).values()
    if isinstance(part, type) and part.__module__ == model.__name__ and hasattr(part, "model_fields")
    for name in (field.alias or name for name, field in part.model_fields.items())
}
FOREIGN = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//", flags=re.I)


@cache
def text():
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def is_mentioned(name):
    """Tell whether ``name`` stands in code, in backticks or a block, as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code()) is not None


@cache
def code():
    return "\n".join(re.findall(r"^```.*?^```|`[^`\n]+`", text(), flags=re.S | re.M))


def commands(command=main, name="faceassay"):
    yield name, command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner, f"{name} {inner.name}")


@pytest.mark.parametrize("name", BUNDLED)
def test_every_plugin_is_mentioned(name):
    assert is_mentioned(name)


@pytest.mark.parametrize("preset", sorted({preset for cls in REGISTRY.classes.values() for preset in cls.presets}))
def test_every_preset_is_mentioned(preset):
    assert is_mentioned(preset)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_is_mentioned(name):
    assert is_mentioned(name)


@pytest.mark.parametrize("command", [command for _, command in commands()], ids=[name for name, _ in commands()])
def test_every_option_is_mentioned(command):
    options = {name for p in command.params if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)}
    assert {name for name in options if not is_mentioned(name)} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_is_mentioned_with_its_contract(kind):
    assert is_mentioned(f"faceassay_{kind}s")
    assert is_mentioned(KINDS[kind].__name__)


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_of_a_matrix_is_mentioned(word):
    assert is_mentioned(word.partition(".")[2])


@pytest.mark.parametrize("convention", NAMED)
def test_every_convention_is_mentioned(convention):
    assert is_mentioned(convention)


@pytest.mark.parametrize("error", [name for name in contracts.__all__ if name.endswith("Error")])
def test_every_error_is_mentioned(error):
    assert is_mentioned(error)


def test_the_readme_leads_to_the_documentation():
    assert "docs/index.md" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_parser", "furo", "latex2mathml")):
        pytest.skip("the documentation's tools are not installed: the dependency group 'docs'")
    folder = tmp_path_factory.mktemp("built")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        str(ROOT / "docs"),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


def test_it_builds_without_a_warning_every_page_in_the_navigation(built):
    for page in PAGES:
        assert (built / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file()


def test_no_page_asks_another_host_for_anything(built):
    pages = {path: path.read_text(encoding="utf-8") for path in built.rglob("*.html")}
    assert {path.name for path, html in pages.items() if FOREIGN.search(html)} == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in built.rglob("*.css"))
    assert not re.search(r"(?:url\(\s*[\"']?|@import\s+[\"'])(?:https?:)?//", styles)


def test_formulas_are_drawn_without_a_script(built):
    assert "<math" in (built / "statistics.html").read_text(encoding="utf-8")


def test_the_reference_shows_commands_and_parameters(built):
    assert "--teraflops" in (built / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "images_per_pair" in (built / "reference" / "plugins.html").read_text(encoding="utf-8")
