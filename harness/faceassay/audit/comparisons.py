"""Own comparisons of two rows: claims, metric by metric, and whether printed spreads carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from faceassay.audit.findings import Finding, digits
from faceassay.audit.reading import Audited
from faceassay.audit.rounded import Rounded, beyond, rounded
from faceassay.audit.tables import Row

DEVIATIONS = 2
GREATER, LESS, EQUAL, OPEN = "greater", "less", "equal as printed", "open: rounding"
NO_SPREAD = "no spread printed"
ONE_SIDE = " of the one row that has any"
SIGNS = {
    "greater": {GREATER},
    "greater_or_equal": {GREATER, EQUAL},
    "less": {LESS},
}
"""Types of claims that a sign decides."""


@dataclass(frozen=True)
class Compared:
    """Hold one metric of two rows: the difference, its sign, and whether it exceeds the printed spreads."""

    column: str
    difference: Rounded
    sign: str
    carried: str


def sign_of(difference: Rounded) -> str:
    """Say which of two printed numbers is greater, where rounding leaves that in no doubt."""
    if difference.low > 0:
        return GREATER
    if difference.high < 0:
        return LESS
    return EQUAL if difference.value == 0 else OPEN


def spreads_of(row: Row, audited: Audited) -> Mapping[str, Rounded]:
    """Return the standard deviations of a row: its own, or those that stand in for them."""
    own = [borrowed.of for borrowed in audited.spec.borrowed if borrowed.row == [row.table, row.name]]
    return row.spreads or (audited.row(own[0]).spreads if own else {})


def carried(difference: Rounded, spreads: Sequence[Rounded | None]) -> str:
    """Say whether a difference exceeds two standard deviations of it, as far as spreads are printed."""
    known = [spread for spread in spreads if spread is not None]
    if not known:
        return NO_SPREAD
    side = "" if len(known) == len(spreads) else ONE_SIDE
    found = beyond(difference, known, DEVIATIONS)
    return OPEN if found is None else f"{'beyond' if found else 'within'} {DEVIATIONS} sd{side}"


def compared(one: Row, other: Row, audited: Audited) -> list[Compared]:
    """Compare two rows in every metric that both print."""
    first, second = spreads_of(one, audited), spreads_of(other, audited)
    found = []
    for column in (column for column in one.numbers if column in other.numbers):
        difference = one.numbers[column] - other.numbers[column]
        spreads = (first.get(column), second.get(column))
        found.append(Compared(column, difference, sign_of(difference), carried(difference, spreads)))
    return found


def comparison_findings(audited: Audited) -> Iterator[Finding]:
    """Yield every metric of every comparison that the spec adds to the claims."""
    for pair in audited.spec.comparisons:
        better, than = audited.row(pair.better), audited.row(pair.than)
        for one in compared(better, than, audited):
            yield Finding(
                "comparison", pair.where, pair.statement, one.column, better.printed[one.column],
                than.printed[one.column], digits(one.difference.value, sign=True), one.sign, one.carried,
            )  # fmt: skip


def claim_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each claim what its own numbers say: in the metrics that it names, and in all that its rows have."""
    for claim, group in groupby(audited.claims, key=lambda line: line["claim_id"]):
        lines = list(group)
        yield Finding(
            "claim", f"{lines[0]['paper']}, {lines[0]['source']}", f"{claim}: {lines[0]['statement']}", "",
            "", "", "", _verdict(lines, audited), _beyond_its_metrics(lines, audited),
        )  # fmt: skip


def claim_number_findings(audited: Audited) -> Iterator[Finding]:
    """Yield each line of the file of claims: its numbers against the table's, and its difference recomputed."""
    for line in audited.claims:
        left, right = _number(line, "lhs"), _number(line, "rhs")
        if left is None or right is None:
            continue
        difference = left - right
        rows = [_row(line, side, audited) for side in ("lhs", "rhs")]
        column = _column(line, audited)
        wrong = [row.printed[column] for row, side in zip(rows, ("lhs", "rhs"), strict=True)
                 if row and column in row.numbers and row.numbers[column].value != _value(line, side)]  # fmt: skip
        said = rounded(line["published_difference"])
        verdict = "its numbers are not the table's" if wrong else "as printed"
        if said is not None and said.value != difference.value:
            verdict = "its difference is wrong"
        spread = [spreads_of(row, audited).get(column) if row else None for row in rows]
        yield Finding(
            "claim, by metric", line["claim_id"], f"{line['lhs']} over {line['rhs']}", line["metric"],
            line["published_lhs"], line["published_rhs"], digits(difference.value, sign=True),
            f"{sign_of(difference)}; {verdict}", carried(difference, spread),
        )  # fmt: skip


