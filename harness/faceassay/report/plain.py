"""Own the plain shapes of a report: Markdown tables, escaped text, CSV. What is in them is others' business."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from tabulate import tabulate

from faceassay.report import published

_ESCAPES = str.maketrans({"|": "\\|", "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " "})


def grid(header: Sequence[str], rows: Iterable[Iterable[Any]], texts: Sequence[int]) -> str:
    """Return a Markdown table; the columns ``texts`` are words, aligned to the left."""
    cells = [[escaped(value) for value in row] for row in rows]
    align = published.alignment(texts, len(header))
    return tabulate(cells, header, tablefmt="pipe", disable_numparse=True, colalign=align)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV with one kind of line end everywhere."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def escaped(value: Any) -> str:
    """Return ``value`` as text that is no markup in Markdown."""
    return str(value).translate(_ESCAPES).replace("](", "]\\(")
