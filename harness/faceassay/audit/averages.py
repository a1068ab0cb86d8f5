"""Own the recomputation of printed averages and gaps, and which definition of them fits. Reads no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePath

from faceassay.audit.findings import Finding, digits
from faceassay.audit.model import AverageColumn, GapColumn
from faceassay.audit.reading import Audited
from faceassay.audit.rounded import Rounded, mean, relative_gain, rounded
from faceassay.audit.tables import Row, Table

EXACT, MEMBERS, UNEXPLAINED = "exact", "explained by the rounding of its members", "not explained by rounding"
NO_MEMBERS = "members not printed"
GAPS = ("difference in points", "relative to the other row", "relative to the row itself")
EARLIER_WORDS = {"ok": EXACT, "rounding": MEMBERS, "MISMATCH": UNEXPLAINED}


@dataclass(frozen=True)
class Recomputed:
    """Hold a printed average, the mean of its members where they are printed, and what is said of it."""

    file: str
    row: Row
    column: AverageColumn
    printed: Rounded
    mean: Rounded | None
    verdict: str

    @property
    def name(self) -> str:
        """The name under which all tables have this average."""
        return self.column.name or self.column.column


@dataclass(frozen=True)
class Fit:
    """Hold members that an average may be the mean of, and how many rows they fit of those that print them all."""

    members: tuple[str, ...]
    fitting: int
    rows: int


def judged(printed: Rounded, members: Sequence[Rounded]) -> str:
    """Say whether a printed mean is that of its members: as it stands, by rounding, or by neither.

    Each member lies within half a unit of its last digit, so their mean within the mean of these half units; a printed
    mean that no unrounded members give is a mistake of the mean or of a member.
    """
    of_members = mean(members)
    if printed.low <= of_members.value <= printed.high:
        return EXACT
    return MEMBERS if printed.meets(of_members) else UNEXPLAINED


def fits(table: Table, average: str, candidates: Sequence[str]) -> list[Fit]:
    """Return every set of two or more columns with the number of rows whose average is their mean, best first."""
    found = []
    for count in range(2, len(candidates) + 1):
        for members in combinations(candidates, count):
            rows = [row for row in table.rows.values() if {average, *members} <= row.numbers.keys()]
            agree = [judged(row.numbers[average], [row.numbers[m] for m in members]) for row in rows]
            found.append(Fit(members, len(agree) - agree.count(UNEXPLAINED), len(rows)))
    return sorted(found, key=lambda fit: (-fit.fitting, fit.members))


def definition(table: Table, column: AverageColumn, metrics: Sequence[str]) -> tuple[tuple[str, ...], list[Fit]]:
    """Return the members of an average and how all sets of columns fit it.

    They are those that are stated, or else the set that fits most of the rows and more than any other; or none.
    """
    ranked = fits(table, column.name or column.column, [name for name in table.metrics if name in metrics])
    if column.of is not None:
        return tuple(column.of), ranked
    if ranked and 2 * ranked[0].fitting > ranked[0].rows and (len(ranked) == 1 or _leads(ranked)):
        return ranked[0].members, ranked
    return (), ranked


def _leads(ranked: Sequence[Fit]) -> bool:
    return ranked[0].fitting > ranked[1].fitting


def recomputed(audited: Audited) -> Iterator[Recomputed]:
    """Yield every printed average with what its members give."""
    for table in audited.tables.values():
        known = [
            (column, column.name or column.column, definition(table, column, list(audited.spec.metrics))[0])
            for column in table.entry.averages
        ]
        for row in table.rows.values():
            for column, name, members in known:
                if name in row.numbers:
                    numbers = [row.numbers[member] for member in members if member in row.numbers]
                    whole = bool(members) and len(numbers) == len(members)
                    verdict = judged(row.numbers[name], numbers) if whole else NO_MEMBERS
                    of_members, file = mean(numbers) if whole else None, PurePath(table.entry.file).name
                    yield Recomputed(file, row, column, row.numbers[name], of_members, verdict)


def average_findings(audited: Audited) -> Iterator[Finding]:
    """Yield a line for each printed average."""
    for one in recomputed(audited):
        of_members = "" if one.mean is None else digits(one.mean.value, 4)
        apart = "" if one.mean is None else digits(one.printed.value - one.mean.value, 4, sign=True)
        limits = "" if one.mean is None else f"members allow {digits(one.mean.low, 4)} to {digits(one.mean.high, 4)}"
        yield Finding(
            "average", one.row.table, one.row.name, one.column.column, one.row.printed[one.name], of_members, apart,
            one.verdict, limits,
        )  # fmt: skip


def definition_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each column of averages which members fit it, and whether they are unlike."""
    for table in audited.tables.values():
        for column in table.entry.averages:
            members, ranked = definition(table, column, list(audited.spec.metrics))
            stated = "as stated" if column.of is not None else "by search"
            own = next((fit for fit in ranked if fit.members == members), None)
            others = [fit for fit in ranked if fit.members != members]
            verdict = "no set of columns is its members" if own is None else f"fits {own.fitting} of {own.rows} rows"
            rival = f"; no other set of columns fits more than {others[0].fitting}" if others and own else ""
            yield Finding(
                "definition", table.entry.name, "", column.column, column.stated, ", ".join(members), "",
                verdict, (f"{stated}{rival}; " if own else "") + _units(members, audited),
            )  # fmt: skip


