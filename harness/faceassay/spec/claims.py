"""Own the file of claims beside a matrix: each claim with the cells of this profile that carry it. Tests none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from faceassay.spec.averages import column_labels
from faceassay.spec.claim_entries import ClaimEntry, ClaimsFile, ComparisonEntry, Printed, broken_rules
from faceassay.spec.faults import named_fault
from faceassay.spec.near import near
from faceassay.spec.yaml import Located, Path_, Place, Problem, read_yaml

if TYPE_CHECKING:
    from faceassay.spec.reader import MatrixSpec

FILE = "claims.yaml"
Members = tuple[tuple[str, str], ...]
"""Benchmark and metric identity of what a column shows; several for an average."""


@dataclass(frozen=True)
class Comparison:
    """One comparison of a claim, in the words of this profile.

    Attributes:
        lhs, rhs: rows; empty where the kind of claim takes none.
        column: heading of the column; empty where the claim is about something else than cells.
        members: what the column is of; empty where it is left out.
        published: (column, what is printed for it); of other columns where the claim is judged on a stand-in.
        left_out: why this profile cannot carry it, empty where it can.
    """

    lhs: str
    rhs: str
    column: str
    members: Members
    published: tuple[tuple[str, Printed], ...]
    left_out: str
    place: Place


@dataclass(frozen=True)
class Claim:
    """One claim with its comparisons."""

    entry: ClaimEntry
    comparisons: tuple[Comparison, ...]

    @property
    def family(self) -> str:
        """Name of the family that it is tested with."""
        return self.entry.family or self.entry.id


@dataclass(frozen=True)
class Claims:
    """Hold the claims of a file.

    Attributes:
        path: the file.
        paper: what their sources are places in.
        stand_ins: headings of the columns that they are judged on in place of their own; empty where on their own.
    """

    path: Path
    paper: str
    stand_ins: tuple[str, ...]
    claims: tuple[Claim, ...]


def read_claims(matrix: MatrixSpec) -> tuple[Claims | None, list[Problem]]:
    """Read the claims beside ``matrix``, whose columns are known already.

    Returns:
        The claims, None where there is no such file or it is wrong, and what is wrong, each problem at its place.
    """
    path = matrix.path.parent / FILE
    if not path.is_file():
        return None, []
    located = read_yaml(path)
    if not located.problems and not isinstance(located.data, dict):
        located.problems.append(Problem(located.place(()), "a file of claims is a mapping of names to values"))
    said = None if located.problems else _validated(located)
    if said is None:
        return None, located.problems
    reading = _Reading(matrix, located, said)
    claims = Claims(path, said.paper, reading.stand_ins, tuple(reading.claims()))
    return (None if located.problems else claims), located.problems


def _validated(located: Located) -> ClaimsFile | None:
    try:
        return ClaimsFile.model_validate_json(json.dumps(located.data), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            located.problems.append(Problem(located.place(detail["loc"]), named_fault(ClaimsFile, (), detail)))
        return None


class _Reading:
    """Find the rows and columns that claims name, collecting problems instead of stopping at the first."""

    def __init__(self, matrix: MatrixSpec, located: Located, said: ClaimsFile) -> None:
        self.matrix = matrix
        self.located = located
        self.said = said
        self.rows = frozenset(method.name for method in matrix.methods)
        self.columns: Mapping[str, Members] = dict(_columns(matrix))
        self.elsewhere = {section: frozenset(_elsewhere(matrix, section)) for section in ("methods", "averages")}
        self.beginnings = tuple(f"{name} " for name in _elsewhere(matrix, "benchmarks"))
        self.whose = f"profile {matrix.profile!r}" if matrix.profile else "the matrix without a profile"
        self.stand_ins = self._stand_ins()

    def claims(self) -> Iterator[Claim]:
        """Yield the claims in the order of the file."""
        for k, entry in enumerate(self.said.claims):
            for where, wrong in broken_rules(entry):
                self.problem(("claims", k, *where), wrong)
            own = [self._comparison(entry, one, k, where) for where, one in entry.entries()]
            moved = self.stand_ins and not (entry.needs or entry.own_columns)
            judged = self._on_stand_ins(own) if moved else own
            yield Claim(entry, tuple(judged))

    def problem(self, where: Path_, wrong: str) -> None:
        """Note a problem at ``where``."""
        self.located.problems.append(Problem(self.located.place(where), wrong))

    def _stand_ins(self) -> tuple[str, ...]:
        for profile, headings in self.said.judged_on.items():
            where: Path_ = ("judged_on", profile)
            if profile not in self.matrix.spec.profiles:
                known = near(profile, self.matrix.spec.profiles)
                self.problem(where, f"no profile is called {profile!r}{known}")
            for i, heading in enumerate(headings if profile == self.matrix.profile else ()):
                if heading not in self.columns:
                    self._unknown((*where, i), "column", heading, self.columns)
        return tuple(self.said.judged_on.get(self.matrix.profile or "", ()))

    def _comparison(self, entry: ClaimEntry, one: ComparisonEntry, k: int, where: Path_) -> Comparison:
        named = {word: getattr(one, word) or getattr(entry, word) or "" for word in ("lhs", "rhs", "column")}
        at = {word: ("claims", k, *(where if getattr(one, word) else ()), word) for word in named}
        place = self.located.place(("claims", k, *where))
        said = one.published if str(one.published) else entry.published
        printed = ((named["column"], said),) if str(said) else ()
        if entry.needs:
            return Comparison(named["lhs"], named["rhs"], named["column"], (), printed, "", place)
        rows = [word for word in ("lhs", "rhs") if named[word]]
        for word in rows:
            self._require_row(named[word], at[word])
        left_out = next(filter(None, (self._row_left_out(named[word]) for word in rows)), "")
        if named["column"]:
            left_out = self._column(named["column"], at["column"]) or left_out
        members = self.columns.get(named["column"], ())
        return Comparison(named["lhs"], named["rhs"], named["column"], members, printed, left_out, place)

    def _require_row(self, name: str, where: Path_) -> None:
        known = {*self.rows, *self.elsewhere["methods"]}
        if name not in known:
            self._unknown(where, "row", name, known)

    def _row_left_out(self, name: str) -> str:
        """Return that the row is not to be had, empty where it is."""
        return "" if name in self.rows else f"{self.whose} leaves the row {name!r} out"

    def _column(self, heading: str, where: Path_) -> str:
        """Return that the column is not to be had, empty where it is."""
        if heading in self.columns:
            return ""
        if heading not in self.elsewhere["averages"] and not heading.startswith(self.beginnings):
            self._unknown(where, "column", heading, {*self.columns} | self.elsewhere["averages"])
        return f"{self.whose} leaves the column {heading!r} out"

    def _unknown(self, where: Path_, what: str, name: str, known: Any) -> None:
        self.problem(where, f"no {what} of the matrix is called {name!r}{near(name, known)}")

    def _on_stand_ins(self, own: list[Comparison]) -> Iterator[Comparison]:
        """Yield the comparisons of the same rows, each once, on the columns in place of their own."""
        pairs: dict[tuple[str, str], list[Comparison]] = {}
        for one in own:
            if one.column:
                pairs.setdefault((one.lhs, one.rhs), []).append(one)
            else:
                yield one
        for (lhs, rhs), of_pair in pairs.items():
            printed = tuple(entry for one in of_pair for entry in one.published)
            left_out = self._row_left_out(lhs) or self._row_left_out(rhs)
            for heading in self.stand_ins:
                members = self.columns.get(heading, ())
                yield Comparison(lhs, rhs, heading, members, printed, left_out, of_pair[0].place)


def _columns(matrix: MatrixSpec) -> Iterator[tuple[str, Members]]:
    """Yield the heading of each column, and what it is of; a benchmark's name with a whole metric identity too."""
    for benchmark in matrix.benchmarks:
        metrics = benchmark.protocol.metric_ids() if benchmark.protocol else ()
        for heading, metric in zip(column_labels(benchmark.name, metrics), metrics, strict=True):
            yield f"{benchmark.name} {metric}", ((benchmark.name, metric),)
            yield heading, ((benchmark.name, metric),)
    yield from ((average.name, average.members) for average in matrix.averages)


def _elsewhere(matrix: MatrixSpec, section: str) -> Iterator[str]:
    """Yield the names of the entries of a part of the matrix that this profile leaves out or another profile adds."""
    yield from matrix.dropped.get(section, ())
    for profile in matrix.spec.profiles.values():
        entries = profile.get(section)
        named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        yield from (entry["name"] for entry in named if isinstance(entry.get("name"), str))
