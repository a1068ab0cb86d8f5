"""Own ``claims.md`` and ``claims.csv``, and what several cross-fitted profiles say together of every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from faceassay.claims.findings import Finding
from faceassay.paired import Pairing
from faceassay.report.claims import COLUMNS, TEXT_COLUMNS, claims_notes, claims_rows, summary
from faceassay.report.differences import COLUMNS as COLUMNS_OF_DIFFERENCES
from faceassay.report.differences import CSV as DIFFERENCES_CSV
from faceassay.report.differences import TEXT_COLUMNS as TEXT_OF_DIFFERENCES
from faceassay.report.differences import difference_row, explained, heading, standings_csv
from faceassay.report.plain import as_csv, escaped, grid
from faceassay.report.words import counted, headings
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
POOLED = "the mean over {} that are trained on and tested on other people, each with its own thresholds"


def write_claims(parts: Sequence[Results], claims: Claims, findings: Sequence[Finding], folder: Path) -> list[Path]:
    """Write ``claims.md`` and ``claims.csv`` into ``folder``, of several parts ``differences.csv`` too."""
    contents = {MARKDOWN: claims_markdown(parts, claims, findings), CSV: claims_csv(findings)}
    if len(parts) > 1:
        contents[DIFFERENCES_CSV] = standings_csv(standing for _, standing in _pooled(parts))
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
    return "\n\n".join([*text, *_pooled_section(parts)]) + "\n"


def claims_table(findings: Sequence[Finding]) -> str:
    """Return the findings as a Markdown table."""
    return grid(COLUMNS, claims_rows(findings), TEXT_COLUMNS)


def bullets(items: Iterable[tuple[str, str]]) -> str:
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


def _pooled(parts: Sequence[Results]) -> list[tuple[str, Standing]]:
    """Return how every row stands to the baseline in every column over all parts, each with the column's heading."""
    first, pairing = parts[0], Pairing(tuple(parts))
    columns = [(column,) for column in first.columns()] + [average.members for average in first.matrix.averages]
    return [
        (label, one)
        for label, members in zip(headings(first), columns, strict=True)
        for one in standings(pairing, members, {}).standings
    ]


def _pooled_section(parts: Sequence[Results]) -> Iterator[str]:
    if len(parts) > 1:
        rows = [difference_row(label, standing) for label, standing in _pooled(parts)]
        yield f"## {heading(parts[0])}"
        yield grid(COLUMNS_OF_DIFFERENCES, rows, TEXT_OF_DIFFERENCES)
        yield bullets([("Parts", POOLED.format(counted(len(parts), "part"))), *explained(parts[0])])