def _units(members: Sequence[str], audited: Audited) -> str:
    kinds = Counter(audited.spec.metrics[member].kind for member in members)
    if len(kinds) > 1:
        return "mixes unlike metrics: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"all of one kind: {next(iter(kinds))}" if kinds else "its members are not in the table"


def gap_findings(audited: Audited) -> Iterator[Finding]:
    """Yield for each column of gaps which of three definitions fits it."""
    for table in audited.tables.values():
        for gap in table.entry.gaps:
            seen = [(row, other) for row, other in _pairs(table, gap) if row is not other]
            counts = Counter(name for row, other in seen for name in GAPS if _gap_fits(row, other, gap, name))
            best = [name for name in GAPS if counts[name] == len(seen)]
            told = ", ".join(f"{name} {counts[name]} of {len(seen)}" for name in GAPS)
            yield Finding(
                "gap", table.entry.name, "", gap.column, "", "", "", " or ".join(best) or "no definition fits all",
                f"of {gap.of}; rows that fit: {told}",
            )  # fmt: skip


def _pairs(table: Table, gap: GapColumn) -> Iterator[tuple[Row, Row]]:
    for name, row in table.rows.items():
        other = gap.to if isinstance(gap.to, str) else gap.to.get(name)
        if other is not None and printed_gap(row, gap) is not None:
            yield row, table.rows[other]


def printed_gap(row: Row, gap: GapColumn) -> Rounded | None:
    """Return the gap that is printed for a row, None where none is."""
    return rounded(row.texts[gap.column])


def _gap_fits(row: Row, other: Row, gap: GapColumn, name: str) -> bool:
    printed = printed_gap(row, gap)
    return printed is not None and printed.meets(gaps(row.numbers[gap.of], other.numbers[gap.of])[name])


def gaps(own: Rounded, other: Rounded) -> Mapping[str, Rounded]:
    """Return the distance of two averages by each definition in use, the relative ones in percent."""
    of_other, of_own = abs(relative_gain(own, other)), abs(relative_gain(other, own))
    return dict(zip(GAPS, (abs(own - other), of_other, of_own), strict=True))


def earlier_findings(audited: Audited) -> Iterator[Finding]:
    """Yield where somebody else's audit of the averages says another thing than this one, or leaves one out."""
    ours = [one for one in recomputed(audited) if one.mean is not None]
    alike = 0
    for line in audited.earlier:
        same = next((one for one in ours if one.file == line["file"] and _is_of(one, line)), None)
        if same is None:
            yield _earlier(line, "no such average is printed", "")
            continue
        ours.remove(same)
        alike += EARLIER_WORDS.get(line["verdict"]) == same.verdict
        if EARLIER_WORDS.get(line["verdict"]) != same.verdict:
            yield _earlier(line, "judged otherwise", f"here: {same.verdict}")
    for one in ours:
        yield Finding(
            "earlier audit", one.file, one.row.name, one.column.column, one.row.printed[one.name], "", "",
            "left out there", f"here: {one.verdict}",
        )  # fmt: skip
    if audited.earlier:
        yield Finding("earlier audit", "all of it", verdict=f"{alike} of {len(audited.earlier)} judged as here")


def _is_of(one: Recomputed, line: Mapping[str, str]) -> bool:
    """Return whether a line is of this average: the same digits printed, and the same mean to its digits."""
    said = rounded(line["recomputed"], 100 if float(line["recomputed"]) <= 1 else 1)
    words = {*line["row"].split(" / ")}
    named = {text for text in one.row.texts.values() if text in words}
    printed = one.row.texts[one.column.column] == line["printed"]
    return printed and said is not None and one.mean is not None and _within(said, one.mean) and len(named) > 0


def _within(said: Rounded, computed: Rounded) -> bool:
    return said.low <= computed.value <= said.high


def _earlier(line: Mapping[str, str], verdict: str, detail: str) -> Finding:
    return Finding(
        "earlier audit", line["file"], line["row"], line["columns"], line["printed"], line["recomputed"],
        line["printed_minus_recomputed"], verdict, detail,
    )  # fmt: skip
