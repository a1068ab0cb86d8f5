"""Own the form of ``audit.yaml``: which tables there are and what is to be checked of them. Checks nothing itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Reference = Annotated[list[str], Field(min_length=2, max_length=2)]
"""A row: name of the table, name of the row in it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Part):
    """What a column measures."""

    kind: str = Field(description="columns of one kind may be averaged: accuracy, TAR, rank-1")
    pairs: int | None = Field(None, gt=0, description="a single run is right on a whole number of so many pairs")


class AverageColumn(_Part):
    """A column that is said to be a mean of others."""

    column: str
    name: str | None = Field(None, description="its name where other tables call the same mean otherwise")
    of: list[str] | None = Field(None, description="members as the paper states them; none where it does not")
    stated: str = Field(description="how the paper words it, or that it does not")


class GapColumn(_Part):
    """A column that is said to be a distance between two averages."""

    column: str
    of: str = Field(description="the column whose values lie apart")
    to: str | dict[str, str] = Field(description="the other row; or for each row its own")


class TableEntry(_Part):
    """A published table in a CSV file."""

    name: str
    file: str
    rows: list[str] = Field(min_length=1, description="the columns that name a row")
    where: dict[str, str] = Field(default_factory=dict, description="which lines of the file, where it holds several")
    unit: Literal["percent", "fraction"] = "percent"
    spread: str | None = Field(None, description="how the heading of a column of standard deviations ends")
    averages: list[AverageColumn] = Field(default_factory=list)
    gaps: list[GapColumn] = Field(default_factory=list)


class Recipe(_Part):
    """One training: rows that print it, or quote it, should agree in every number."""

    name: str
    rows: list[Reference] = Field(min_length=1)


class SetEntry(_Part):
    """What trainings on nominally the same data print."""

    name: str
    recipes: list[Recipe] = Field(min_length=1)


class Borrowed(_Part):
    """A row without standard deviations, and the row whose deviations stand in."""

    row: Reference
    of: Reference


class Comparison(_Part):
    """Two rows of which one is said to be better."""

    statement: str
    where: str
    better: Reference
    than: Reference


class Gain(_Part):
    """A difference that a paper claims, to be set beside the spread between recipes."""

    where: str
    better: Reference
    than: Reference
    column: str


class ClaimRows(_Part):
    """Which rows the texts of a file of claims mean."""

    claims: list[str]
    table: str
    names: dict[str, str] = Field(default_factory=dict, description="text -> row; other texts are rows themselves")


class Claims(_Part):
    """A file of claims: a line for each metric of each."""

    file: str
    columns: dict[str, str] = Field(default_factory=dict, description="metric as the claims call it -> column")
    rows: list[ClaimRows] = Field(default_factory=list)


class Quantity(_Part):
    """A number that a text may mean: the largest gain of some rows over one."""

    name: str
    table: str
    over: str
    rows: list[str] | None = Field(None, description="all others where none are named")
    columns: list[str] | None = Field(None, description="all metrics where none are named")
    pick: Literal["largest", "smallest"] = "largest"
    relative: bool = False


class Statement(_Part):
    """A number in a text, and what it may be."""

    where: str
    text: str
    says: str
    means: list[Quantity] = Field(min_length=1)


class Order(_Part):
    """A table whose metrics should order its rows alike."""

    table: str
    by: str
    rows: list[str] | None = None


class Remark(_Part):
    """What a reader finds and no arithmetic can, or what cannot be checked."""

    where: str
    text: str


class AuditSpec(_Part):
    """Everything that is audited."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    title: str
    notes: list[str] = Field(default_factory=list)
    metrics: dict[str, Metric] = Field(min_length=1)
    tables: list[TableEntry] = Field(min_length=1)
    sets: list[SetEntry] = Field(default_factory=list)
    borrowed: list[Borrowed] = Field(default_factory=list)
    claims: Claims | None = None
    comparisons: list[Comparison] = Field(default_factory=list)
    gains: list[Gain] = Field(default_factory=list)
    orders: list[Order] = Field(default_factory=list)
    statements: list[Statement] = Field(default_factory=list)
    remarks: list[Remark] = Field(default_factory=list)
    unchecked: list[Remark] = Field(default_factory=list)
    earlier: str | None = Field(None, description="an audit of the same averages by somebody else, to be compared")
