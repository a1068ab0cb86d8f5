"""Own the words of the table of published numbers beside ours, the same in Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from faceassay.comparison import Compared, compare
from faceassay.report.words import cell_text, joined
from faceassay.results import Results
from faceassay.spec.published import Published, PublishedValue
from faceassay.table import Table

HEADING = "Published beside ours"
COLUMNS = ("Method", "Column", "Ours", "Published", "Difference", "Verdict")
TEXT_COLUMNS = (0, 1, 5)
"""Which of the columns are words, not numbers."""
NOT_MEASURED = "not measured"


def published_rows(results: Results, table: Table) -> list[tuple[str, ...]]:
    """Return a line for each row and column with published numbers, those of several sources side by side."""
    marks = _marks(results.matrix.published)
    return [_line(compared, marks) for compared in compare(results, table)]


def published_notes(results: Results) -> Iterator[tuple[str, str]]:
    """Yield where the numbers are from, then (rows, what their reader must know)."""
    published, rows = results.matrix.published, [method.name for method in results.matrix.methods]
    if published is None:
        return
    yield from _about(published)
    left_out = joined(value.row for value in published.values if value.row not in rows)
    if left_out:
        yield "", f"Rows with published numbers that this profile leaves out: {left_out}."
    yield from _remarks([value for value in published.values if value.row in rows], _marks(published))


def _remarks(values: Sequence[PublishedValue], marks: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (rows, note), each note once; of a row that it is not about as a whole, the columns are named too."""
    printed = Counter((value.row, value.source) for value in values)
    alike = Counter((value.row, value.source, value.note) for value in values)
    notes: dict[str, list[str]] = {}
    for value in (value for value in values if value.note):
        whole = alike[value.row, value.source, value.note] == printed[value.row, value.source]
        text = value.row if whole else f"{value.row}, {value.column}"
        notes.setdefault(value.note, []).append(_marked(text, marks.get(value.source, "")))
    yield from ((joined(names), note) for note, names in notes.items())


def _about(published: Published) -> Iterator[tuple[str, str]]:
    marks = _marks(published)
    sources = joined(_marked(source, marks.get(source, "")) for source in published.sources)
    verb = "print them" if marks else "prints it"
    yield "", f"Published: in percent, as {sources} {verb}. Difference: ours minus published, in percentage points."
    if marks:
        yield "", "Different numbers for one row and column stand side by side, their differences in the same order."
    if published.entry.unstated:
        unstated = ", ".join(published.entry.unstated)
        yield "", f"Not stated there: {unstated}; so no verdict is given at the paper's scale."


def _marks(published: Published | None) -> Mapping[str, str]:
    """Return the number that stands for each source, nothing where there is one source only."""
    sources = published.sources if published else ()
    return {source: f"[{i}]" for i, source in enumerate(sources, 1)} if len(sources) > 1 else {}


def _marked(text: str, mark: str) -> str:
    return f"{text} {mark}" if mark else text


def _line(compared: Compared, marks: Mapping[str, str]) -> tuple[str, ...]:
    first, numbers = compared.published[0], _numbers(compared.published)
    shown = "; ".join(
        _marked(_digits(values[0]), "".join(marks.get(v.source, "") for v in values)) for values in numbers
    )
    differences = [compared.difference(values[0]) for values in numbers]
    apart = "; ".join(f"{100 * difference:+.2f}" for difference in differences if difference is not None)
    ours = str(cell_text(compared.ours)) if compared.ours else NOT_MEASURED
    return first.row, first.column, ours, shown, apart, compared.verdict


def _numbers(values: Sequence[PublishedValue]) -> list[list[PublishedValue]]:
    """Return the values that are printed, each different number with all sources that print it."""
    numbers: dict[Decimal, list[PublishedValue]] = {}
    for value in values:
        numbers.setdefault(value.printed, []).append(value)
    return list(numbers.values())


def _digits(value: PublishedValue) -> str:
    """Return the number in percent, with no more digits than are printed."""
    return f"{value.printed.scaleb(2):f}"


def alignment(texts: Sequence[int], columns: int) -> list[str]:
    """Return how each of ``columns`` columns is aligned."""
    return ["left" if place in texts else "right" for place in range(columns)]
