"""Own the command ``explain``: what made an artifact, what sets two apart, why a matrix has stages to run again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceassay.cli.matrix import expanded, opened, store_option

if TYPE_CHECKING:
    from faceassay.graph import Graph, Stage
    from faceassay.store import Store


@click.command()
@click.argument("keys", nargs=-1, required=True)
@store_option
@click.option("--profile", help="Of a matrix: override sizes by this profile.")
@click.option("--method", help="Of a matrix: show the chain of stages behind the cells of this row.")
@click.option("--benchmark", help="Of a matrix: show the chain of stages behind the cells of this benchmark.")
@click.option("--seed", type=int, help="Of a matrix: show the chain of stages behind the cells of this seed.")
def explain(
    keys: tuple[str, ...], store: Path, profile: str | None, method: str | None, benchmark: str | None, seed: int | None
) -> None:
    """Explain KEYS: what made an artifact, what sets two apart, or what a matrix is to run again, and why.

    A key is given by its first six digits or more. Of one, everything that made it is shown; of two, what differs, the
    first cause first. In place of keys, the path of a matrix: every stage that is to be run, the nearest artifact in
    the store, and what sets it apart.
    """
    cells = {"method": method, "benchmark": benchmark, "seed": seed}
    wanted = {name: value for name, value in cells.items() if value is not None}
    if len(keys) == 1 and not re.fullmatch("[0-9a-f]+", keys[0]):
        lines = _of_matrix(Path(keys[0]), profile, wanted, opened(store))
    elif wanted or profile:
        raise click.UsageError("--profile, --method, --benchmark and --seed are about a matrix: give its path")
    elif len(keys) > 2:
        raise click.UsageError("give one key, two keys, or the path of a matrix")
    else:
        lines = _of_keys(keys, opened(store))
    for line in lines:
        click.echo(line)


def _of_keys(keys: tuple[str, ...], store: Store) -> Iterator[str]:
    from faceassay.provenance.differences import Comparison
    from faceassay.provenance.known import chosen, finder
    from faceassay.provenance.origin import origin_lines

    known, find = [chosen(store, key) for key in keys], finder(store)
    if len(known) == 1:
        yield from origin_lines(known[0], find)
        return
    first, second = known
    yield f"first   {first.short} {first.title}"
    yield f"second  {second.short} {second.title}"
    if first.digest == second.digest:
        yield "the same key: nothing differs"
    for cause in Comparison(find, find).causes(first, second):
        titles = " -> ".join(dict.fromkeys([cause.first.title, cause.second.title]))
        yield f"{cause.first.kind} {cause.first.short} -> {cause.second.short} ({titles})"
        yield from (f"  {line}" for line in cause.lines)


def _of_matrix(matrix: Path, profile: str | None, wanted: dict[str, str | int], store: Store) -> Iterator[str]:
    from faceassay.provenance.reruns import rerun_lines
    from faceassay.states import required_stages

    _, _, graph = expanded(matrix, profile)
    stages = _behind(graph, wanted) if wanted else required_stages(graph, store)
    if not stages:
        yield "nothing to run: every number is there, made by this code from these parameters and data"
    yield from rerun_lines(stages, graph, store)


def _behind(graph: Graph, wanted: dict[str, str | int]) -> list[Stage]:
    """Return the stages behind the cells that are ``wanted``, inputs before what needs them."""
    from faceassay.contracts import FaceassayError

    for name, value in wanted.items():
        known = list(dict.fromkeys(getattr(cell, name) for cell in graph.cells))
        if value not in known:
            raise FaceassayError(f"the matrix has no {name} {value!r}; known: {', '.join(map(repr, known))}")
    cells = [cell for cell in graph.cells if all(getattr(cell, name) == value for name, value in wanted.items())]
    needed = {stage.digest for cell in cells for stage in [cell.evaluation, *graph.ancestors(cell.evaluation)]}
    return [stage for key, stage in graph.stages.items() if key in needed]
