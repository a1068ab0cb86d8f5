"""Own the words of the claims, the same in Markdown, HTML and on the screen. Judges none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from faceassay.claims.findings import POINTS, Finding
from faceassay.claims.verdicts import Verdict
from faceassay.spec.claim_entries import OF_TWO_ROWS
from faceassay.spec.claims import Claims

HEADING = "Claims"
COLUMNS = (
    "Claim", "Statement", "Compared", "On", "Published", "Ours", "95 % interval", "p", "Seeds",
    "Verdict at this scale", "Why, or what it needs",
)  # fmt: skip
TEXT_COLUMNS = (0, 1, 2, 3, 9, 10)
"""Which of the columns are words, not numbers."""
TOGETHER = "all of these"
DIGITS = {POINTS: 2, "cosine": 4, "grey levels": 2, "ratio": 2, "correlation": 3}
BETWEEN = {
    "less": "<", "greater": ">", "not_all_greater": "not all >", "greater_or_equal": ">=", "equivalent": "=",
    "evaluations_ratio": "to",
}  # fmt: skip
"""What a claim puts between the two rows."""
EXPLANATION = (
    "Ours: left minus right in percentage points unless a unit stands there, paired by seed and by test people; "
    "a plain number is no difference. p: of the claim, or of its contrary where that is significant, adjusted for all "
    "comparisons of a claim (Holm). Supported: p is at most 0.05 on the claimed side of 0, of the margin where one is "
    "stated; contradicted: the same on the other side; anything else is inconclusive and says nothing against a claim. "
    "A claim about all of several comparisons is supported only where each of them is, and contradicted by one.",
    "All this is said of these data, networks and people, at this scale. Published: as printed, at the paper's scale.",
)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many lines came out as what: ``3 of 40 lines supported, ...``."""
    counts = Counter(finding.verdict for finding in findings)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"At this scale: {said} (of {len(findings)} lines)."


def claims_rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Return a line for each finding; the statement stands in the first line of its claim."""
    before: list[object] = [None, *(finding.claim for finding in findings)]
    return [_line(finding, first=finding.claim is not last) for finding, last in zip(findings, before, strict=False)]


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
        str(finding.verdict),
        _why(finding),
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


def _why(finding: Finding) -> str:
    if finding.verdict is Verdict.INCONCLUSIVE and finding.detectable is not None:
        found = f"{finding.detectable:.2f} points could have been found (80 % power)"
        return f"{finding.reason}; {found}" if finding.reason else found
    return finding.reason


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"
