"""Own the command ``audit``: the printed numbers of papers against themselves and each other."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write; FOLDER by default.")
def audit(folder: Path, out: Path | None) -> None:
    """Audit the published tables that FOLDER/audit.yaml names; write audit.md, audit.csv and audit.html."""
    from faceassay.audit.checks import findings
    from faceassay.audit.reading import read_audit
    from faceassay.report.audited import audit_csv, audit_markdown, audit_page

    audited = read_audit(folder)
    found = findings(audited)
    target = out or folder
    target.mkdir(parents=True, exist_ok=True)
    pages = {"audit.csv": audit_csv(found), "audit.md": audit_markdown(audited.spec, found)}
    for name, text in {**pages, "audit.html": audit_page(audited.spec, found)}.items():
        (target / name).write_text(text, encoding="utf-8")
    click.echo(f"{len(found)} lines in {target / 'audit.csv'}; read {target / 'audit.md'}")
