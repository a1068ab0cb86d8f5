"""Own the command ``verify``: a sample of finished stages run once more, and a record of what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceassay.cli.matrix import expanded, matrix_options, opened, out_option, report_folder, writable

if TYPE_CHECKING:
    from faceassay.certificates.rerunning import Verified
    from faceassay.graph import Stage
    from faceassay.store import Store


@click.command()
@matrix_options
@out_option
@click.option("--sample", "count", type=click.IntRange(1), default=5, show_default=True, help="Stages to run again.")
@click.option("--all", "every", is_flag=True, help="Run every finished stage again.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which stages are sampled.")
@click.option("--kind", "kinds", multiple=True, help="Sample stages of this kind only; may be given several times.")
@click.option("--device", default="cpu", show_default=True, help="Torch device of every stage.")
def verify(
    matrix: Path, store: Path, profile: str | None, out: Path | None, count: int, every: bool, seed: int,
    kinds: tuple[str, ...], device: str,
) -> None:  # fmt: skip
    """Run finished stages of MATRIX once more, from their stored inputs, and say whether the same comes out.

    Each is certified (the same bytes, or on other hardware within a stated tolerance), different, damaged, or cannot be
    verified. The store is only read. Writes verification.json and verification.md beside the report; the exit code is 1
    when anything is wrong, or nothing could be certified.
    """
    from faceassay.certificates import rerunning
    from faceassay.certificates.document import counted, record_of, write_record
    from faceassay.certificates.sampling import finished, sample
    from faceassay.torching import require_device

    require_device(device)
    _, spec, graph = expanded(matrix, profile)
    folder, at = writable(report_folder(spec, out)), opened(store)
    found = finished(graph, at, kinds)
    chosen = found if every else sample(found, count, seed)
    sampled = {"all": every, "count": len(chosen), "of": len(found), "seed": seed, "kinds": sorted(kinds)}
    try:
        verified = [_verified(stage, at, device) for stage in chosen]
    except KeyboardInterrupt:
        click.echo("interrupted: nothing was recorded, the store is as it was", err=True)
        sys.exit(130)
    for path in write_record(record_of(spec, sampled, verified), folder):
        click.echo(path)
    click.echo(", ".join(f"{number} {verdict}" for verdict, number in counted(verified).items()))
    verdicts = {one.verdict for one in verified}
    sys.exit(1 if verdicts & set(rerunning.WRONG) or not verdicts & set(rerunning.CERTIFIED) else 0)


def _verified(stage: Stage, store: Store, device: str) -> Verified:
    """Verify one stage; say which before, since it may take long, and what came out after."""
    from faceassay.certificates import rerunning
    from faceassay.contracts import Resources
    from faceassay.progress import duration

    took = (store.record(stage.kind, stage.digest) or {})["cost"]["seconds"]
    click.echo(f"{stage.digest[:12]} {stage.title}, {duration(took)} at first: ", nl=False)
    one = rerunning.verify(stage, store, Resources(device))
    colour = "red" if one.verdict in rerunning.WRONG else None
    click.secho(f"{one.verdict}{f': {one.reason}' if one.reason else ''}", fg=colour)
    return one
