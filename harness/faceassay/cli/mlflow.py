"""Own the command that rebuilds MLflow from the store."""

from __future__ import annotations

from pathlib import Path

import click

from faceassay.cli.matrix import expanded, matrix_options, opened, out_option, report_folder


@click.group()
def mlflow() -> None:
    """Work with MLflow, which is a view of the store."""


@mlflow.command()
@matrix_options
@out_option
def sync(matrix: Path, store: Path, profile: str | None, out: Path | None) -> None:
    """Bring MLflow up to what the store says of MATRIX; what is there already stays."""
    from faceassay.report import write_report
    from faceassay.results import collect
    from faceassay.tracking import MlflowWriter

    _, spec, graph = expanded(matrix, profile)
    results = collect(spec, graph, opened(store))
    writer = MlflowWriter()
    writer.run_finished(results, write_report(results, report_folder(spec, out)))
    click.echo(f"MLflow at {writer.address()} holds what the store says of {spec.spec.name}")
