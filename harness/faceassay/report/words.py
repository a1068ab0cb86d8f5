"""Own the words in and around the table, the same in Markdown and HTML: title, numbers, short names of columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faceassay.contracts import Fact, Interval
from faceassay.results import Results
from faceassay.table import TableCell


@dataclass(frozen=True)
class CellText:
    """Hold what the table shows of a cell, in parts that a renderer may set apart.

    Attributes:
        value: the mean in percent, or ``failed``, ``not run`` or ``absent``.
        spread: the standard deviation in percent, empty where there is none.
        mark: how many seeds the mean is of, empty where it is all of them.
        reason: why a seed has no number, empty where all have.
        limits: of the interval in percent, empty where there is none.
        basis: what the limits are of.
        letters: rows of a column that share one are not separable; empty where nothing can be separated.
        winner: whether the row is better than every other one.
    """

    value: str
    spread: str = ""
    mark: str = ""
    reason: str = ""
    limits: str = ""
    basis: str = ""
    letters: str = ""
    winner: bool = False

    def __str__(self) -> str:
        return self.number + (f" ({self.mark})" if self.mark else "") + (f" {self.letters}" if self.letters else "")

    @property
    def number(self) -> str:
        """The mean with its spread: what is bold where the row is better than every other one."""
        return self.value + (f" ± {self.spread}" if self.spread else "")


def title(results: Results) -> str:
    """Return the report's title."""
    spec = results.matrix.spec
    profile = f" (profile {results.matrix.profile})" if results.matrix.profile else ""
    return (spec.title or spec.name) + profile


def extent(results: Results) -> str:
    """Return the size of the matrix in words."""
    spec = results.matrix.spec
    counts = ((len(spec.methods), "method"), (len(spec.benchmarks), "benchmark"), (len(spec.seeds), "seed"))
    return ", ".join(counted(count, noun) for count, noun in counts)


MIXES_UNITS = "†"
"""Mark of a column that averages unlike metrics."""


def headings(results: Results) -> list[str]:
    """Return the headings of the columns with numbers, averages last."""
    averages = results.matrix.averages
    return [*results.labels(), *(f"{a.name} {MIXES_UNITS}" if a.entry.mixes_units else a.name for a in averages)]


def percent(value: float) -> str:
    """Return a fraction as percent with two decimals."""
    return f"{100 * value:.2f}"


def points(difference: float) -> str:
    """Return a difference of fractions in percentage points with its sign: ``+1.20``, ``-0.35``, ``0.00``."""
    text = f"{100 * difference:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def reach(difference: float | None) -> str:
    """Return a detectable difference in percentage points: ``1.52``, ``over 100``, ``unknown``."""
    if difference is None:
        return "unknown"
    return "over 100" if difference > 1 else percent(difference)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 seed``, ``4,200,000 images``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(methods: Iterable[str]) -> str:
    """Return names of methods as one text, each once; the names themselves may hold commas."""
    return "; ".join(dict.fromkeys(methods))


def fact(value: Fact) -> str:
    """Return a noted fact for people: whole numbers in groups of three digits, fractions with four digits."""
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def cell_text(cell: TableCell) -> CellText:
    """Return what the table shows for a cell: percent, mean and spread, or that it failed."""
    reason = cell.failure or ""
    if cell.summary is None:
        return CellText(reason.partition(":")[0], reason=reason)
    spread = "" if cell.summary.sd is None else percent(cell.summary.sd)
    mark = f"{cell.summary.n} of {len(cell.values)} seeds" if reason else ""
    shown = ("", "") if cell.interval is None else (limits(cell.interval), basis(cell.interval))
    return CellText(percent(cell.summary.mean), spread, mark, reason, *shown, cell.letters, cell.winner)


def limits(interval: Interval) -> str:
    """Return the limits in percent: ``76.12 to 79.80``."""
    return f"{percent(interval.low)} to {percent(interval.high)}"


def basis(interval: Interval) -> str:
    """Return what limits are of: ``95 % limits over identities (percentile bootstrap, 1000 replicates)``."""
    return f"{100 * interval.level:g} % limits over {interval.population} ({interval.method})"
