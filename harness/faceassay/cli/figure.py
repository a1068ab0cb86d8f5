"""Own the command ``figure``: one picture of what a matrix has made, drawn from the store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceassay.cli.matrix import matrix_options, opened, out_option, report_folder, writable
from faceassay.cli.parameters import made, pairs

if TYPE_CHECKING:
    from faceassay.graph import Graph
    from faceassay.spec import MatrixSpec
    from faceassay.store import Store


@click.command()
@click.argument("name")
@matrix_options
@out_option
@click.option("--method", help="The row whose plan, images or search the figure shows.")
@click.option(
    "--seed", type=int, help="The seed of that row, which tells the generator too; the matrix's first by default."
)
@click.option(
    "--set", "parameters", multiple=True, metavar="PARAMETER=VALUE",
    help="A parameter of the figure, see `faceassay describe NAME`; the values of a list are joined by +.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Torch device of what is sampled for it.")
def figure(
    name: str, matrix: Path, store: Path, profile: str | None, out: Path | None, method: str | None, seed: int | None,
    parameters: tuple[str, ...], device: str,
) -> None:  # fmt: skip
    """Draw the figure NAME of MATRIX from what is in the store, as PNG and SVG."""
    from faceassay.contracts import FaceassayError, Resources
    from faceassay.expand import expand_figure
    from faceassay.inputs import open_artifact
    from faceassay.registry import load_plugins
    from faceassay.run import Surroundings, Watchers, run_graph
    from faceassay.spec import read_matrix
    from faceassay.torching import require_device

    require_device(device)
    registry = load_plugins()
    serial: Any = registry.get("executor", "serial")
    drawn: Any = made(registry.get("figure", name), pairs(parameters))
    spec = read_matrix(matrix, registry, profile)
    seed = _known(spec, method, seed)
    folder = writable(report_folder(spec, out) / "figures")
    graph, at = expand_figure(spec, drawn, method, seed), opened(store)
    if absent := graph.targets()[0].absent:
        raise FaceassayError("; ".join(absent))
    _require_made(spec, graph, at)
    failures = run_graph(graph, Surroundings(at, serial(), Resources(device)), Watchers())
    if failures:
        raise FaceassayError("; ".join(failures.values()))
    seeded = [f"seed{seed}"] if method or len(spec.spec.generators) > 1 else []
    row = [*([method] if method else []), *seeded]
    for path in open_artifact(graph.targets()[0], at):
        click.echo(shutil.copyfile(path, folder / _file_name([name, *sorted(parameters), *row], path)))


def _known(spec: MatrixSpec, method: str | None, seed: int | None) -> int:
    """Return the seed to use, once it and the row are known to be the matrix's."""
    from faceassay.contracts import FaceassayError

    rows = [row.name for row in spec.methods]
    if method is not None and method not in rows:
        raise FaceassayError(f"no row is called {method!r}; known: {', '.join(map(repr, rows))}")
    if seed is not None and seed not in spec.spec.seeds:
        raise FaceassayError(f"the matrix has no seed {seed}; known: {', '.join(map(str, spec.spec.seeds))}")
    return spec.spec.seeds[0] if seed is None else seed


def _require_made(spec: MatrixSpec, graph: Graph, store: Store) -> None:
    """Refuse to draw what is not there yet: a figure trains nothing."""
    from faceassay.contracts import FaceassayError
    from faceassay.report.notes import run_command
    from faceassay.states import State, required_stages, state_of

    lacking = [stage for stage in required_stages(graph, store) if stage.kind != "figure"]
    missing = [stage.title for stage in lacking]
    if missing and all(state_of(stage, store) is State.WITHOUT_WEIGHTS for stage in lacking):
        raise FaceassayError(f"kept without weights: {', '.join(missing)}: faceassay store import brings them")
    if missing:
        raise FaceassayError(f"not in the store yet: {', '.join(missing)}: {run_command(spec, store)} makes them")


def _file_name(about: Sequence[str], path: Path) -> str:
    """Return ``NAME.png``, ``NAME-PARAMETER_VALUE-METHOD-seed0.png``, or for what lies beside it ``NAME-FILE.npy``."""
    parts = [*about, *([] if path.stem == "figure" else [path.stem])]
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("_") for part in parts) + path.suffix
