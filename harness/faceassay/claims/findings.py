"""Own what is found for one comparison of a claim, and the evidence that readers of a store share."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from faceassay.claims.verdicts import PValues, Verdict
from faceassay.paired import Pairing
from faceassay.results import Results
from faceassay.spec.claims import Claim, Comparison

if TYPE_CHECKING:
    from faceassay.assessing.graph import AssessmentPlan

POINTS = "points"


@dataclass(frozen=True)
class Finding:
    """Hold what was found for one comparison.

    Attributes:
        claim: whose it is.
        about: the comparison; None for all of the claim's together.
        verdict: what comes out, at the scale of this matrix.
        reason: why no more can be said, or what else was seen.
        effect, low, high: the difference or number with its 95 % interval, None where there is none.
        unit: of these: points (of percent), cosine, grey levels, ratio, correlation.
        seeds: how many it rests on.
        p_values: of both directions, None where nothing is tested.
        p: adjusted within the family.
        detectable: the true difference that such a run finds with 80 % power.
        part: the profile that it is of, where several are checked together and it is of one.
    """

    claim: Claim
    about: Comparison | None
    verdict: Verdict
    reason: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = POINTS
    seeds: int = 0
    p_values: PValues | None = None
    p: float | None = None
    detectable: float | None = None
    part: str = ""

    @property
    def published(self) -> str:
        """What the paper prints for it; behind the column where that is another one than was compared."""
        printed = self.about.published if self.about else ()
        same = all(column in ("", self.about.column) for column, _ in printed) if self.about else True
        return "; ".join(str(value) if same else f"{column} {value}" for column, value in printed)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold the parts that claims are checked on, each part of the store read once."""

    parts: tuple[Results, ...]
    _plans: dict[int, AssessmentPlan] = field(default_factory=dict, repr=False)

    @cached_property
    def pairing(self) -> Pairing:
        """Compare rows over all parts."""
        return Pairing(self.parts)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of every part."""
        return tuple(self.parts[0].matrix.spec.seeds)

    def named(self) -> Mapping[str, Results]:
        """Return the parts by the name of their profile; a single one has no need of one."""
        if len(self.parts) == 1:
            return {"": self.parts[0]}
        return {part.matrix.profile or "": part for part in self.parts}

    def plan(self, part: Results) -> AssessmentPlan:
        """Return what `faceassay quality` measures of a part.

        Raises:
            FaceassayError: when the matrix has no judge, or it or the data are refused.
        """
        from faceassay.assessing.graph import expand_assessment

        if id(part) not in self._plans:
            self._plans[id(part)] = expand_assessment(part.matrix)
        return self._plans[id(part)]


def command(part: Results, *words: str) -> str:
    """Return a command about the matrix of a part: ``faceassay run PATH --profile NAME``."""
    verb, *options = words
    profile = ["--profile", part.matrix.profile] if part.matrix.profile else []
    return shlex.join(["faceassay", *verb.split(), str(part.matrix.path), *profile, *options])


def not_run(claim: Claim, about: Comparison, reason: str, part: str = "") -> Finding:
    """Return that a comparison was not run, and what it needs."""
    return Finding(claim, about, Verdict.NOT_RUN, reason, part=part)
