"""Own the command ``quality``: the dataset quality report of a matrix's synthetic sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceassay.cli.matrix import matrix_options, opened, out_option, report_folder, writable

if TYPE_CHECKING:
    from faceassay.assessing.graph import AssessmentPlan
    from faceassay.spec import MatrixSpec
    from faceassay.store import Store

MADE_BY_RUN = frozenset({"generator", "search", "plan", "synthesis"})
"""Kinds that the report needs and does not make."""


@click.command()
@matrix_options
@out_option
@click.option("--method", "methods", multiple=True, help="A row whose synthetic set is assessed; all by default.")
@click.option("--against", help="The row that rows of the same identities are compared with; the first by default.")
@click.option("--device", default="cpu", show_default=True, help="Torch device of the judge.")
@click.option("--quiet", is_flag=True, help="Show no progress and no table.")
def quality(
    matrix: Path, store: Path, profile: str | None, out: Path | None, methods: tuple[str, ...], against: str | None,
    device: str, quiet: bool,
) -> None:  # fmt: skip
    """Measure the synthetic sets of MATRIX by a recognizer that no method saw, beside the real images.

    Trains the judge and embeds what is missing, then writes `quality/quality.md`, `quality.csv` and pictures.
    """
    from faceassay.assessing.graph import expand_assessment
    from faceassay.contracts import Resources
    from faceassay.registry import load_plugins
    from faceassay.report.assessment.content import collected
    from faceassay.report.assessment.write import write_assessment
    from faceassay.run import Surroundings, Watchers, run_graph
    from faceassay.spec import read_matrix
    from faceassay.torching import require_device

    require_device(device)
    registry = load_plugins()
    serial: Any = registry.get("executor", "serial")
    progress: Any = registry.get("observer", "progress")
    spec = read_matrix(matrix, registry, profile)
    plan = expand_assessment(spec, [*methods, *([against] if methods and against else [])])
    _require_row(plan, against)
    folder, at = writable(report_folder(spec, out) / "quality"), opened(store)
    _require_made(spec, plan, at)
    watchers = Watchers([progress(quiet=quiet)], lambda text: click.secho(f"warning: {text}", fg="yellow", err=True))
    try:
        failures = run_graph(plan.graph, Surroundings(at, serial(), Resources(device)), watchers)
    finally:
        watchers.tell("close")
    paths = write_assessment(collected(spec, plan, at, failures, against), folder)
    for line in [] if quiet else [paths[0].read_text(encoding="utf-8"), *map(str, paths)]:
        click.echo(line)
    for reason in dict.fromkeys(failures.values()):
        click.secho(reason, fg="red", err=True)
    sys.exit(1 if failures else 0)


def _require_row(plan: AssessmentPlan, against: str | None) -> None:
    """Refuse a row to compare with that is not assessed."""
    from faceassay.contracts import FaceassayError

    known = [name for one in plan.sets for name in one.methods]
    if against is not None and against not in known:
        raise FaceassayError(
            f"--against {against!r} is no assessed row; known: {', '.join(map(repr, known)) or 'none'}"
        )


def _require_made(spec: MatrixSpec, plan: AssessmentPlan, store: Store) -> None:
    """Refuse to assess what is not there yet: the report makes no synthetic set."""
    from faceassay.contracts import FaceassayError
    from faceassay.report.notes import run_command
    from faceassay.states import required_stages

    missing = [stage.title for stage in required_stages(plan.graph, store) if stage.kind in MADE_BY_RUN]
    if missing:
        raise FaceassayError(f"not in the store yet: {', '.join(missing)}: {run_command(spec, store)} makes them")
