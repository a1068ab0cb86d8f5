"""Own ``table.tex``: the table as LaTeX to be input by a paper, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from faceassay.report import published
from faceassay.report.differences import verdict_line
from faceassay.report.notes import absent, averages_section, missing
from faceassay.report.words import cell_text, extent, headings, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table, TableCell

HEAD = """\
% Written by faceassay: input it where the table belongs, under \\usepackage{booktabs}, in a document of UTF-8."""
TEXT_COLUMNS = (0, 1, 2)
_ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # after the end of a row, a bracket or a star would belong to it
        "*": "{*}",
        "±": r"\(\pm\)",
        "†": r"\(\dagger\)",
        "\n": " ",
        "\r": " ",
    }
)


def latex(results: Results, table: Table) -> str:
    """Return the comparison table, then the published numbers beside ours, each with its footnotes."""
    header = [*FACT_COLUMNS, *headings(results)]
    rows = [[*(escaped(str(fact)) for fact in row.facts), *map(_marked, row.cells)] for row in table.rows]
    parts = [HEAD, f"% {_comment(title(results))}: {_comment(extent(results))}.", _tabular(header, rows, TEXT_COLUMNS)]
    parts += _footnotes(_about_table(results, table))
    compared = published.published_rows(results, table)
    if compared:
        cells = [list(map(escaped, row)) for row in compared]
        parts += [f"% {published.HEADING}", _tabular(published.COLUMNS, cells, published.TEXT_COLUMNS)]
        parts += _footnotes(published.published_notes(results))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return ``text`` so that LaTeX prints it and takes none of it for a command."""
    return text.translate(_ESCAPES)


def _marked(cell: TableCell) -> str:
    """Return a cell for LaTeX: bold where it is better than every other row, its letters raised."""
    text = cell_text(cell)
    shown = f"\\textbf{{{escaped(text.number)}}}" if text.winner else escaped(str(replace(text, letters="")))
    return shown + (f"\\textsuperscript{{{text.letters}}}" if text.letters else "")


def _about_table(results: Results, table: Table) -> Iterator[tuple[str, str]]:
    yield "", "Percent; the number after ± is the sample standard deviation over seeds."
    yield "", verdict_line(table)
    yield from averages_section(results).items
    lacking, not_there = missing(results), absent(results)
    if lacking:
        yield "", f"{lacking.headline}."
    if not_there:
        yield "", f"{not_there.heading}."


def _footnotes(items: Iterator[tuple[str, str]]) -> Iterator[str]:
    lines = [f"{escaped(about)}: {escaped(text)}" if about else escaped(text) for about, text in items]
    yield "\\par\\smallskip{\\footnotesize\n" + "\\\\\n".join(lines) + "\\par}"


def _tabular(header: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int]) -> str:
    """Return a table; the header is escaped here, the cells are LaTeX."""
    head, *body = (" & ".join(row) + r" \\" for row in [[*map(escaped, header)], *rows])
    columns = "".join("l" if align == "left" else "r" for align in published.alignment(texts, len(header)))
    begin = f"\\begin{{tabular}}{{{columns}}}"
    lines = [begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines)


def _comment(text: str) -> str:
    return " ".join(text.split())