def _number(line: Mapping[str, str], side: str) -> Rounded | None:
    return rounded(line[f"published_{side}"])


def _value(line: Mapping[str, str], side: str) -> object:
    number = _number(line, side)
    return number.value if number else None


def _row(line: Mapping[str, str], side: str, audited: Audited) -> Row | None:
    """Return the row that a side of a claim means, None where no table has it."""
    for meant in audited.spec.claims.rows if audited.spec.claims else ():
        if line["claim_id"] in meant.claims:
            return audited.tables[meant.table].rows.get(meant.names.get(line[side], line[side]))
    return None


def _column(line: Mapping[str, str], audited: Audited) -> str:
    named = audited.spec.claims.columns if audited.spec.claims else {}
    return named.get(line["metric"], line["metric"])


def _verdict(lines: Sequence[Mapping[str, str]], audited: Audited) -> str:
    kind = lines[0]["type"]
    pairs = [(_number(line, "lhs"), _number(line, "rhs")) for line in lines]
    differences = [left - right for left, right in pairs if left is not None and right is not None]
    if len(differences) < len(lines):
        return "cannot be checked: its numbers are not printed"
    signs = [sign_of(difference) for difference in differences]
    if kind in SIGNS:
        agree = sum(sign in SIGNS[kind] for sign in signs)
        return f"supported in {agree} of {len(signs)}"
    if kind == "not_all_greater":
        return "supported" if signs.count(GREATER) < len(signs) else "contradicted: all are greater"
    if kind.startswith("ratio=") and len(pairs) == 1:
        (left, right) = pairs[0]
        wanted = rounded(kind.removeprefix("ratio="))
        same = left and right and wanted and left.value == wanted.value * right.value
        return "supported: the numbers have this ratio" if same else "contradicted: the numbers have another ratio"
    return "cannot be checked: no bound is stated" if kind == "equivalent" else f"cannot be checked: {kind}"


def _beyond_its_metrics(lines: Sequence[Mapping[str, str]], audited: Audited) -> str:
    """Return in how many of all metrics of its rows a claim holds, and how many differences exceed the spreads."""
    said = []
    pairs = dict.fromkeys((line["lhs"], line["rhs"]) for line in lines)
    wanted = SIGNS.get(lines[0]["type"])
    for line in (next(n for n in lines if (n["lhs"], n["rhs"]) == pair) for pair in pairs):
        one, other = _row(line, "lhs", audited), _row(line, "rhs", audited)
        if one is None or other is None:
            continue
        found = compared(one, other, audited)
        if lines[0]["type"] == "equivalent":
            said.append(_extremes(found))
        if wanted is None:
            continue
        against = [f"{c.column} {digits(c.difference.value, sign=True)}" for c in found if c.sign not in wanted]
        known = [c for c in found if c.carried != NO_SPREAD]
        over = sum(c.carried.startswith("beyond") and c.sign in wanted for c in known)
        text = f"{len(found) - len(against)} of {len(found)} columns"
        text += f" (not {', '.join(against)})" if against else ""
        text += (
            f", {over} of {len(known)} beyond {DEVIATIONS} sd{ONE_SIDE if _one_sided(known) else ''}" if known else ""
        )
        said.append(f"{line['lhs']} over {line['rhs']}: {text}" if len(pairs) > 1 else text)
    return "; ".join(said)


def _one_sided(found: Sequence[Compared]) -> bool:
    return any(one.carried.endswith(ONE_SIDE) for one in found)


def _extremes(found: Sequence[Compared]) -> str:
    """Return the most negative and the most positive difference: in a mean they may cancel."""
    low, high = min(found, key=lambda c: c.difference.value), max(found, key=lambda c: c.difference.value)
    ends = (f"{digits(c.difference.value, sign=True)} ({c.column})" for c in (low, high))
    return f"differences from {' to '.join(ends)}"
