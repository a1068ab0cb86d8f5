"""Own the comparison of our numbers with published ones: the difference, and a verdict where one can be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceassay.results import Results
from faceassay.spec.published import Published, PublishedValue
from faceassay.table import Table, TableCell

SPREADS = 2
"""Standard deviations over seeds within which a published number counts as ours where there is no interval."""
OTHER_DATA = "not comparable: other data"
LEFT_OPEN = "not comparable: the paper does not state all that matters"
SOURCES_DIFFER = "not comparable: the sources print different numbers"
NO_NUMBER = "no number of ours"
NO_SPREAD = "no spread of ours to judge by"


@dataclass(frozen=True)
class Compared:
    """Hold what is printed for a row and column, and our number.

    Attributes:
        published: the numbers, one for each source, in the order of the file.
        ours: the cell of the table, None where this matrix has no such column.
        verdict: whether the published number lies within what ours leaves open, or why nobody can say.
    """

    published: tuple[PublishedValue, ...]
    ours: TableCell | None
    verdict: str

    def difference(self, value: PublishedValue) -> float | None:
        """Return ours minus ``value``, as a fraction; None where there is no number of ours."""
        return self.ours.summary.mean - value.value if self.ours and self.ours.summary else None


def compare(results: Results, table: Table) -> Iterator[Compared]:
    """Yield what is printed for the rows of the table, in the order in which the file first names row and column."""
    published, matrix = results.matrix.published, results.matrix
    if published is None:
        return
    labels = [*results.labels(), *(average.name for average in matrix.averages)]
    cells = {(row.facts[0], label): cell for row in table.rows for label, cell in zip(labels, row.cells, strict=True)}
    printed: dict[tuple[str, str], list[PublishedValue]] = {}
    for value in published.values:
        printed.setdefault((value.row, value.column), []).append(value)
    rows, why_not = {row.facts[0] for row in table.rows}, incomparable(published, matrix.profile)
    for (row, column), values in printed.items():
        if row in rows:
            ours = cells.get((row, column))
            yield Compared(tuple(values), ours, why_not or verdict(ours, values))


def incomparable(published: Published, profile: str | None) -> str:
    """Return why no number of a profile can be compared with the published ones; empty where it can."""
    entry = published.entry
    if profile != entry.comparable_in:
        return OTHER_DATA
    return LEFT_OPEN if entry.unstated else ""


def verdict(ours: TableCell | None, values: Sequence[PublishedValue]) -> str:
    """Say whether a published number, as it was rounded, lies within our interval or else our spread over seeds.

    Where sources print different numbers for what they give one name, recipes or data differ: none of them is ours.
    """
    value = min(values, key=lambda value: value.rounding)
    if len({other.printed for other in values}) > 1:
        return SOURCES_DIFFER
    if ours is None or ours.summary is None:
        return NO_NUMBER
    mean, sd = ours.summary.mean, ours.summary.sd
    if ours.interval is not None:
        low, high, what = ours.interval.low, ours.interval.high, "our interval"
    elif sd is not None:
        low, high, what = mean - SPREADS * sd, mean + SPREADS * sd, f"{SPREADS} standard deviations over our seeds"
    else:
        return NO_SPREAD
    inside = low - value.rounding <= value.value <= high + value.rounding
    return f"{'within' if inside else 'outside'} {what}"
