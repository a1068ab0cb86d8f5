"""Own the files of a report and their names."""

from __future__ import annotations

from pathlib import Path

from faceassay.claims.check import check_claims
from faceassay.report import card_pages
from faceassay.report.cards import cards
from faceassay.report.differences import CSV, differences_csv
from faceassay.report.html import page
from faceassay.report.latex import latex
from faceassay.report.text import cost_csv, markdown, table_csv
from faceassay.results import Results
from faceassay.store import write_atomically
from faceassay.table import build


def write_report(results: Results, folder: Path) -> list[Path]:
    """Write the report into ``folder`` and return its paths.

    These are ``table`` as csv, md, tex and html, ``differences.csv``, ``cost.csv`` and the ``cards``. The first and the
    second CSV hold deterministic columns only; seconds, memory and dates are in ``cost.csv``.
    """
    table, of_sets, findings = build(results), cards(results), check_claims([results])
    contents = {
        "table.csv": table_csv(table),
        CSV: differences_csv(table),
        "table.md": markdown(results, table, findings),
        "table.tex": latex(results, table),
        "cost.csv": cost_csv(results),
        "table.html": page(results, table, findings),
        card_pages.MARKDOWN: card_pages.cards_markdown(results, of_sets),
        card_pages.JSON: card_pages.cards_json(results, of_sets),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]
