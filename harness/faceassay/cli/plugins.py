"""Own the commands about plugins: ``list`` and ``describe``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from faceassay.contracts import Plugin
    from faceassay.registry import Registry


@click.command("list")
@click.option("--broken", is_flag=True, help="Show only the plugins that did not load, with their tracebacks.")
def list_plugins(broken: bool) -> None:
    """List every plugin with its distribution and version; broken ones with the reason."""
    from faceassay.hookspecs import KINDS
    from faceassay.registry import load_plugins

    registry = load_plugins()
    for kind in () if broken else KINDS:
        click.secho(f"{kind}s", bold=True)
        for name in registry.names(kind):
            origin = registry.origins[kind, name]
            cls = registry.classes[kind, name]
            click.echo(f"  {name:<24} {cls.summary}  [{origin.distribution} {origin.version}]")
    for plugin in registry.broken:
        click.secho(f"did not load: {plugin.origin}: {plugin.reason}", fg="red")
        if broken:
            click.echo(plugin.details)


@click.command()
@click.argument("name")
def describe(name: str) -> None:
    """Describe the plugin NAME: parameters with bounds, defaults and units, paper, source file."""
    from faceassay.registry import load_plugins

    registry = load_plugins()
    found = registry.find(name)
    if not found:
        raise click.ClickException(_unknown(registry, name))
    for kind, cls in found:
        click.echo("\n".join(_description(registry, kind, cls)))


def _unknown(registry: Registry, name: str) -> str:
    import difflib

    names = sorted({known for _, known in registry.classes})
    near = difflib.get_close_matches(name, names, n=3)
    return f"no plugin is called {name!r}; " + (f"did you mean {', '.join(near)}?" if near else "see faceassay list")


def _description(registry: Registry, kind: str, cls: type[Plugin]) -> Iterator[str]:
    from faceassay.keys import code_digest

    yield click.style(f"{cls.name} ({kind}, version {cls.version})", bold=True)
    yield cls.summary
    yield f"distribution  {registry.origins[kind, cls.name]}"
    yield f"source        {inspect.getsourcefile(cls)}"
    yield f"code digest   {code_digest(cls)[:16]}"
    if cls.paper:
        yield f"paper         {cls.paper}"
    yield ""
    yield inspect.getdoc(cls) or ""
    yield ""
    yield "parameters" if cls.model_fields else "no parameters"
    for name, field in cls.model_fields.items():
        yield f"  {parameter_line(name, field)}"
        yield f"      {field.description or 'not described'}"
    if cls.presets:
        yield ""
        yield "presets (preset: NAME in a matrix; parameters beside it override it)"
    for name, values in cls.presets.items():
        yield f"  {name}: " + ", ".join(f"{parameter} {value!r}" for parameter, value in values.items())


def parameter_line(name: str, field: FieldInfo) -> str:
    """Return a parameter with its type, bounds, default and unit, in one line."""
    return f"{name}: {_type_name(field.annotation)}{_bounds(field.metadata)}{_default(field)}{_unit(field)}"


def _type_name(annotation: Any) -> str:
    """Return a type as people write it: ``int | None``, ``'own' | 'new'``, ``tuple of float``, ``{name: str}``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if origin in (Union, UnionType):
        return " | ".join(map(_type_name, inner))
    if origin is Annotated:
        return _type_name(inner[0]) + _bounds(inner[1:])
    if origin is tuple:
        return f"tuple of {_type_name(inner[0])}" + (f", {len(inner)} long" if inner[-1] is not Ellipsis else "")
    if fields := getattr(annotation, "model_fields", None):
        return "{" + ", ".join(f"{name}: {_type_name(field.annotation)}" for name, field in fields.items()) + "}"
    return "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def _bounds(constraints: Sequence[Any]) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [limit for constraint in constraints for limit in getattr(constraint, "metadata", [constraint])]
    found = [f"{signs[name]} {getattr(limit, name)}" for limit in limits for name in signs if hasattr(limit, name)]
    return f" {' and '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    return ", required" if field.is_required() else f", default {field.get_default(call_default_factory=True)!r}"


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return f" [{extra['unit']}]" if isinstance(extra, dict) and "unit" in extra else ""
