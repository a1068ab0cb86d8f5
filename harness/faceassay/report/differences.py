"""Own the words about differences from the baseline row, for Markdown and HTML, and their CSV. Computes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Any

from faceassay.inference import FEWEST_SEEDS, Effect, too_few
from faceassay.paired import generators_read
from faceassay.report.plain import as_csv
from faceassay.report.words import headings, joined, points, reach
from faceassay.results import Results
from faceassay.standings import LEVEL, POWER, Standing
from faceassay.table import Table

COLUMNS = ("Column", "Method", "Difference", "95 % limits", "p (Holm)", "Verdict", "Seeds", "Detectable")
TEXT_COLUMNS = (0, 1, 5)
CSV = "differences.csv"
CSV_COLUMNS = (
    "column", "method", "against", "difference", "low", "high", "p", "p holm", "verdict", "seeds", "generators",
    "degrees", "standard error", "people variance", "seeds variance", "generators variance", "detectable", "reason",
)  # fmt: skip
DIGITS = 10
"""Significant digits of the CSV: the last bits of what is computed from variances depend on the processor."""


def heading(results: Results) -> str:
    """Return the heading of the section."""
    return f"Differences from {results.matrix.baseline}"


def difference_rows(results: Results, table: Table) -> list[tuple[str, ...]]:
    """Return one line for each column and row; none where no row can have a verdict, for want of seeds."""
    if len(table.seeds) < FEWEST_SEEDS:
        return []
    columns = zip(headings(results), table.standings, strict=True)
    return [difference_row(label, standing) for label, column in columns for standing in column.standings]


def difference_notes(results: Results, table: Table) -> Iterator[tuple[str, str]]:
    """Yield (about, text): what the differences are, what could have been found, why some have no verdict."""
    if len(table.seeds) < FEWEST_SEEDS:
        yield "", f"{_capital(too_few(len(table.seeds)))}. What the seeds give is in `{CSV}`."
        if any(column.detectable for column in table.standings):
            yield f"Detectable with {_percent(POWER)} power, in points", "; ".join(_detectable(results, table))
    else:
        yield from explained(results)
    yield from _inconclusive(results, table)


def verdict_line(table: Table) -> str:
    """Say how the table marks what is separable, or why it marks nothing."""
    if len(table.seeds) < FEWEST_SEEDS:
        return f"No winner is marked ({too_few(len(table.seeds))})."
    return (
        "Rows of a column that share a letter are not separable (all pairs of rows, paired by seed and by people, "
        f"Holm, {_percent(LEVEL)}); bold is what is better than every other row."
    )


def differences_csv(table: Table) -> str:
    """Return the differences as CSV, fractions: one line for each column and row, verdict or not."""
    return standings_csv(standing for column in table.standings for standing in column.standings)


def standings_csv(standings: Iterable[Standing]) -> str:
    """Return the same of standings that are in no table."""
    return as_csv(CSV_COLUMNS, [list(map(_rounded, _numbers(standing))) for standing in standings])


def difference_row(label: str, standing: Standing) -> tuple[str, ...]:
    """Return the line of one column and row."""
    difference = standing.difference
    name, verdict, seeds = difference.method, standing.verdict, str(len(difference.values))
    found = reach(standing.detectable)
    if difference.effect is None or standing.p is None:
        return label, name, "", "", "", verdict, seeds, found
    limits = " to ".join(map(points, difference.effect.interval()))
    p = f"{standing.p:.3f}" if standing.p >= 0.001 else f"{standing.p:.0e}"
    return label, name, points(difference.effect.mean), limits, p, verdict, seeds, found


def explained(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (column, what it says)."""
    baseline = results.matrix.baseline
    yield "Difference", f"percentage points, the row minus {baseline}; a larger number counts as better"
    yield (
        "95 % limits",
        (
            "paired by seed and by the draws that the section Intervals names: Student's t with the variance over the "
            "draws plus that over seeds, and as many degrees of freedom as seeds (of several, generators) less one"
            + _condition(results)
        ),
    )
    yield "p (Holm)", "two-sided, adjusted for all rows of the column; a row that is inconclusive counts with p = 1"
    yield (
        "Detectable",
        (
            f"the difference that such a run finds with {_percent(POWER)} power in one two-sided test at "
            f"{_percent(LEVEL)}, from the variances that this one estimates"
        ),
    )
    yield (
        "Where limits are off",
        (
            "too wide where rows differ on other people at each seed, or few seeds vary less than people do; too "
            "narrow where few people are drawn, or pairs in their place, and in an average of benchmarks that show the "
            "same people: these are drawn for each apart"
        ),
    )


def _condition(results: Results) -> str:
    """Say that limits cover no other training of the generator, where all seeds read one."""
    matrix, graph = results.matrix, results.graph
    read = [{*(generators_read(matrix, graph, row.name, matrix.baseline) or ())} for row in matrix.methods]
    return "; conditional on one training of each generator" if any(len(of) == 1 for of in read) else ""


def _detectable(results: Results, table: Table) -> Iterator[str]:
    """Yield for each column the median over the rows of what could have been found."""
    for label, column in zip(headings(results), table.standings, strict=True):
        yield f"{label}: {reach(column.detectable)}"


def _inconclusive(results: Results, table: Table) -> Iterator[tuple[str, str]]:
    """Yield (rows, why they have no verdict), each reason once; what failed and want of seeds are said elsewhere."""
    failures = {result.failure for result in results.cells}
    rows: dict[str, list[str]] = {}
    for standing in (standing for column in table.standings for standing in column.standings):
        reason = standing.difference.reason
        if reason in failures:
            reason = f"a seed of the row or of {results.matrix.baseline} is lacking"
        if reason and reason != too_few(len(table.seeds)):
            rows.setdefault(reason, []).append(standing.difference.method)
    yield from ((f"Inconclusive, {joined(names)}", reason) for reason, names in rows.items())


def _numbers(standing: Standing) -> Iterable[Any]:
    difference = standing.difference
    known = [value for value in difference.values if value is not None]
    yield from (difference.column, difference.method, difference.against)
    yield fmean(known) if known and len(known) == len(difference.values) else None
    yield from difference.effect.interval() if difference.effect else (None, None)
    yield from (difference.effect.p_different(), standing.p) if difference.effect else (None, None)
    yield from (standing.verdict, len(difference.values))
    yield from _variances(difference.estimate)
    yield from (standing.detectable, difference.reason)


def _variances(estimate: Effect | None) -> Iterable[float | None]:
    if estimate is None:
        return (None,) * 6
    return (
        estimate.generators_used,
        estimate.degrees,
        estimate.standard_error,
        estimate.people,
        estimate.seeds,
        estimate.generators,
    )


def _rounded(value: Any) -> Any:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
