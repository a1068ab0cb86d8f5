"""Own the check of all claims of a matrix: each comparison by the reader of its kind, then verdicts by family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from faceassay.claims import models, sets
from faceassay.claims.cells import of_cells
from faceassay.claims.findings import Evidence, Finding, not_run
from faceassay.claims.verdicts import Outcome, PValues, Verdict, as_one_of_several, every, judged, not_all
from faceassay.results import Results
from faceassay.spec.claim_entries import OF_TWO_ROWS
from faceassay.spec.claims import Claim, Comparison

Reader = Callable[[Evidence, Claim, Comparison], Iterator[Finding]]
NOT_ALL = "not_all_greater"
READERS: Mapping[str, Reader] = {
    "within": sets.of_sets,
    "evaluations_ratio": models.evaluations_ratio,
    "interior_argmax": models.interior_argmax,
    "unrelated": models.unrelated,
}
"""What reads the store for kinds of claims that are not about a difference of two rows."""
TESTED = OF_TWO_ROWS | {"within"}
"""Kinds whose verdict rests on a p-value that is adjusted."""
UNTESTED = PValues(1.0, 1.0)


def check_claims(parts: Sequence[Results]) -> list[Finding]:
    """Check the claims of a matrix against its results, or against those of cross-fitted profiles of it together.

    Returns:
        The findings in the order of the file; what is claimed of several comparisons together stands before these.
    """
    evidence, claims = Evidence(tuple(parts)), parts[0].matrix.claims
    found = [(claim, list(_findings(evidence, claim))) for claim in (claims.claims if claims else ())]
    families: dict[str, list[Finding]] = {}
    for claim, findings in found:
        families.setdefault(claim.family, []).extend(one for one in findings if _counts(one))
    outcomes = {id(one): outcome for family in families.values() for one, outcome in _judged(family)}
    return [line for claim, findings in found for line in _lines(claim, findings, outcomes)]


def _findings(evidence: Evidence, claim: Claim) -> Iterator[Finding]:
    differs = sets.of_sets if claim.entry.quality else of_cells
    for about in claim.comparisons:
        if claim.entry.needs:
            yield not_run(claim, about, f"needs {claim.entry.needs}")
        elif about.left_out:
            yield not_run(claim, about, about.left_out)
        else:
            yield from READERS.get(claim.entry.kind, differs)(evidence, claim, about)


def _counts(one: Finding) -> bool:
    """Tell whether a finding is of a test of its family: one that this matrix can make, whether it gave a p or not.

    A comparison that failed or is yet to run counts, as in the report's differences: what is lacking makes none easier.
    """
    left_out = one.claim.entry.needs or (one.about and one.about.left_out)
    return bool(one.p_values) or (one.claim.entry.kind in TESTED and not left_out)


def _judged(family: Sequence[Finding]) -> Iterator[tuple[Finding, Outcome]]:
    outcomes = judged([one.p_values or UNTESTED for one in family])
    yield from ((one, outcome) for one, outcome in zip(family, outcomes, strict=True) if one.p_values)


def _lines(claim: Claim, findings: Sequence[Finding], outcomes: Mapping[int, Outcome]) -> Iterator[Finding]:
    """Yield the findings of a claim with their verdicts, behind what they say together where that is claimed."""
    several = claim.entry.kind == NOT_ALL
    if several or (claim.entry.every and len(findings) > 1):
        yield _together(claim, findings, outcomes)
    for one in findings:
        outcome = outcomes.get(id(one))
        if outcome and several:
            outcome = as_one_of_several(outcome)
        yield replace(one, verdict=outcome.verdict, p=outcome.p) if outcome else one


def _together(claim: Claim, findings: Sequence[Finding], outcomes: Mapping[int, Outcome]) -> Finding:
    tested = [one for one in findings if one.p_values]
    p_values: list[PValues] = [one.p_values for one in tested if one.p_values]
    rule, decisive = (not_all, Verdict.SUPPORTED) if claim.entry.kind == NOT_ALL else (every, Verdict.CONTRADICTED)
    outcome = rule(p_values, [outcomes[id(one)] for one in tested]) if tested else None
    seeds = min((one.seeds for one in tested), default=0)
    if outcome and (len(tested) == len(findings) or outcome.verdict is decisive):
        return Finding(claim, None, outcome.verdict, seeds=seeds, p=outcome.p)
    left = [one for one in findings if not one.p_values]
    verdict = Verdict.INCONCLUSIVE if any(one.verdict is not Verdict.NOT_RUN for one in findings) else Verdict.NOT_RUN
    reason = f"{len(left)} of {len(findings)} comparisons cannot be judged: {left[0].reason}"
    return Finding(claim, None, verdict, reason, seeds=seeds)
