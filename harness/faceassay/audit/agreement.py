"""Own what rows of several tables say of one set: quotations, spreads between recipes, rows that are too alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from faceassay.audit.findings import Finding, digits
from faceassay.audit.model import Gain, SetEntry
from faceassay.audit.reading import Audited
from faceassay.audit.rounded import Rounded, is_share
from faceassay.audit.tables import Row

ALIKE = 3
"""Numbers that two rows must share to count as alike; fewer agree by chance."""
AGREE, DIFFER = "agree", "differ"
AVERAGE, BENCHMARK = "of averages", "of one benchmark"
"""What a spread between recipes is of."""


def quotation_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each recipe that several rows print: do they print the same numbers?"""
    for group in audited.spec.sets:
        for recipe in group.recipes:
            rows = [audited.row(reference) for reference in recipe.rows]
            if len(rows) > 1:
                yield from _quoted(f"{group.name}: {recipe.name}", rows)


def _quoted(name: str, rows: Sequence[Row]) -> Iterator[Finding]:
    differing = [column for column in _columns(rows) if len(_values(rows, column)) > 1]
    for column in differing:
        values = _values(rows, column)
        apart = max(values) - min(values)
        told = "; ".join(f"{row.printed[column]} in {row.table}" for row in rows if column in row.numbers)
        yield Finding("quotation", name, "", column, told, "", digits(apart), DIFFER)
    if not differing:
        tables = ", ".join(dict.fromkeys(row.table for row in rows))
        yield Finding("quotation", name, "", "all shared", "", "", "0.00", AGREE, f"in {tables}")


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns that more than one of the rows has."""
    names = dict.fromkeys(name for row in rows for name in row.numbers)
    return [name for name in names if sum(name in row.numbers for row in rows) > 1]


def _values(rows: Sequence[Row], column: str) -> set[Fraction]:
    return {row.numbers[column].value for row in rows if column in row.numbers}


def spread_between(group: SetEntry, column: str, audited: Audited) -> tuple[Rounded, str] | None:
    """Return how far the recipes of a set lie apart in a column, and the numbers; None for fewer than two."""
    found: list[tuple[Rounded, str]] = []
    for recipe in group.recipes:
        row = next((r for r in map(audited.row, recipe.rows) if column in r.numbers), None)
        if row is not None:
            found.append((row.numbers[column], f"{row.printed[column]} {recipe.name}"))
    if len(found) < 2:
        return None
    numbers = [number for number, _ in found]
    highest, lowest = max(numbers, key=lambda n: n.value), min(numbers, key=lambda n: n.value)
    return highest - lowest, "; ".join(text for _, text in found)


def recipe_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each set and column how far trainings on nominally the same data lie apart."""
    for group in audited.spec.sets:
        rows = [audited.row(reference) for recipe in group.recipes for reference in recipe.rows]
        for column in dict.fromkeys(name for row in rows for name in row.numbers):
            spread = spread_between(group, column, audited)
            if spread is not None:
                kind = BENCHMARK if column in audited.spec.metrics else AVERAGE
                yield Finding("recipes", group.name, "", column, spread[1], "", digits(spread[0].value), kind)


def gain_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each claimed gain the sets whose recipes lie farther apart than it."""
    for gain in audited.spec.gains:
        better, than = audited.row(gain.better), audited.row(gain.than)
        yield _gain(gain, better, than, _larger(gain, better.numbers[gain.column] - than.numbers[gain.column], audited))


def _larger(gain: Gain, difference: Rounded, audited: Audited) -> list[str]:
    spreads = ((group.name, spread_between(group, gain.column, audited)) for group in audited.spec.sets)
    return [f"{name} ({digits(s[0].value)})" for name, s in spreads if s and s[0].low > difference.high]


def _gain(gain: Gain, better: Row, than: Row, larger: Sequence[str]) -> Finding:
    difference = better.numbers[gain.column] - than.numbers[gain.column]
    verdict = f"smaller than {len(larger)} of these spreads" if larger else "larger than every spread"
    return Finding(
        "gain", gain.where, f"{better.name} over {than.name}", gain.column, better.printed[gain.column],
        than.printed[gain.column], digits(difference.value, sign=True), verdict, ", ".join(larger),
    )  # fmt: skip


def alike_findings(audited: Audited) -> Iterator[Finding]:
    """Yield rows that share numbers though nobody says that they are the same."""
    same = [[tuple(row) for row in recipe.rows] for group in audited.spec.sets for recipe in group.recipes]
    rows = [row for table in audited.tables.values() for row in table.rows.values()]
    for one, other in combinations(rows, 2):
        keys = (one.table, one.name), (other.table, other.name)
        if any(keys[0] in recipe and keys[1] in recipe for recipe in same):
            continue
        both = [column for column in one.numbers if column in other.numbers]
        equal = [column for column in both if one.numbers[column].value == other.numbers[column].value]
        if len(equal) >= ALIKE:
            yield Finding(
                "alike", str(one), str(other), ", ".join(equal), ", ".join(one.printed[column] for column in equal), "",
                "", f"{len(equal)} of {len(both)} shared numbers are the same", "",
            )  # fmt: skip


def share_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each table the accuracies that no single run can have: no whole number of pairs gives them."""
    pairs = {name: metric.pairs for name, metric in audited.spec.metrics.items() if metric.pairs}
    for name, table in audited.tables.items():
        checked = [(row, column) for row in table.rows.values() for column in pairs if column in row.numbers]
        broken = [f"{row.name} {column} {row.printed[column]}" for row, column in _no_share(checked, pairs)]
        if checked:
            verdict = f"{len(broken)} of {len(checked)} are no share of the pairs"
            yield Finding("share", name, "", ", ".join(pairs), "", "", "", verdict, "; ".join(broken))


def _no_share(checked: Sequence[tuple[Row, str]], pairs: Mapping[str, int | None]) -> Iterator[tuple[Row, str]]:
    for row, column in checked:
        count = pairs[column]
        if count is not None and not is_share(row.numbers[column], count):
            yield row, column
