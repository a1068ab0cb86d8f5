"""Own the commands about a store as a whole: ``ls``, ``gc``, ``export``, ``import`` and ``check``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceassay.cli.matrix import opened, store_option

if TYPE_CHECKING:
    from faceassay.graph import Graph
    from faceassay.registry import Registry

MEBIBYTE = 2**20
Command = TypeVar("Command", bound=Callable[..., Any])
OF_PROFILE = "MATRIX stands for the file and all its profiles, MATRIX:PROFILE for one, MATRIX: for the file alone."


@click.group()
def store() -> None:
    """Keep a store in order: list it, check it, clear it, move it."""


def matrices_option(name: str, help_text: str) -> Callable[[Command], Command]:
    """Add an option that names any number of matrices."""
    return click.option(name, "matrices", multiple=True, metavar="MATRIX", help=f"{help_text} {OF_PROFILE}")


@store.command("ls")
@store_option
@matrices_option("--matrix", "Show which of these uses what.")
@click.option("--kind", help="List artifacts of this kind only.")
def list_artifacts(store: Path, matrices: tuple[str, ...], kind: str | None) -> None:
    """List the artifacts of a store, the oldest first: kind, key, title, size, date."""
    from tabulate import tabulate

    from faceassay.upkeep.listing import listed

    at = opened(store)
    found = listed(at, users_of(matrices), kind)
    header = ["kind", "key", "title", "size", "finished", *(["used by"] if matrices else [])]
    rows = [
        [
            one.kind, one.key[:12], one.title + (" (without weights)" if one.given_up else ""), _size(one.bytes),
            one.finished, *([", ".join(one.users)] if matrices else []),
        ]
        for one in found
    ]  # fmt: skip
    click.echo(tabulate(rows, header, disable_numparse=True))
    click.echo(f"{len(found)} artifacts, {_size(sum(one.bytes for one in found))}")
    unreadable = len(at.find("")) - sum(1 for _ in at.records())
    if unreadable:
        click.secho(f"{unreadable} more cannot be read: see faceassay store check", fg="red", err=True)


@store.command()
@store_option
@matrices_option("--keep", "Keep what these need; without any, every artifact stays.")
@click.option("--yes/--dry-run", default=False, help="Remove it; by default it is only shown.")
def gc(store: Path, matrices: tuple[str, ...], yes: bool) -> None:
    """Remove what no kept matrix needs, why stages failed, and what interrupted stages left behind.

    What another process works on stays, and what it reads. Figures stay while all that they were drawn from does. What
    a matrix that is not kept has made is gone: do not collect while such a matrix runs.
    """
    from faceassay.upkeep.collecting import garbage, sweep

    at = opened(store)
    found = garbage(at, users_of(matrices, whole=True) if matrices else None)
    for one in found:
        click.echo(f"{_size(one.bytes):>12}  {one.path.relative_to(at.root)}  {one.why}")
    if not matrices:
        click.echo("no --keep, so nobody said which artifacts are needed: all stay")
    said = f"{len(found)} things, {_size(sum(one.bytes for one in found))}"
    if not yes:
        click.echo(f"to remove: {said}; nothing was removed, --yes does it")
        return
    stayed = list(sweep(at, found))
    for line in stayed:
        click.secho(line, fg="yellow", err=True)
    click.echo(f"removed: {said}" + (f", but for {len(stayed)} that stayed" if stayed else ""))


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_option
@matrices_option("--matrix", "Take what these need only.")
@click.option("--without-weights", is_flag=True, help="Leave out the weights of generators and recognizers.")
def export(file: Path, store: Path, matrices: tuple[str, ...], without_weights: bool) -> None:
    """Write artifacts into FILE, a tar, to bring them to another machine.

    An artifact without its weights still serves whatever reads its other files or was made from it.
    """
    from faceassay.upkeep.packing import pack

    packed = pack(opened(store), file, users_of(matrices) if matrices else None, without_weights=without_weights)
    click.echo(f"{file}: {packed.artifacts} artifacts, {_size(packed.bytes)}")


@store.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_option
@click.option(
    "--prefer", type=click.Choice(["ours", "theirs"]), default="ours", show_default=True,
    help="Which artifact stays where both have one of the same key and other content.",
)  # fmt: skip
def import_archive(file: Path, store: Path, prefer: str) -> None:
    """Bring the artifacts of FILE, a tar that `export` wrote, into a store.

    Each is verified before it appears. One that is there with another content stays, is named, and makes the exit code
    1, unless theirs are preferred.
    """
    from faceassay.upkeep.unpacking import Fate, unpack

    imported = unpack(opened(store), file, prefer_theirs=prefer == "theirs")
    click.echo(", ".join(f"{count} {fate}" for fate, count in imported.fates.items() if count))
    for line in imported.said:
        click.secho(line, fg="yellow", err=True)
    if imported.fates[Fate.REPLACED]:
        click.echo("what was made from the replaced ones is stale: run its matrix again")
    if imported.fates[Fate.REFUSED]:
        click.secho("refused ones stay as they were here; --prefer theirs replaces them", fg="red", err=True)
        sys.exit(1)


@store.command()
@store_option
def check(store: Path) -> None:
    """Verify every file and record of a store; the exit code is 1 when anything is damaged."""
    from faceassay.upkeep.checking import findings

    at, damaged = opened(store), 0
    for finding in findings(at):
        damaged += finding.damage
        click.secho(finding.said, fg="red" if finding.damage else None, err=finding.damage)
    artifacts = len(at.find(""))
    click.echo(f"{artifacts} artifacts, {damaged} damaged" if damaged else f"{artifacts} artifacts, all sound")
    sys.exit(1 if damaged else 0)


def users_of(matrices: tuple[str, ...], *, whole: bool = False) -> Mapping[str, list[str]]:
    """Return by digest of a stage the matrices that need it.

    Args:
        matrices: paths of matrices, each with its profiles or one of them.
        whole: refuse a matrix whose data is absent: of what it needs nothing can be said.

    Raises:
        FaceassayError: when a matrix cannot be read, its data cannot be opened, or, if ``whole``, is absent.
    """
    from faceassay.registry import load_plugins

    if not matrices:
        return {}
    users: dict[str, list[str]] = {}
    registry = load_plugins()
    for path, profile in (variant for named in matrices for variant in _variants(named, registry)):
        said = f"{path}:{profile}" if profile else str(path)
        for graph in _graphs(path, profile, registry):
            if whole:
                _require_data(graph, said)
            for digest in graph.stages:
                users.setdefault(digest, [])
                users[digest] += [] if said in users[digest] else [said]
    return users


def _variants(named: str, registry: Registry) -> Iterator[tuple[Path, str | None]]:
    """Yield the file and the profiles that MATRIX, MATRIX:PROFILE or MATRIX: stands for."""
    from faceassay.spec import read_matrix

    path, colon, profile = named.rpartition(":")
    if colon and not Path(named).exists():
        yield Path(path), profile or None
        return
    yield Path(named), None
    yield from ((Path(named), name) for name in read_matrix(Path(named), registry).spec.profiles)


def _graphs(path: Path, profile: str | None, registry: Registry) -> Iterator[Graph]:
    """Yield the graph of a matrix, and that of its dataset quality report where it has a judge and a set to judge."""
    from faceassay.assessing.graph import expand_assessment
    from faceassay.expand import expand
    from faceassay.spec import read_matrix

    spec = read_matrix(path, registry, profile)
    graph = expand(spec)
    yield graph
    judged = spec.judge is not None and any(row.augmentation or row.synthetic for row in spec.methods)
    if judged and not any(data.absent for data in graph.data.values()):
        yield expand_assessment(spec).graph


def _require_data(graph: Graph, said: str) -> None:
    from faceassay.contracts import FaceassayError

    absent = dict.fromkeys(text for stage in graph.stages.values() for text in stage.absent)
    if absent:
        told = "what was made from it cannot be told from what nobody needs"
        remedy = "supply it, or name the profiles to keep, as in MATRIX:PROFILE"
        raise FaceassayError(f"{said}: {'; '.join(absent)}: {told}; {remedy}")


def _size(count: int) -> str:
    return f"{count / MEBIBYTE:,.1f} MiB" if count >= MEBIBYTE else f"{math.ceil(count / 1024)} KiB"
