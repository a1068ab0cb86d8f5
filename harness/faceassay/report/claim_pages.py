"""Own ``claims.md`` and ``claims.csv``, and what several cross-fitted profiles say together of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from faceassay.claims.findings import Finding
from faceassay.paired import Pairing
from faceassay.report.claims import COLUMNS, TEXT_COLUMNS, claims_notes, claims_rows, summary
from faceassay.report.plain import as_csv, escaped, grid
from faceassay.report.words import headings
from faceassay.results import Results
from faceassay.spec.claim_entries import Printed
from faceassay.spec.claims import Claims
from faceassay.standings import Standing, standings
from faceassay.store import write_atomically

MARKDOWN, CSV = "claims.md", "claims.csv"
CSV_COLUMNS = (
    "claim", "source", "statement", "kind", "every", "family", "lhs", "rhs", "column", "part", "seeds", "effect", "low",
    "high", "unit", "p", "verdict", "reason", "detectable", "margin", "published_column", "published_lhs",
    "published_rhs", "published_difference",
)  # fmt: skip
DIFFERENCES = "Every row against the baseline"
DIFFERENCE_COLUMNS = ("Column", "Method", "Difference", "95 % interval", "p", "Verdict", "Detectable")


def write_claims(parts: Sequence[Results], claims: Claims, findings: Sequence[Finding], folder: Path) -> list[Path]:
    """Write ``claims.md`` and ``claims.csv`` into ``folder``, return their paths."""
    contents = {MARKDOWN: claims_markdown(parts, claims, findings), CSV: claims_csv(findings)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def claims_markdown(parts: Sequence[Results], claims: Claims, findings: Sequence[Finding]) -> str:
    """Return the claims; of several parts also the pooled differences of every row."""
    spec, profiles = parts[0].matrix.spec, [part.matrix.profile for part in parts if part.matrix.profile]
    named = f"{spec.title or spec.name} ({' + '.join(profiles)})" if profiles else spec.title or spec.name
    text = [
        f"# Claims: {escaped(named)}",
        summary(findings),
        claims_table(findings),
        bullets(claims_notes(claims, findings)),
    ]
    return "\n\n".join([*text, *_pooled(parts)]) + "\n"


def claims_table(findings: Sequence[Finding]) -> str:
    """Return the findings as a Markdown table."""
    return grid(COLUMNS, claims_rows(findings), TEXT_COLUMNS)


def bullets(items: Iterator[tuple[str, str]]) -> str:
    """Return notes as a Markdown list."""
    return "\n".join(
        f"- **{escaped(about)}**: {escaped(text)}" if about else f"- {escaped(text)}" for about, text in items
    )


def claims_csv(findings: Sequence[Finding]) -> str:
    """Return the findings as CSV, one line for each; numbers as far as another machine gives the same."""
    return as_csv(CSV_COLUMNS, map(_csv_row, findings))


def _csv_row(finding: Finding) -> list[object]:
    entry, about = finding.claim.entry, finding.about
    printed = about.published if about else ()
    column, value = printed[0] if len(printed) == 1 else ("", Printed())
    rows = (about.lhs, about.rhs, about.column or entry.quality or "") if about else ("", "", "")
    return [
        entry.id, entry.source, entry.statement, entry.kind, str(entry.every).lower(), finding.claim.family, *rows,
        finding.part, finding.seeds, *map(_rounded, (finding.effect, finding.low, finding.high)), finding.unit,
        _rounded(finding.p), str(finding.verdict), finding.reason, _rounded(finding.detectable),
        entry.margin.value if entry.margin else None, column, value.lhs, value.rhs, str(value),
    ]  # fmt: skip


def _rounded(value: float | None) -> str:
    """Return six digits: those that a library of another version gives too."""
    return "" if value is None else f"{value:.6g}"


def _pooled(parts: Sequence[Results]) -> Iterator[str]:
    """Yield what several parts say together of every row in every column."""
    if len(parts) < 2:
        return
    first, pairing = parts[0], Pairing(tuple(parts))
    columns = [((column,), name) for column, name in zip(first.columns(), headings(first), strict=False)]
    members = [*columns, *((average.members, average.name) for average in first.matrix.averages)]
    rows = [_pooled_row(name, one) for of, name in members for one in standings(pairing, of, {}).standings]
    yield f"## {DIFFERENCES}"
    yield grid(DIFFERENCE_COLUMNS, rows, (0, 1, 5))
    yield (
        f"- Row minus '{escaped(first.matrix.baseline)}' in percentage points, the mean over {len(parts)} parts that are "
        "trained on and tested on other people, paired by seed and by the people drawn.\n"
        "- p: two-sided, adjusted for all rows of a column (Holm). Detectable: the difference that such a run finds with "
        "80 % power in one test at 5 %."
    )


def _pooled_row(column: str, standing: Standing) -> list[str]:
    found = standing.difference
    if found.effect is None:
        return [column, found.method, "", "", "", f"{standing.verdict}: {found.reason}", _points(standing.detectable)]
    low, high = found.effect.interval()
    limits = f"{100 * low:+.2f} to {100 * high:+.2f}"
    p = "" if standing.p is None else f"{standing.p:.3f}"
    return [
        column, found.method, f"{100 * found.effect.mean:+.2f}", limits, p, standing.verdict, _points(standing.detectable)
    ]  # fmt: skip


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
