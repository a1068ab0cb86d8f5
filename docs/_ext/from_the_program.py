"""Write into pages what the program says of itself, so that they are never behind: commands, plugins, parameters.

A page holds a line ``<!-- commands -->`` or ``<!-- plugins -->`` where the text goes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from faceassay.cli import main
from faceassay.cli.plugins import parameter_line
from faceassay.hookspecs import KINDS
from faceassay.registry import load_plugins

WIDTH = 84


def commands() -> str:
    """Return every command with its help, as Markdown."""
    return "\n".join(_command("faceassay", main, None))


def _command(name: str, command: click.Command, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=WIDTH)
    yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(f"{name} {inner}", command.commands[inner], context)


def plugins() -> str:
    """Return every bundled plugin with its parameters, as Markdown."""
    registry = load_plugins()
    bundled = (key for key, origin in registry.origins.items() if origin.distribution == "faceassay")
    by_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for kind, name in sorted(bundled):
        by_kind[kind].append(name)
    return "\n".join(
        "\n".join([f"## {kind}s\n", *(_plugin(registry.classes[kind, name], kind) for name in names)])
        for kind, names in by_kind.items()
    )


def _plugin(cls: Any, kind: str) -> str:
    lines = [f"### {cls.name} ({kind})\n", f"{cls.summary}.\n", (inspect.getdoc(cls) or "").replace("``", "`"), ""]
    lines += [f"Source: {cls.paper}.\n"] if cls.paper else []
    for name, field in cls.model_fields.items():
        value = parameter_line(name, field).removeprefix(f"{name}: ")
        lines.append(f"- **`{name}`**: `{value}`\n  <br>{field.description}")
    lines += ["\nPresets:\n"] if cls.presets else []
    for name, values in cls.presets.items():
        lines.append(f"- `{name}`: " + ", ".join(f"{parameter} `{value!r}`" for parameter, value in values.items()))
    return "\n".join([*lines, ""])


GENERATED: Mapping[str, Callable[[], str]] = {"<!-- commands -->": commands, "<!-- plugins -->": plugins}


def _fill(app: Any, name: str, source: list[str]) -> None:
    for mark, text in GENERATED.items():
        if mark in source[0]:
            source[0] = source[0].replace(mark, text())


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out constants, and the type whose text holds an address in memory: a page on contracts describes it."""
    return True if name.isupper() or name == "DataPath" else None


def setup(app: Any) -> dict[str, bool]:
    """Fill the pages as they are read."""
    app.connect("source-read", _fill)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
