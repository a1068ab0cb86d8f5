"""Own what a file of claims may say of one claim, and which words belong to which kind. Knows no matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from faceassay.spec.yaml import Path_

Text = Annotated[str, StringConstraints(min_length=1)]
ClaimId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$")]
Kind = Literal[
    "greater", "less", "greater_or_equal", "equivalent", "not_all_greater",
    "within", "evaluations_ratio", "interior_argmax", "unrelated",
]  # fmt: skip
Quality = Literal["consistency", "separation", "agreement", "pixel_diversity"]

OF_TWO_ROWS = frozenset({"greater", "less", "greater_or_equal", "equivalent", "not_all_greater"})
"""Kinds that are about a difference, between cells or between measures of synthetic sets."""
CONJOINED = OF_TWO_ROWS - {"not_all_greater"}
"""Kinds that may hold of every comparison together."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(OF_TWO_ROWS, ("lhs", "rhs")),
    "greater_or_equal": ("lhs", "rhs", "margin"),
    "equivalent": ("lhs", "rhs", "margin"),
    "within": ("lhs", "quality", "bounds"),
    "evaluations_ratio": ("lhs", "rhs", "ratio"),
    "interior_argmax": ("lhs",),
    "unrelated": ("margin",),
}
"""The words that a claim of each kind needs; a difference of cells needs a column too."""
OPTIONAL = ("lhs", "rhs", "column", "quality", "margin", "bounds", "ratio")
"""The words that belong to some kinds only."""


def _known_schema(version: int) -> int:
    if version != 1:
        raise ValueError("this version of faceassay reads schema 1 of claims")
    return version


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class Margin(_Part):
    """How much counts as nothing, and why so much."""

    value: float = Field(gt=0, description="points of a metric, cosines of a quality, size of a correlation")
    reason: Text = Field(description="why this much")


class Printed(_Part):
    """What the paper prints for one comparison, in its own unit (percent); facts, never compared with ours."""

    lhs: float | None = None
    rhs: float | None = None
    difference: float | str | None = Field(None, description="by default lhs - rhs; a text where a range is printed")

    def __str__(self) -> str:
        if self.difference is None and self.lhs is not None and self.rhs is not None:
            return f"{self.lhs - self.rhs:+.2f}"
        return f"{self.difference:+.2f}" if isinstance(self.difference, float) else self.difference or ""


class ComparisonEntry(_Part):
    """One comparison of a claim; what it does not name it has from the claim."""

    lhs: Text | None = Field(None, description="a row")
    rhs: Text | None = Field(None, description="the row that it is compared with")
    column: Text | None = Field(None, description="heading of a column: benchmark and metric, or an average")
    published: Printed = Printed()


class ClaimEntry(ComparisonEntry):
    """One claim of a paper."""

    id: ClaimId = Field(description="several claims may share one")
    statement: Text
    source: str = Field("", description="where the paper says so")
    kind: Kind
    every: bool = Field(False, description="claimed of every comparison together, not of each by itself")
    compare: tuple[ComparisonEntry, ...] = Field((), description="by default the one that the claim names")
    quality: Quality | None = Field(None, description="a measure of `faceassay quality` in place of a column")
    margin: Margin | None = None
    ratio: float | None = Field(None, gt=0, description="network evaluations of an image: lhs / rhs")
    bounds: tuple[float, float] | None = Field(None, description="limits of a quality")
    own_columns: bool = Field(False, description="means these columns only: judged on no others in any profile")
    family: str = Field("", description="claims tested together (Holm); by default those of one id")
    needs: str = Field("", description="what is lacking to test it; rows and columns are then words of the paper")
    note: str = Field("", description="what a reader must know")

    def entries(self) -> Iterator[tuple[Path_, ComparisonEntry]]:
        """Yield each comparison and where it is written."""
        if not self.compare:
            yield (), self
        yield from ((("compare", i), entry) for i, entry in enumerate(self.compare))


class ClaimsFile(_Part):
    """A file of claims beside a matrix."""

    schema_version: Annotated[int, AfterValidator(_known_schema)] = Field(
        alias="schema", description="version of this file format"
    )
    paper: str = Field("", description="what the sources are places in")
    judged_on: dict[str, list[str]] = Field(
        default_factory=dict,
        description="profile: columns on which claims are judged in place of their own, which it does not have",
    )
    claims: list[ClaimEntry] = Field(min_length=1)


def broken_rules(entry: ClaimEntry) -> Iterator[tuple[Path_, str]]:
    """Yield where the words of a claim do not belong to its kind, and what its kind needs."""
    if entry.needs:
        return
    needed = NEEDS[entry.kind]
    if entry.kind in OF_TWO_ROWS and entry.quality is None:
        needed = (*needed, "column")
    for where, comparison in entry.entries():
        lacking = [word for word in needed if getattr(comparison, word, None) is None and getattr(entry, word) is None]
        if lacking:
            yield where, f"a claim of kind {entry.kind!r} needs {' and '.join(lacking)}"
        lhs, rhs = (getattr(comparison, word) or getattr(entry, word) for word in ("lhs", "rhs"))
        if lhs == rhs and lhs is not None:
            yield where, f"row {lhs!r} is compared with itself"
    allowed = {*needed, *(("quality",) if entry.kind in OF_TWO_ROWS else ())}
    said: Iterator[tuple[Path_, ComparisonEntry]] = chain([((), entry)], entry.entries() if entry.compare else ())
    for where, part in said:
        for word in OPTIONAL:
            if word not in allowed and getattr(part, word, None) is not None:
                yield (*where, word), f"{word!r} does not belong to a claim of kind {entry.kind!r}"
    if entry.every and entry.kind not in CONJOINED:
        yield ("every",), f"'every' does not belong to a claim of kind {entry.kind!r}"
    if entry.bounds and entry.bounds[0] >= entry.bounds[1]:
        yield ("bounds",), "the first limit must lie below the second"
