"""Own the checks of orders and of numbers that stand in texts: which printed difference can they mean?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from faceassay.audit.comparisons import GREATER, LESS, sign_of
from faceassay.audit.findings import Finding, digits
from faceassay.audit.model import Quantity, Remark
from faceassay.audit.reading import Audited
from faceassay.audit.rounded import Rounded, relative_gain, rounded
from faceassay.audit.tables import Row


def statement_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each number of a text what it may mean, and whether that is the number."""
    for statement in audited.spec.statements:
        says = rounded(statement.says)
        for quantity in statement.means:
            size, of = measured(quantity, audited)
            agrees = says is not None and says.meets(size)
            yield Finding(
                "statement", statement.where, statement.text, quantity.name, statement.says, digits(size.value), "",
                "can be meant" if agrees else "is another number", of,
            )  # fmt: skip


def measured(quantity: Quantity, audited: Audited) -> tuple[Rounded, str]:
    """Return the largest or smallest gain that a quantity speaks of, and which row and column have it."""
    table = audited.tables[quantity.table]
    over = table.rows[quantity.over]
    rows = [table.rows[name] for name in quantity.rows or table.rows if name != quantity.over]
    columns = quantity.columns or [name for name in over.numbers if name in audited.spec.metrics]
    gains = [(_gain(row, over, column, quantity.relative), row, column) for row in rows for column in columns]
    pick = max if quantity.pick == "largest" else min
    size, row, column = pick(gains, key=lambda gain: gain[0].value)
    return size, f"{row.name}, {column}: {row.printed[column]} and {over.printed[column]}"


def _gain(row: Row, over: Row, column: str, relative: bool) -> Rounded:
    own, other = row.numbers[column], over.numbers[column]
    return relative_gain(own, other) if relative else own - other


def order_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each metric how many pairs of rows it orders otherwise than the average does, and its best row."""
    for order in audited.spec.orders:
        table = audited.tables[order.table]
        rows = [table.rows[name] for name in order.rows or table.rows]
        best = max(rows, key=lambda row: row.numbers[order.by].value)
        for column in (name for name in table.metrics if name != order.by and all(name in r.numbers for r in rows)):
            reversed_, decided = reversals(rows, column, order.by)
            own = max(rows, key=lambda row: row.numbers[column].value)
            verdict = f"{reversed_} of {decided} pairs reversed"
            told = f"best: {own.name} ({own.printed[column]}); best by {order.by}: {best.name} ({best.printed[column]})"
            yield Finding("order", order.table, "", column, "", "", "", verdict, told)


def reversals(rows: list[Row], column: str, by: str) -> tuple[int, int]:
    """Return how many pairs of rows two columns order otherwise, and how many both order in spite of rounding."""
    signs = [(sign_of(a.numbers[column] - b.numbers[column]), sign_of(a.numbers[by] - b.numbers[by]))
             for a, b in combinations(rows, 2)]  # fmt: skip
    decided = [pair for pair in signs if {*pair} <= {GREATER, LESS}]
    return sum(one != other for one, other in decided), len(decided)


def remark_findings(audited: Audited) -> Iterator[Finding]:
    """Yield what a reader found and what cannot be checked."""
    yield from (_remark("reading", remark) for remark in audited.spec.remarks)
    yield from (_remark("not checked", remark) for remark in audited.spec.unchecked)


def _remark(check: str, remark: Remark) -> Finding:
    return Finding(check, remark.where, detail=remark.text)
