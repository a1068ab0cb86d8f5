"""Own the comparison of our numbers with published ones: the difference, and a verdict where one can be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceassay.results import Results
from faceassay.spec.identities import joined_identity
from faceassay.spec.published import Published, PublishedValue
from faceassay.table import Table, TableCell

SPREADS = 2
"""Standard deviations over seeds within which a published number counts as ours where there is no interval."""
NOT_COMPARABLE = "not comparable: "
"""What a verdict begins with that is none; the reasons follow."""
OTHER_DATA = "other data"
RECIPE_LEFT_OPEN = "the paper does not state all that matters"
METRIC_LEFT_OPEN = "the paper does not state how its metric is defined"
OTHER_METRIC = "the metric is defined otherwise"
SOURCES_DIFFER = "the sources print different numbers"
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
    rows = {row.facts[0] for row in table.rows}
    identities = dict(zip(labels, _identities(results), strict=True))
    for (row, column), values in printed.items():
        if row in rows:
            ours, reasons = cells.get((row, column)), list(_reasons(published, matrix.profile))
            reasons += metric_differs(identities[column], values) if column in identities else ()
            yield Compared(tuple(values), ours, not_comparable(*reasons) if reasons else verdict(ours, values))


def not_comparable(*reasons: str) -> str:
    """Return in place of a verdict why there is none; other data are reason enough."""
    return NOT_COMPARABLE + (OTHER_DATA if OTHER_DATA in reasons else "; ".join(reasons))


def _reasons(published: Published, profile: str | None) -> Iterator[str]:
    """Yield why no number of a profile can be compared with the published ones."""
    if profile != published.entry.comparable_in:
        yield OTHER_DATA
    if published.entry.unstated:
        yield RECIPE_LEFT_OPEN


def metric_differs(ours: str, values: Sequence[PublishedValue]) -> Iterator[str]:
    """Yield why published numbers are not of our metric, whose identity is ``ours``; nothing where they are."""
    stated = dict.fromkeys(value.metric for value in values)
    for metric in stated:
        if metric not in (None, ours):
            yield f"{OTHER_METRIC} (paper: {metric}, ours: {ours})"
    if None in stated:
        yield METRIC_LEFT_OPEN


def _identities(results: Results) -> Iterator[str]:
    """Yield the identity of every column, averages last."""
    yield from (metric for _, metric in results.columns())
    yield from (joined_identity(metric for _, metric in average.members) for average in results.matrix.averages)


def verdict(ours: TableCell | None, values: Sequence[PublishedValue]) -> str:
    """Say whether a published number, as it was rounded, lies within our interval or else our spread over seeds.

    Where sources print different numbers for what they give one name, recipes or data differ: none of them is ours.
    """
    value = min(values, key=lambda value: value.rounding)
    if len({other.printed for other in values}) > 1:
        return not_comparable(SOURCES_DIFFER)
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
