"""Own ``table.tex``: the table as LaTeX to be input by a paper, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceassay.report import published
from faceassay.report.notes import absent, averages_section, missing
from faceassay.report.words import cell_text, extent, headings, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table

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
    rows = [[*map(str, row.facts), *(str(cell_text(cell)) for cell in row.cells)] for row in table.rows]
    parts = [HEAD, f"% {_comment(title(results))}: {_comment(extent(results))}.", _tabular(header, rows, TEXT_COLUMNS)]
    parts += _footnotes(_about_table(results))
    compared = published.published_rows(results, table)
    if compared:
        parts += [f"% {published.HEADING}", _tabular(published.COLUMNS, compared, published.TEXT_COLUMNS)]
        parts += _footnotes(published.published_notes(results))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return ``text`` so that LaTeX prints it and takes none of it for a command."""
    return text.translate(_ESCAPES)


def _about_table(results: Results) -> Iterator[tuple[str, str]]:
    yield "", "Percent; the number after ± is the sample standard deviation over seeds."
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
    head, *body = (" & ".join(map(escaped, row)) + r" \\" for row in [header, *rows])
    columns = "".join("l" if align == "left" else "r" for align in published.alignment(texts, len(header)))
    begin = f"\\begin{{tabular}}{{{columns}}}"
    lines = [begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines)


def _comment(text: str) -> str:
    return " ".join(text.split())
