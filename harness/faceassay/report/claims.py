"""Own the words of the claims, the same in Markdown, HTML and on the screen. Judges none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from faceassay.claims.findings import POINTS, Finding
from faceassay.claims.verdicts import Verdict
from faceassay.report.words import counted
from faceassay.spec.claim_entries import OF_TWO_ROWS
from faceassay.spec.claims import Claim, Claims

HEADING = "Claims"
COLUMNS = (
    "Claim", "Statement", "Compared", "On", "Published", "Ours", "95 % interval", "p", "Seeds",
    "Detectable", "Verdict at this scale", "Why, or what it needs",
)  # fmt: skip
TEXT_COLUMNS = (0, 1, 2, 3, 10, 11)
"""Which of the columns are words, not numbers."""
TOGETHER = "all of these"
DIGITS = {POINTS: 2, "cosine": 4, "grey levels": 2, "ratio": 2, "correlation": 3}
BETWEEN = {
    "less": "<", "greater": ">", "not_all_greater": "not all >", "greater_or_equal": ">=", "equivalent": "=",
    "evaluations_ratio": "to",
}  # fmt: skip
"""What a claim puts between the two rows."""
EXPLANATION = (
    "Ours: left minus right in percentage points unless a unit stands there, paired by seed and by test people; a "
    "plain number is no difference. p: two-sided, or of two one-sided tests where rows are said to be equivalent or a "
    "number to lie within limits; adjusted for all comparisons of a claim (Holm), where one without a number counts "
    "with p = 1. Supported: p is at most 0.05 on the claimed side of 0, or of a margin that is stated; contradicted: "
    "the same on the other side; anything else is inconclusive and says nothing against a claim. A claim about all of "
    "several comparisons is supported only where each of them would be alone (its p is the largest one, not "
    "adjusted), and contradicted by one.",
    "Detectable: the difference that such a run finds with 80 % power in one test at 5 %. All this is said of these "
    "data, networks and people, at this scale. Published: as printed, at the paper's scale.",
)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many lines came out as what: ``3 of 40 lines supported, ...``."""
    counts = Counter(finding.verdict for finding in findings)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"At this scale: {said} (of {len(findings)} lines)."


def claims_rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Return the lines of the table.

    The statement stands in the first line of its claim. A claim of which nothing was run has one line.
    """
    claims: dict[Claim, list[Finding]] = {}
    for finding in findings:
        claims.setdefault(finding.claim, []).append(finding)
    return [line for of_claim in claims.values() for line in _lines(of_claim)]


def _lines(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    if len(findings) > 1 and all(finding.verdict is Verdict.NOT_RUN for finding in findings):
        return [_not_run([finding for finding in findings if finding.about])]
    return [_line(finding, first=place == 0) for place, finding in enumerate(findings)]


def _not_run(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return one line for all comparisons of a claim, with what they have in common and the range printed for them."""
    lines = [_line(finding, first=True) for finding in findings]
    columns = [list(dict.fromkeys(column)) for column in zip(*lines, strict=True)]
    common = [values[0] if len(values) == 1 else "" for values in columns]
    compared, on, published, why = (
        columns[COLUMNS.index(name)] for name in ("Compared", "On", "Published", COLUMNS[-1])
    )
    common[COLUMNS.index("Compared")] = compared[0] if len(compared) == 1 else counted(len(compared), "comparison")
    common[COLUMNS.index("On")] = "; ".join(on) if len(on) < 3 else counted(len(on), "column")
    common[COLUMNS.index("Published")] = _range(published)
    more = f"; {len(why) - 1} more like it" if len(why) > 1 else ""
    common[-1] = f"{why[0]}{more}"
    return tuple(common)


def _range(published: Sequence[str]) -> str:
    """Return the printed differences as a range where they are numbers, else each."""
    try:
        low, *_, high = sorted(published, key=float)
    except ValueError:
        return "; ".join(filter(None, published))
    return f"{low} to {high}"


def on_screen(findings: Sequence[Finding]) -> str:
    """Return the lines without statements and published numbers, then each reason with the claims that it is of."""
    shown = [place for place, name in enumerate(COLUMNS) if name not in ("Statement", "Published", COLUMNS[-1])]
    rows = claims_rows(findings)
    table = tabulate([[row[i] for i in shown] for row in rows], [COLUMNS[i] for i in shown], disable_numparse=True)
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row[-1], []).append(row[0])
    said = [f"{', '.join(dict.fromkeys(ids))}: {reason}" for reason, ids in reasons.items() if reason]
    return "\n".join([table, "", *said, "", summary(findings)])


def claims_notes(claims: Claims, findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Yield how to read the lines, then (claim, what its reader must know)."""
    yield from (("", text) for text in EXPLANATION)
    if claims.paper:
        yield "", f"Statements and published numbers: {claims.paper}."
    if claims.stand_ins:
        on = ", ".join(claims.stand_ins)
        yield "", f"Judged on {on}, in place of the columns of the claims, which this profile does not have."
    for claim in dict.fromkeys(finding.claim for finding in findings):
        margin = claim.entry.margin
        if margin:
            yield claim.entry.id, f"margin {margin.value:g}: {margin.reason}"
        if claim.entry.note:
            yield claim.entry.id, claim.entry.note


def number(value: float, finding: Finding) -> str:
    """Return an effect with the digits of its unit; a difference with its sign."""
    sign = "+" if finding.claim.entry.kind in OF_TWO_ROWS else ""
    return f"{value:{sign}.{DIGITS[finding.unit]}f}"


def _line(finding: Finding, *, first: bool) -> tuple[str, ...]:
    entry = finding.claim.entry
    statement = f"{entry.statement} ({entry.source})" if entry.source else entry.statement
    unit = "" if finding.unit == POINTS else f" {finding.unit}"
    ours = "" if finding.effect is None else number(finding.effect, finding) + unit
    limits = ""
    if finding.low is not None and finding.high is not None:
        limits = f"{number(finding.low, finding)} to {number(finding.high, finding)}"
    return (
        entry.id,
        statement if first else "",
        _compared(finding),
        _on(finding),
        finding.published,
        ours,
        limits,
        "" if finding.p is None else _p(finding.p),
        str(finding.seeds or ""),
        "" if finding.detectable is None else f"{finding.detectable:.2f}",
        str(finding.verdict),
        finding.reason,
    )


def _compared(finding: Finding) -> str:
    about, entry = finding.about, finding.claim.entry
    if about is None:
        return TOGETHER
    return f"{about.lhs} {BETWEEN.get(entry.kind, 'and')} {about.rhs}" if about.rhs else about.lhs


def _on(finding: Finding) -> str:
    about, entry = finding.about, finding.claim.entry
    on = (about.column if about else "") or (entry.quality or "").replace("_", " ")
    return f"{on} ({finding.part})".strip() if finding.part else on


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"
