"""Own the commands about a matrix: ``plan``, ``run`` and ``report``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from faceassay.contracts import Executor, Observer
    from faceassay.graph import Graph
    from faceassay.registry import Registry
    from faceassay.results import Results
    from faceassay.run import Surroundings
    from faceassay.spec import MatrixSpec
    from faceassay.store import Store

WORKING_FOLDER = ".faceassay"
"""Where store and MLflow database are by default, under the folder the command is started in."""
Command = TypeVar("Command", bound=Callable[..., Any])


def store_option(command: Command) -> Command:
    """Add which store a command works with."""
    return click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="FACEASSAY_STORE",
        default=Path(WORKING_FOLDER) / "store",
        show_default=True,
        help="Where artifacts are kept.",
    )(command)


def matrix_options(command: Command) -> Command:
    """Add what every command about a matrix takes."""
    return click.option("--profile", help="Override sizes by this profile of the matrix.")(stored_matrix(command))


def stored_matrix(command: Command) -> Command:
    """Add a matrix and the store."""
    for option in (
        store_option,
        click.argument("matrix", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def out_option(command: Command) -> Command:
    """Add where a report is written."""
    help_text = "Where the report is written; by default beside the matrix, for a profile in a folder of its name."
    return click.option("--out", type=click.Path(file_okay=False, path_type=Path), help=help_text)(command)


@click.command()
@matrix_options
@click.option(
    "--teraflops",
    type=click.FloatRange(0, min_open=True),
    default=200.0,
    show_default=True,
    help="Sustained rate at which the GPU-hours are computed, in 10^12 operations a second.",
)
def plan(matrix: Path, store: Path, profile: str | None, teraflops: float) -> None:
    """Show the stages of MATRIX, what is cached, what the rest will cost, and what its seeds can detect."""
    from faceassay.cli.planning import claim_lines, plan_lines, unread_lines
    from faceassay.cli.power import power_lines
    from faceassay.expand import expand
    from faceassay.report.differences import CSV

    _, spec = read(matrix, profile)
    for line in unread_lines(spec):
        click.echo(line)
    graph, folder = expand(spec), report_folder(spec, None)
    for line in plan_lines(graph, opened(store), folder / "cost.csv", teraflops):
        click.echo(line)
    for line in power_lines(spec, graph, opened(store), folder / CSV):
        click.echo(line)
    for line in claim_lines(spec):
        click.echo(line)


@click.command()
@matrix_options
@out_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes of a synthesis.")
@click.option("--device", default="cpu", show_default=True, help="Torch device of every stage.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Stages run side by side.")
@click.option("--executor", help="Executor plugin that runs the stages; serial, or processes for more than one.")
@click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(0),
    default=20.0,
    show_default=True,
    help="Seconds between two checkpoints of a training; a killed run repeats at most this much.",
)
@click.option("--mlflow/--no-mlflow", "track", default=True, help="Log to MLflow (MLFLOW_TRACKING_URI is respected).")
@click.option("--quiet", is_flag=True, help="Show nothing but failures.")
def run(
    matrix: Path, store: Path, profile: str | None, out: Path | None, workers: int, device: str,
    processes: int, executor: str | None, checkpoint_seconds: float, track: bool, quiet: bool,
) -> None:  # fmt: skip
    """Run what is missing of MATRIX, then write its tables.

    Interrupt it at any moment and run it again: it goes on where it was and ends in the same table.
    """
    from faceassay.contracts import Resources
    from faceassay.run import Surroundings
    from faceassay.torching import require_device

    require_device(device)
    registry, spec, graph = expanded(matrix, profile)
    folder = writable(report_folder(spec, out))
    about = Surroundings(
        store=opened(store),
        executor=_executor(registry, executor, processes),
        resources=Resources(device, workers),
        checkpoint_interval=checkpoint_seconds,
        cost_table=report_folder(spec, None) / "cost.csv",
    )
    chosen: dict[str, dict[str, Any]] = {"progress": {"quiet": quiet}} | ({"mlflow": {}} if track else {})
    observers: list[Any] = [registry.get("observer", name)(**options) for name, options in chosen.items()]
    results = _run_and_report(spec, graph, about, observers, folder)
    _show(results, quiet)
    sys.exit(1 if results.failures() or results.lost_qualities else 0)


@click.command()
@matrix_options
@out_option
def report(matrix: Path, store: Path, profile: str | None, out: Path | None) -> None:
    """Write the tables of MATRIX from the store alone; nothing is run."""
    from faceassay.report import write_report
    from faceassay.results import collect

    _, spec, graph = expanded(matrix, profile)
    results = collect(spec, graph, opened(store))
    for path in write_report(results, writable(report_folder(spec, out))):
        click.echo(path)


def _executor(registry: Registry, name: str | None, processes: int) -> Executor:
    cls: Any = registry.get("executor", name or ("serial" if processes == 1 else "processes"))
    made: Executor = cls(processes=processes) if "processes" in cls.model_fields else cls()
    return made


def read(matrix: Path, profile: str | None) -> tuple[Registry, MatrixSpec]:
    """Return the registry and the validated matrix; no data is opened."""
    from faceassay.registry import load_plugins
    from faceassay.spec import read_matrix

    registry = load_plugins()
    return registry, read_matrix(matrix, registry, profile)


def expanded(matrix: Path, profile: str | None) -> tuple[Registry, MatrixSpec, Graph]:
    """Return the registry, the validated matrix and its graph."""
    from faceassay.expand import expand

    registry, spec = read(matrix, profile)
    return registry, spec, expand(spec)


def opened(store: Path) -> Store:
    """Open the store."""
    from faceassay.store import Store

    return Store.open(store.resolve())


def report_folder(spec: MatrixSpec, out: Path | None) -> Path:
    """Return where the report of ``spec`` goes: beside the matrix, or for a profile in a folder of its name."""
    if out is not None:
        return out
    beside = spec.path.parent
    return beside / spec.profile if spec.profile else beside


def writable(folder: Path, option: str = "--out DIR") -> Path:
    """Return ``folder`` once it is there and takes a file: a report must not fail after hours of work.

    Raises:
        FaceassayError: when it does not, naming the ``option`` that chooses another.
    """
    from tempfile import TemporaryFile

    from faceassay.contracts import FaceassayError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise FaceassayError(f"no report can be written into {folder} ({error.strerror}): use {option}") from error
    return folder


def _run_and_report(
    spec: MatrixSpec, graph: Graph, about: Surroundings, observers: list[Observer], out: Path
) -> Results:
    from faceassay.report import write_report
    from faceassay.results import collect
    from faceassay.run import Watchers, run_graph

    watchers = Watchers(observers, warn=lambda text: click.secho(f"warning: {text}", fg="yellow", err=True))
    try:
        run_graph(graph, about, watchers)
        results = collect(spec, graph, about.store)
        paths = write_report(results, out)
        watchers.tell("run_finished", results, paths)
    finally:
        watchers.tell("close")
    return results


def _show(results: Results, quiet: bool) -> None:
    from faceassay.report.text import markdown
    from faceassay.table import build

    if not quiet:
        click.echo(markdown(results, build(results)))
    reasons = [result.failure for result in results.failures()] + results.lost_qualities
    for reason in dict.fromkeys(reasons):
        click.secho(str(reason), fg="red", err=True)
