"""Own how the rows of one column stand to the baseline and to one another: adjusted p, verdicts, ties. Words nothing.

A larger number counts as better.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from statistics import median

from faceassay.inference import Effect, detectable, holm
from faceassay.paired import Difference, Pairing

LEVEL, POWER = 0.05, 0.8
"""Error of each family of tests, and the probability with which a detectable difference is found."""
BETTER, WORSE, NOT_SEPARABLE, INCONCLUSIVE = "better", "worse", "not separable", "inconclusive"


@dataclass(frozen=True)
class Standing:
    """Hold how a row stands to the baseline in a column.

    Attributes:
        difference: the row minus the baseline.
        p: two-sided, Holm-adjusted within the column: a row that is inconclusive counts with p = 1. None for that row.
    """

    difference: Difference
    p: float | None

    @property
    def verdict(self) -> str:
        """One of the four words above."""
        effect = self.difference.effect
        if effect is None or self.p is None:
            return INCONCLUSIVE
        if self.p > LEVEL:
            return NOT_SEPARABLE
        return BETTER if effect.mean > 0 else WORSE

    @cached_property
    def detectable(self) -> float | None:
        """What could have been found at `LEVEL` (one test) with `POWER`; None where the variance is not known."""
        estimate = self.difference.estimate
        if estimate is None:
            return None
        return detectable(estimate.standard_error, estimate.degrees, level=LEVEL, power=POWER)


@dataclass(frozen=True)
class ColumnStandings:
    """Hold how the rows of a column stand.

    Attributes:
        standings: of every row but the baseline, in the order of the matrix.
        letters: of each row its letters: rows that share one are not separable. Rows without all numbers have none,
            and no row has any where nothing can be separated: too few seeds, no replicates.
        winner: the row that is better than every other, None where there is no such row.
    """

    standings: tuple[Standing, ...]
    letters: Mapping[str, str] = field(default_factory=dict)
    winner: str | None = None

    @property
    def detectable(self) -> float | None:
        """Median over the rows of what could have been found; None where it is known of none."""
        known = [standing.detectable for standing in self.standings if standing.detectable is not None]
        return median(known) if known else None


def standings(pairing: Pairing, members: Sequence[tuple[str, str]], means: Mapping[str, float]) -> ColumnStandings:
    """Return how the rows stand in the mean of ``members``, (benchmark, metric) each.

    Args:
        pairing: what compares the rows.
        members: the column.
        means: of each row that has a number for every seed, their mean.
    """
    matrix = pairing.parts[0].matrix
    baseline, rows = matrix.baseline, [method.name for method in matrix.methods]
    found = [pairing.difference(row, baseline, members) for row in rows if row != baseline]
    adjusted = holm([_p(difference.effect) for difference in found])
    against = tuple(
        Standing(difference, p if difference.effect else None) for difference, p in zip(found, adjusted, strict=True)
    )
    ranked = sorted(means, key=lambda row: -means[row])
    letters = _letters(pairing, members, ranked)
    alone = bool(letters) and sum(bool({*letters[ranked[0]]} & {*letters[row]}) for row in ranked) == 1
    return ColumnStandings(against, letters, ranked[0] if alone and len(ranked) == len(rows) > 1 else None)


def _letters(pairing: Pairing, members: Sequence[tuple[str, str]], ranked: Sequence[str]) -> dict[str, str]:
    """Return the letters of rows, best first, from all pairs of them, Holm-adjusted together."""
    pairs = list(combinations(ranked, 2))
    effects = [pairing.difference(one, other, members).effect for one, other in pairs]
    if not any(effects):
        return {}
    adjusted = holm([_p(effect) for effect in effects])
    apart = [pair for pair, p in zip(pairs, adjusted, strict=True) if p <= LEVEL]
    return tie_letters(ranked, apart)


def _p(effect: Effect | None) -> float:
    return 1.0 if effect is None else effect.p_different()


def tie_letters(ranked: Sequence[str], apart: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return letters such that two rows share one exactly where they are not ``apart``.

    The groups are made by inserting each pair and absorbing what lies within another group (Piepho 2004).

    Args:
        ranked: rows, best first; the first has the first letter.
        apart: pairs of rows that are separable.
    """
    groups = [frozenset(ranked)]
    for pair in apart:
        split = [group - {row} for group in groups if group >= {*pair} for row in pair]
        groups = list(dict.fromkeys([group for group in groups if not group >= {*pair}] + split))
        groups = [group for group in groups if not any(group < other for other in groups)]
    place = {row: number for number, row in enumerate(ranked)}
    groups.sort(key=lambda group: sorted(place[row] for row in group))
    return {row: "".join(_letter(i) for i, group in enumerate(groups) if row in group) for row in ranked}


def _letter(number: int) -> str:
    return string.ascii_letters[number] if number < len(string.ascii_letters) else f"({number})"
