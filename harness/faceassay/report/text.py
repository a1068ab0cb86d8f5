"""Own the plain renderings: CSV for programs, Markdown for people. Numbers come ready from the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from tabulate import tabulate

from faceassay.report.words import footnotes, percent, quality_rows, shown, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table, TableCell

COST_COLUMNS = (
    "kind", "title", "plugin", "key", "unit", "work", "seconds", "attempts", "device", "threads", "workers",
    "network_evaluations", "peak_memory_bytes", "finished", "processor",
)  # fmt: skip


def table_csv(table: Table) -> str:
    """Return the table as CSV: fractions with all digits, mean, spread and each seed's value."""
    header: list[str] = list(FACT_COLUMNS)
    for benchmark, metric in table.columns:
        seeds = [f"{benchmark}/{metric} seed={seed}" for seed in table.seeds]
        header += [f"{benchmark}/{metric} mean", f"{benchmark}/{metric} sd over seeds", *seeds]
    header.append("failure")
    rows = ([*row.facts, *_numbers(row.cells), _failure(row.cells)] for row in table.rows)
    return _csv(header, rows)


def cost_csv(results: Results) -> str:
    """Return what every finished stage cost, one line each."""
    rows = []
    for stage, record in results.costs():
        cost = record["cost"]
        facts = {**cost, "kind": stage.kind, "title": stage.title, "plugin": stage.plugin.name, "key": stage.digest}
        rows.append([{**facts, "processor": record["environment"]["processor"]}[name] for name in COST_COLUMNS])
    return _csv(COST_COLUMNS, rows)


def markdown(results: Results, table: Table) -> str:
    """Return the table with its footnotes as Markdown."""
    header = [*FACT_COLUMNS, *(f"{benchmark} {metric}" for benchmark, metric in table.columns)]
    rows = [[*row.facts, *(shown(cell) for cell in row.cells)] for row in table.rows]
    text = tabulate([list(map(_escaped, row)) for row in rows], header, tablefmt="github", disable_numparse=True)
    parts = [f"# {title(results)}", text, "\n".join(f"- {line}" for line in footnotes(results, table))]
    measured = quality_rows(results)
    if measured:
        parts.append("## The synthetic images, measured\n\n" + _quality(measured))
    return "\n\n".join(parts) + "\n"


def _quality(rows: Sequence[Sequence[str]]) -> str:
    header = [
        "Method", "Seed", "Images", "Face found, synthetic", "Face found, real",
        "Nearest training image, median (5 % quantile)", "The same among real images",
    ]  # fmt: skip
    table = tabulate([list(map(_escaped, row)) for row in rows], header, tablefmt="github", disable_numparse=True)
    explained = (
        "Shares with their 95 % Wilson interval over images. Distances are root mean square differences in grey "
        "levels (0 to 255); a synthetic image much nearer to a training image than real images are to one another "
        "would be a copy."
    )
    return f"{table}\n\n{explained}"


def _numbers(cells: Iterable[TableCell]) -> Iterable[Any]:
    for cell in cells:
        summary = cell.summary
        yield from (None, None) if summary is None else (summary.mean, summary.sd)
        yield from cell.values


def _failure(cells: Iterable[TableCell]) -> str:
    return next((cell.failure for cell in cells if cell.failure), "")


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def _escaped(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


__all__ = ["cost_csv", "markdown", "percent", "table_csv"]
