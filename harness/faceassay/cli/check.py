"""Own the command ``check``: the conformance of a plugin, line by line. The checks are ``faceassay.testing``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from faceassay.contracts import Plugin
    from faceassay.registry import Registry
    from faceassay.testing import CheckResult

COLOURS = {"passed": "green", "failed": "red", "skipped": None}


@click.command()
@click.argument("name")
@click.option("--kind", help="Kind of the plugin, where several have the name.")
@click.option("--set", "settings", multiple=True, metavar="PARAMETER=VALUE", help="Set a parameter.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def check(name: str, kind: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Check that the plugin NAME does what its contract says; the exit code is 1 where it does not.

    It is run on a few drawn faces, with a small generator and a small recognizer, as the stages of a matrix run it.
    """
    import json
    from dataclasses import asdict

    from faceassay.registry import load_plugins
    from faceassay.testing import run_checks

    registry = load_plugins()
    results = run_checks(_chosen(registry, name, kind, settings))
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            click.secho(_line(result), fg=COLOURS[result.status])
    failed = sum(not result.is_good for result in results)
    if not as_json:
        click.echo(f"{name}: {len(results)} checks, {failed or 'none'} failed")
    sys.exit(1 if failed else 0)


def _chosen(registry: Registry, name: str, kind: str | None, settings: tuple[str, ...]) -> Plugin | type[Plugin]:
    """Return the plugin, an instance where parameters were given."""
    from faceassay.cli.parameters import made, pairs

    found = [(known, cls) for known, cls in registry.find(name) if kind in (None, known)]
    if not found:
        raise click.ClickException(_unknown(registry, name, kind))
    if len(found) > 1:
        raise click.ClickException(
            f"{name!r} is the name of several plugins: add --kind {' or '.join(k for k, _ in found)}"
        )
    cls, values = found[0][1], pairs(settings)
    plugin: Plugin | type[Plugin] = made(cls, values) if values else cls
    return plugin


def _unknown(registry: Registry, name: str, kind: str | None) -> str:
    """Say what there is instead; a plugin that did not load may be the one that was meant."""
    from faceassay.spec.near import near

    names = {known for of, known in registry.classes if kind in (None, of)}
    broken = [f"{plugin.origin} did not load: {plugin.reason} (faceassay list --broken)" for plugin in registry.broken]
    return "; ".join([f"no {kind or ''} plugin is called {name!r}".replace("  ", " ") + near(name, names), *broken])


def _line(result: CheckResult) -> str:
    return f"{result.status:<20} {result.check}" + (f": {result.message}" if result.message else "")
