"""Own the command ``new``: a package with a working plugin to start from. The templates are the scaffold's."""

from __future__ import annotations

from pathlib import Path

import click

from faceassay.scaffold import KINDS


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default=True,
    help="Where the folder NAME is made.",
)
def new(kind: str, name: str, folder: Path) -> None:
    """Write a small installable package with a plugin of KIND called NAME, which works as it stands.

    It has a test that holds the plugin against its contract, and a matrix that takes it to a table. Nothing that is
    there is overwritten.
    """
    import shlex

    from faceassay.registry import load_plugins
    from faceassay.scaffold import Names, write_plugin

    for path in write_plugin(Names(kind, name), folder, load_plugins()):
        click.echo(f"wrote {folder / path}")
    place = folder / name
    click.echo("next:")
    click.echo(f"  python -m pip install -e {shlex.quote(str(place))}")
    click.echo(f"  faceassay check {name}")
    click.echo(f"  faceassay run {shlex.quote(str(place / 'matrix.yaml'))}")
