"""Own what makes a claim supported, contradicted or inconclusive: p-values of both directions, adjusted by family.

Pure functions on effects and p-values; where they come from is others' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from faceassay.inference import Effect, holm, intersection_union

LEVEL = 0.05


class Verdict(StrEnum):
    """What comes out for a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class PValues:
    """Hold the p-values of both directions of a claim.

    Attributes:
        toward: p of the hypothesis that the claim is not true; small where it is supported.
        away: p of the hypothesis that its contrary is not true; small where it is contradicted.
    """

    toward: float
    away: float


def p_values(kind: str, effect: Effect, margin: float = 0.0) -> PValues:
    """Test a claim about a difference.

    A one-sided p is doubled, so that a claim without margin is supported where the 95 % interval excludes 0 on the
    claimed side. Of the two one-sided tests of equivalence (Schuirmann 1987) the larger p is taken as it is.

    Args:
        kind: greater, less, greater_or_equal (non-inferiority: above ``-margin``), equivalent (within ``margin``), or
            not_all_greater: one comparison of several, for which less speaks.
        effect: the difference, lhs - rhs.
        margin: in the unit of the effect.
    """
    if kind == "equivalent":
        return within(effect, -margin, margin)
    shifted = -margin if kind == "greater_or_equal" else 0.0
    greater, less = _doubled(effect.p_greater(shifted)), _doubled(effect.p_less(shifted))
    return PValues(less, greater) if kind in ("less", "not_all_greater") else PValues(greater, less)


def within(effect: Effect, low: float, high: float) -> PValues:
    """Test that a number lies between two limits: two one-sided tests, of which the larger p is taken as it is."""
    outside = min(effect.p_greater(high), effect.p_less(low))
    return PValues(max(effect.p_greater(low), effect.p_less(high)), _doubled(outside))


@dataclass(frozen=True)
class Outcome:
    """Hold the verdict on one test, and its adjusted p: of the claim or of its contrary, whichever is smaller."""

    verdict: Verdict
    p: float


def judged(tests: Sequence[PValues]) -> list[Outcome]:
    """Judge the tests of a family: each by its smaller p, adjusted for their number (Holm), significant at 5 %."""
    adjusted = holm([min(test.toward, test.away) for test in tests])
    return [_outcome(test, p) for test, p in zip(tests, adjusted, strict=True)]


def every(tests: Sequence[PValues], outcomes: Sequence[Outcome]) -> Outcome:
    """Judge that a claim holds of every comparison (intersection-union).

    Supported only where each of them is, contradicted where one of them is significantly the other way.

    Args:
        tests: of the comparisons.
        outcomes: what each by itself comes out as, within its family.
    """
    against = [outcome.p for outcome in outcomes if outcome.verdict is Verdict.CONTRADICTED]
    if against:
        return Outcome(Verdict.CONTRADICTED, min(against))
    p = intersection_union([test.toward for test in tests])
    return Outcome(Verdict.SUPPORTED if p <= LEVEL else Verdict.INCONCLUSIVE, p)


def not_all(tests: Sequence[PValues], outcomes: Sequence[Outcome]) -> Outcome:
    """Judge that not every comparison is greater: supported by one that is less, contradicted where all are greater."""
    less = [outcome.p for outcome in outcomes if outcome.verdict is Verdict.SUPPORTED]
    if less:
        return Outcome(Verdict.SUPPORTED, min(less))
    p = intersection_union([test.away for test in tests])
    return Outcome(Verdict.CONTRADICTED if p <= LEVEL else Verdict.INCONCLUSIVE, p)


def as_one_of_several(outcome: Outcome) -> Outcome:
    """Return what one comparison says of "not all": a greater one contradicts nothing by itself."""
    alone = outcome.verdict is Verdict.CONTRADICTED
    return replace(outcome, verdict=Verdict.INCONCLUSIVE) if alone else outcome


def _outcome(test: PValues, p: float) -> Outcome:
    if p > LEVEL:
        return Outcome(Verdict.INCONCLUSIVE, p)
    return Outcome(Verdict.SUPPORTED if test.toward < test.away else Verdict.CONTRADICTED, p)


def _doubled(p: float) -> float:
    return min(1.0, 2 * p)
