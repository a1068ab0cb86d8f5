"""Own the words of the table of published numbers beside ours, the same in Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceassay.comparison import Compared, compare
from faceassay.report.words import cell_text, joined, percent
from faceassay.results import Results
from faceassay.table import Table

HEADING = "Published beside ours"
COLUMNS = ("Method", "Column", "Ours", "Published", "Difference", "Verdict")
TEXT_COLUMNS = (0, 1, 5)
"""Which of the columns are words, not numbers."""
NOT_MEASURED = "not measured"


def published_rows(results: Results, table: Table) -> list[tuple[str, ...]]:
    """Return a line for each published number of a row of the table."""
    return [_line(compared) for compared in compare(results, table)]


def published_notes(results: Results) -> Iterator[tuple[str, str]]:
    """Yield where the numbers are from, then (rows, what their reader must know)."""
    published, rows = results.matrix.published, [method.name for method in results.matrix.methods]
    values = published.values if published else ()
    sources = joined(value.source for value in values)
    yield "", f"Published: in percent, as {sources} prints it. Difference: ours minus published, in percentage points."
    if published and published.entry.unstated:
        yield (
            "",
            f"Not stated there: {', '.join(published.entry.unstated)}; so no verdict is given at the paper's scale.",
        )
    left_out = joined(value.row for value in values if value.row not in rows)
    if left_out:
        yield "", f"Rows with published numbers that this profile leaves out: {left_out}."
    notes: dict[str, list[str]] = {}
    for value in values:
        if value.note and value.row in rows:
            notes.setdefault(value.note, []).append(value.row)
    yield from ((joined(names), note) for note, names in notes.items())


def _line(compared: Compared) -> tuple[str, ...]:
    value, ours = compared.published, compared.ours
    difference = "" if compared.difference is None else f"{100 * compared.difference:+.2f}"
    shown = str(cell_text(ours)) if ours else NOT_MEASURED
    return value.row, value.column, shown, percent(value.value), difference, compared.verdict


def alignment(texts: Sequence[int], columns: int) -> list[str]:
    """Return how each of ``columns`` columns is aligned."""
    return ["left" if place in texts else "right" for place in range(columns)]
