"""Own the plain renderings: CSV for programs, Markdown for people. Numbers come ready from the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from faceassay.claims.findings import Finding
from faceassay.contracts.running import PASSES
from faceassay.report import card_pages, claims, differences, intervals, published, quality
from faceassay.report.notes import Missing, Section, absent, missing, sections
from faceassay.report.plain import as_csv, escaped, grid
from faceassay.report.words import cell_text, extent, headings, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table, TableCell

COST_COLUMNS = (
    "kind", "title", "plugin", "key", "unit", "work", "seconds", "attempts", "device", "threads", "workers",
    "network_evaluations", *PASSES, "peak_memory_bytes", "finished", "processor",
)  # fmt: skip
TEXT_COLUMNS = 3
"""How many of the first columns of the table are words, not numbers."""


def table_csv(table: Table) -> str:
    """Return the table as CSV: fractions with all digits, mean, spread, limits and each seed's value."""
    header: list[str] = list(FACT_COLUMNS)
    for benchmark, metric in table.columns:
        parts = ("mean", "sd over seeds", "low", "high", *(f"seed={seed}" for seed in table.seeds))
        header += [f"{benchmark}/{metric} {part}" for part in parts]
    header.append("failure")
    rows = ([*row.facts, *_numbers(row.cells), _failure(row.cells)] for row in table.rows)
    return as_csv(header, rows)


def cost_csv(results: Results) -> str:
    """Return what every finished stage cost, one line each; a record older than the counts of passes has none."""
    rows = []
    for stage, record in results.costs():
        cost, counted = record["cost"], record["cost"].get("passes")
        passes = {name: "" if counted is None else counted.get(name, 0) for name in PASSES}
        facts = {
            **cost,
            **passes,
            "kind": stage.kind,
            "title": stage.title,
            "plugin": stage.plugin.name,
            "key": stage.digest,
        }
        rows.append([{**facts, "processor": record["environment"]["processor"]}[name] for name in COST_COLUMNS])
    return as_csv(COST_COLUMNS, rows)


def markdown(results: Results, table: Table, findings: Sequence[Finding] = ()) -> str:
    """Return the table with its notes as Markdown, and what was found of claims.

    The columns carry short names of the metrics, so that the raw text can be read too; a note gives the identities.
    """
    header = [*FACT_COLUMNS, *headings(results)]
    rows = [[*row.facts, *map(_marked, row.cells)] for row in table.rows]
    lacking, notes = missing(results), sections(results, table)
    identities = Section("Columns", tuple(_identities(results)))
    notes[1:1] = [identities] if identities.items else []
    parts = [f"# {escaped(title(results))}", f"{extent(results)}.", grid(header, rows, range(TEXT_COLUMNS))]
    parts += _missing(lacking) if lacking else []
    not_there = absent(results)
    parts += [f"**{not_there.heading}**:", _bullets(not_there)] if not_there else []
    for section in notes:
        within = _interval_grid(table, header[len(FACT_COLUMNS) :]) if section.heading == intervals.HEADING else ()
        parts += [f"## {section.heading}", *within, _bullets(section)]
    parts += [f"[{card_pages.LINK}]({card_pages.MARKDOWN})", *_differences(results, table), *_claims(results, findings)]
    parts += _published(results, table)
    measured = quality.quality_rows(results)
    if measured:
        parts += [f"## {quality.HEADING}", grid(quality.COLUMNS, measured, (0,)), quality.EXPLANATION]
    return "\n\n".join(parts) + "\n"


def _identities(results: Results) -> Iterator[tuple[str, str]]:
    """Yield heading and metric identity of the columns with a short name."""
    for (_, metric), label in zip(results.columns(), results.labels(), strict=True):
        if not label.endswith(metric):
            yield label, metric


def _interval_grid(table: Table, columns: Sequence[str]) -> Iterator[str]:
    """Yield the limits in a table of their own, nothing where there are none at all."""
    if any(cell.interval for row in table.rows for cell in row.cells):
        rows = [[row.facts[0], *map(_limits, row.cells)] for row in table.rows]
        yield grid((FACT_COLUMNS[0], *columns), rows, (0,))


def _limits(cell: TableCell) -> str:
    text = cell_text(cell)
    return text.limits or ("none" if cell.summary else text.value)


def _marked(cell: TableCell) -> str:
    text = cell_text(cell)
    return f"**{text.number}** {text.letters}" if text.winner else str(text)


def _differences(results: Results, table: Table) -> Iterator[str]:
    if len(table.rows) > 1:
        yield f"## {escaped(differences.heading(results))}"
        rows = differences.difference_rows(results, table)
        if rows:
            yield grid(differences.COLUMNS, rows, differences.TEXT_COLUMNS)
        yield _bullets(Section("", tuple(differences.difference_notes(results, table))))


def _claims(results: Results, findings: Sequence[Finding]) -> Iterator[str]:
    if findings and results.matrix.claims:
        yield f"## {claims.HEADING}"
        yield claims.summary(findings)
        yield grid(claims.COLUMNS, claims.claims_rows(findings), claims.TEXT_COLUMNS)
        yield _bullets(Section("", tuple(claims.claims_notes(results.matrix.claims, findings))))


def _published(results: Results, table: Table) -> Iterator[str]:
    rows = published.published_rows(results, table)
    if rows:
        yield f"## {published.HEADING}"
        yield grid(published.COLUMNS, rows, published.TEXT_COLUMNS)
        yield _bullets(Section("", tuple(published.published_notes(results))))


def _bullets(section: Section) -> str:
    lines = [f"**{escaped(about)}**: {escaped(text)}" if about else escaped(text) for about, text in section.items]
    return "\n".join(f"- {line}" for line in lines)


def _missing(lacking: Missing) -> Iterator[str]:
    fence = "``" if "`" in lacking.command else "`"
    yield f"**{lacking.headline}**; to run what is missing: {fence}{lacking.command}{fence}"
    yield _bullets(Section("", lacking.reasons))


def _numbers(cells: Iterable[TableCell]) -> Iterable[Any]:
    for cell in cells:
        summary = cell.summary
        yield from (None, None) if summary is None else (summary.mean, summary.sd)
        yield from (None, None) if cell.interval is None else (cell.interval.low, cell.interval.high)
        yield from cell.values


def _failure(cells: Iterable[TableCell]) -> str:
    return next((cell.failure for cell in cells if cell.failure), "")
