"""Own claims about cells: the paired difference of two rows in a column, over seeds, people and parts."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from faceassay.claims.findings import Evidence, Finding, command, not_run
from faceassay.claims.verdicts import Verdict, p_values
from faceassay.inference import detectable
from faceassay.results import ABSENT, NOT_RUN, CellResult, Results
from faceassay.spec.claims import Claim, Comparison


def of_cells(evidence: Evidence, claim: Claim, about: Comparison) -> Iterator[Finding]:
    """Yield what the cells say of a comparison; its verdict awaits the rest of the family."""
    lacking = next(_lacking(evidence, about), None)
    if lacking:
        yield not_run(claim, about, lacking)
        return
    found = evidence.pairing.difference(about.lhs, about.rhs, about.members)
    values = [100 * value for value in found.values if value is not None]
    seeds, mean = len(values), fmean(values) if len(values) == len(evidence.seeds) else None
    if found.effect is None:
        yield Finding(claim, about, Verdict.INCONCLUSIVE, found.reason, mean, seeds=seeds)
        return
    low, high = found.effect.interval()
    margin = claim.entry.margin.value / 100 if claim.entry.margin else 0.0
    yield Finding(
        claim, about, Verdict.INCONCLUSIVE, "", mean, 100 * low, 100 * high, seeds=seeds,
        p_values=p_values(claim.entry.kind, found.effect, margin),
        detectable=100 * detectable(found.effect.standard_error, found.effect.degrees),
    )  # fmt: skip


def _lacking(evidence: Evidence, about: Comparison) -> Iterator[str]:
    """Yield what each cell without a number needs."""
    for part in evidence.parts:
        for benchmark in dict.fromkeys(benchmark for benchmark, _ in about.members):
            for row in (about.lhs, about.rhs):
                cells = [part.cell(row, benchmark, seed) for seed in evidence.seeds]
                yield from (_needed(part, cell) for cell in cells if cell.failure)


def _needed(part: Results, cell: CellResult) -> str:
    where, reason = f"row {cell.cell.method!r} on {cell.cell.benchmark}", cell.failure or NOT_RUN
    if reason.startswith(ABSENT):
        return f"{where} is {reason}"
    return f"{where} {'was ' if reason == NOT_RUN else ''}{reason}: {command(part, 'run')}"
