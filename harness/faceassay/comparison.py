"""Own the comparison of our numbers with published ones: the difference, and a verdict where one can be given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faceassay.results import Results
from faceassay.spec.published import Published, PublishedValue
from faceassay.table import Table, TableCell

SPREADS = 2
"""Standard deviations over seeds within which a published number counts as ours where there is no interval."""
OTHER_DATA = "not comparable: other data"
LEFT_OPEN = "not comparable: the paper does not state all that matters"
NO_NUMBER = "no number of ours"
NO_SPREAD = "no spread of ours to judge by"


@dataclass(frozen=True)
class Compared:
    """Hold a published number and ours.

    Attributes:
        published: the number.
        ours: the cell of the table, None where this matrix has no such column.
        difference: ours minus published, as a fraction; None where there is no number of ours.
        verdict: whether the published number lies within what ours leaves open, or why nobody can say.
    """

    published: PublishedValue
    ours: TableCell | None
    difference: float | None
    verdict: str


def compare(results: Results, table: Table) -> Iterator[Compared]:
    """Yield the published numbers of the rows of the table, in the order of the file."""
    published, matrix = results.matrix.published, results.matrix
    if published is None:
        return
    labels = [*results.labels(), *(average.name for average in matrix.averages)]
    cells = {(row.facts[0], label): cell for row in table.rows for label, cell in zip(labels, row.cells, strict=True)}
    rows, why_not = {row.facts[0] for row in table.rows}, incomparable(published, matrix.profile)
    for value in published.values:
        if value.row in rows:
            ours = cells.get((value.row, value.column))
            mean = ours.summary.mean if ours and ours.summary else None
            difference = None if mean is None else mean - value.value
            yield Compared(value, ours, difference, why_not or verdict(ours, value))


def incomparable(published: Published, profile: str | None) -> str:
    """Return why no number of a profile can be compared with the published ones; empty where it can."""
    entry = published.entry
    if profile != entry.comparable_in:
        return OTHER_DATA
    return LEFT_OPEN if entry.unstated else ""


def verdict(ours: TableCell | None, value: PublishedValue) -> str:
    """Say whether a published number, as it was rounded, lies within our interval or else our spread over seeds."""
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
