"""Own the command ``claims``: what the claims beside a matrix come out as, by what is in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceassay.cli.matrix import expanded, opened, out_option, report_folder, stored_matrix, writable

if TYPE_CHECKING:
    from faceassay.results import Results
    from faceassay.spec.claims import Claims


@click.command()
@stored_matrix
@out_option
@click.option(
    "--profile", "profiles", multiple=True,
    help="Profile of the matrix; several are cross-fitted parts of it, each tested on other people, and are pooled.",
)  # fmt: skip
def claims(matrix: Path, store: Path, profiles: tuple[str, ...], out: Path | None) -> None:
    """Check the claims beside MATRIX against the store: supported, contradicted or inconclusive, at this scale.

    Writes `claims.md` and `claims.csv` beside the report. Nothing is run: what lacks numbers says what makes them.
    """
    from faceassay.claims.check import check_claims
    from faceassay.claims.pooling import require_cross_fitted
    from faceassay.report.claim_pages import write_claims
    from faceassay.report.claims import on_screen
    from faceassay.results import collect

    read = [expanded(matrix, profile)[1:] for profile in (profiles or (None,))]
    said = _said(read[0][0].claims, matrix)
    require_cross_fitted(read)
    at = opened(store)
    parts: list[Results] = [collect(spec, graph, at) for spec, graph in read]
    folder = writable(_folder(parts, out))
    findings = check_claims(parts)
    for line in (on_screen(findings), *map(str, write_claims(parts, said, findings, folder))):
        click.echo(line)


def _said(claims: Claims | None, matrix: Path) -> Claims:
    from faceassay.contracts import FaceassayError
    from faceassay.spec.claims import FILE

    if claims is None:
        raise FaceassayError(f"{matrix.parent / FILE} is not there: write what the matrix should show into it")
    return claims


def _folder(parts: list[Results], out: Path | None) -> Path:
    """Return where the claims go: beside the report, for several profiles into a folder of their names."""
    if out is None and len(parts) > 1:
        return parts[0].matrix.path.parent / "+".join(part.matrix.profile or "" for part in parts)
    return report_folder(parts[0].matrix, out)
