"""Own the way from a folder with ``audit.yaml`` to its tables; every mistake carries file, line and column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from faceassay.audit.model import AuditSpec, Reference
from faceassay.audit.tables import Row, Table, read_lines, read_table
from faceassay.spec.faults import named_fault
from faceassay.spec.near import near
from faceassay.spec.reader import SpecError
from faceassay.spec.yaml import Located, Path_, Problem, read_yaml

SPEC = "audit.yaml"
CLAIM_COLUMNS = ("claim_id", "paper", "source", "statement", "metric", "lhs", "rhs", "published_lhs", "published_rhs",
                 "published_difference", "type", "note")  # fmt: skip
EARLIER_COLUMNS = ("file", "row", "columns", "recomputed", "printed", "printed_minus_recomputed", "verdict")


@dataclass(frozen=True)
class Audited:
    """Hold all that is audited.

    Attributes:
        spec: what is to be checked.
        tables: by name.
        claims: lines of the file of claims.
        earlier: lines of somebody else's audit.
    """

    spec: AuditSpec
    tables: Mapping[str, Table]
    claims: Sequence[Mapping[str, str]]
    earlier: Sequence[Mapping[str, str]]

    def row(self, reference: Reference) -> Row:
        """Return the row that (table, row) names; every reference was checked."""
        table, name = reference
        return self.tables[table].rows[name]


def read_audit(folder: Path) -> Audited:
    """Read what is to be audited in ``folder``.

    Raises:
        SpecError: with every problem of ``audit.yaml`` and of the tables that it names.
    """
    located = read_yaml(folder / SPEC)
    if located.problems:
        raise SpecError(located.problems)
    spec = _validated(located)
    tables, problems = {}, []
    for i, entry in enumerate(spec.tables):
        table, found = read_table(entry, folder, list(spec.metrics))
        problems += found
        if entry.name in tables:
            problems.append(Problem(located.place(("tables", i, "name")), f"two tables are called {entry.name!r}"))
        tables[entry.name] = table
    claims, found = read_lines(folder / spec.claims.file, CLAIM_COLUMNS) if spec.claims else ([], [])
    earlier, more = read_lines(folder / spec.earlier, EARLIER_COLUMNS) if spec.earlier else ([], [])
    problems += [*found, *more]
    if not problems:
        problems = [Problem(located.place(where), message) for where, message in _unknown(spec, tables)]
    if problems:
        raise SpecError(problems)
    return Audited(spec, tables, claims, earlier)


def _validated(located: Located) -> AuditSpec:
    try:
        return AuditSpec.model_validate_json(json.dumps(located.data), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = [Problem(located.place(tuple(d["loc"])), named_fault(AuditSpec, (), d)) for d in details]
        raise SpecError(faults) from None


def _unknown(spec: AuditSpec, tables: Mapping[str, Table]) -> Iterator[tuple[Path_, str]]:
    """Yield every name of a table, row or column that there is not."""
    for where, reference in _references(spec):
        yield from _unknown_row(where, reference[0], reference[1], tables)
    for i, gain in enumerate(spec.gains):
        yield from _unknown_columns(("gains", i, "column"), gain.better[0], [gain.column], tables)
    for i, order in enumerate(spec.orders):
        yield from _unknown_columns(("orders", i, "by"), order.table, [order.by], tables)
        for name in order.rows or ():
            yield from _unknown_row(("orders", i, "rows"), order.table, name, tables)
    for i, entry in enumerate(spec.tables):
        for k, average in enumerate(entry.averages):
            yield from _unknown_columns(("tables", i, "averages", k, "of"), entry.name, average.of or (), tables)
        for k, gap in enumerate(entry.gaps):
            yield from _unknown_columns(("tables", i, "gaps", k, "of"), entry.name, [gap.of], tables)
            named = gap.to.items() if isinstance(gap.to, dict) else [(gap.to, gap.to)]
            for name in (name for pair in named for name in pair):
                yield from _unknown_row(("tables", i, "gaps", k, "to"), entry.name, name, tables)
    for i, statement in enumerate(spec.statements):
        for k, quantity in enumerate(statement.means):
            within: Path_ = ("statements", i, "means", k)
            for name in (quantity.over, *(quantity.rows or ())):
                yield from _unknown_row(within, quantity.table, name, tables)
            yield from _unknown_columns((*within, "columns"), quantity.table, quantity.columns or (), tables)


def _references(spec: AuditSpec) -> Iterator[tuple[Path_, Reference]]:
    for i, group in enumerate(spec.sets):
        for k, recipe in enumerate(group.recipes):
            yield from ((("sets", i, "recipes", k, "rows", j), row) for j, row in enumerate(recipe.rows))
    for i, borrowed in enumerate(spec.borrowed):
        yield from ((("borrowed", i, "row"), borrowed.row), (("borrowed", i, "of"), borrowed.of))
    for i, compared in enumerate(spec.comparisons):
        yield from ((("comparisons", i, "better"), compared.better), (("comparisons", i, "than"), compared.than))
    for i, gain in enumerate(spec.gains):
        yield from ((("gains", i, "better"), gain.better), (("gains", i, "than"), gain.than))
    for i, meant in enumerate(spec.claims.rows if spec.claims else ()):
        for text, name in meant.names.items():
            yield ("claims", "rows", i, "names", text), [meant.table, name]


def _unknown_row(where: Path_, table: str, row: str, tables: Mapping[str, Table]) -> Iterator[tuple[Path_, str]]:
    if table not in tables:
        yield where, f"no table is called {table!r}{near(table, tables)}"
    elif row not in tables[table].rows:
        yield where, f"{table} has no row {row!r}{near(row, tables[table].rows)}"


def _unknown_columns(
    where: Path_, table: str, columns: Sequence[str], tables: Mapping[str, Table]
) -> Iterator[tuple[Path_, str]]:
    for column in columns:
        if table in tables and column not in tables[table].metrics:
            yield where, f"{table} has no column {column!r}{near(column, tables[table].metrics)}"
