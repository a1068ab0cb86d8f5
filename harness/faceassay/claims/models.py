"""Own claims about generators and what they cost: evaluations, the optimum of a search, how two spaces agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from faceassay.claims.findings import Evidence, Finding, command, not_run
from faceassay.claims.verdicts import Verdict
from faceassay.contracts import FaceassayError
from faceassay.expand import expand_figure
from faceassay.graph import Stage
from faceassay.inputs import open_artifact
from faceassay.results import Results
from faceassay.spec.claims import Claim, Comparison
from faceassay.states import settled_stages

SIGNAL = "distance-signal"
"""The figure beside which the agreement of both spaces lies."""


def evaluations_ratio(evidence: Evidence, claim: Claim, about: Comparison) -> Iterator[Finding]:
    """Yield how the network evaluations that were counted for an image of two rows compare; counts are exact."""
    for name, part in evidence.named().items():
        pairs = [(_counted(part, about.lhs, seed), _counted(part, about.rhs, seed)) for seed in evidence.seeds]
        lacking = [row for row in (about.lhs, about.rhs) if not part.graph.rows[row].syntheses]
        if lacking:
            yield not_run(claim, about, f"row {lacking[0]!r} samples nothing", name)
        elif any(None in pair for pair in pairs):
            yield not_run(claim, about, f"both rows need images: {command(part, 'run')}", name)
        else:
            ratios = {lhs / rhs for lhs, rhs in pairs if lhs is not None and rhs}
            right = ratios == {Fraction(str(claim.entry.ratio))}
            counts = ", ".join(dict.fromkeys(f"{lhs} and {rhs}" for lhs, rhs in pairs))
            value = float(next(iter(ratios))) if len(ratios) == 1 else None
            verdict = Verdict.SUPPORTED if right else Verdict.CONTRADICTED
            reason = f"{counts} evaluations an image, as counted"
            yield Finding(claim, about, verdict, reason, value, unit="ratio", seeds=len(pairs), part=name)


def _counted(part: Results, row: str, seed: int) -> Fraction | None:
    """Return the evaluations of one image of a row, None where it was not made."""
    stage = part.graph.rows[row].syntheses.get(seed)
    record = part.record(stage) if stage and stage.digest in part.settled else None
    return Fraction(record["cost"]["network_evaluations"], stage.work) if record and stage else None


def interior_argmax(evidence: Evidence, claim: Claim, about: Comparison) -> Iterator[Finding]:
    """Yield whether the best weights of the search of a row lie inside its grid, not on its border."""
    for name, part in evidence.named().items():
        syntheses = part.graph.rows[about.lhs].syntheses.values()
        needed = [stage for synthesis in syntheses for stage in part.graph.ancestors(synthesis)]
        searches = {stage.digest: stage for stage in needed if stage.kind == "search"}
        if not searches:
            yield not_run(claim, about, f"row {about.lhs!r} searches for no weights: set alpha: null, beta: null", name)
        elif not searches.keys() <= {*part.settled}:
            yield not_run(claim, about, f"the search of row {about.lhs!r} was not run: {command(part, 'run')}", name)
        else:
            found = [open_artifact(stage, part.store) for stage in searches.values()]
            yield _optimum(claim, about, found, name)


def _optimum(claim: Claim, about: Comparison, found: list[Any], part: str) -> Finding:
    if any("cells" not in search for search in found):
        return not_run(claim, about, f"the search of row {about.lhs!r} is not one over a grid of weights", part)
    inside = all(_is_inside(search) for search in found)
    where = "; ".join(dict.fromkeys(f"({search['alpha']:g}, {search['beta']:g})" for search in found))
    verdict = Verdict.SUPPORTED if inside else Verdict.CONTRADICTED
    return Finding(
        claim, about, verdict, f"largest at {where}; no sampling error is given", seeds=len(found), part=part
    )


def _is_inside(search: Any) -> bool:
    weights = {cell[name] for cell in search["cells"] for name in ("alpha", "beta")}
    return all(min(weights) < search[name] < max(weights) for name in ("alpha", "beta"))


def unrelated(evidence: Evidence, claim: Claim, about: Comparison) -> Iterator[Finding]:
    """Yield whether recognizer and generator agree on which classes are far apart (Spearman over pairs, CKA).

    Of the pairs of these models the correlation is no estimate. It is unrelated within the margin, related beyond it
    where permuted classes hardly ever give as much, and in between nobody can say.
    """
    for name, part in evidence.named().items():
        drawn = f"figure {SIGNAL}"
        try:
            stage, settled = _signal(part)
        except FaceassayError as error:
            yield not_run(claim, about, str(error), name)
            continue
        if stage.absent:
            yield not_run(claim, about, "; ".join(stage.absent), name)
        elif stage.digest not in settled:
            yield not_run(claim, about, f"{drawn} was not drawn: {command(part, drawn)}", name)
        else:
            files = {path.name: path for path in open_artifact(stage, part.store)}
            told = json.loads(files["correlation.json"].read_text(encoding="utf-8"))
            yield _related(claim, about, told, name)


def _signal(part: Results) -> tuple[Stage, frozenset[str]]:
    """Return the stage of the figure as it is drawn by default, and what of its graph is settled."""
    from faceassay.registry import load_plugins

    figure: Any = load_plugins().get("figure", SIGNAL)
    graph = expand_figure(part.matrix, figure(), None, part.matrix.spec.seeds[0])
    return graph.targets()[0], settled_stages(graph, part.store)


def _related(claim: Claim, about: Comparison, told: Any, part: str) -> Finding:
    rank, margin = told["spearman"], claim.entry.margin.value if claim.entry.margin else 0.0
    verdict = Verdict.SUPPORTED if abs(rank["value"]) <= margin else Verdict.INCONCLUSIVE
    if verdict is Verdict.INCONCLUSIVE and rank["p_value"] <= 0.05:
        verdict = Verdict.CONTRADICTED
    reason = (
        f"Spearman over {told['pairs']} pairs, p by {told['permutations']} permutations of the classes; "
        f"CKA {told['cka']['value']:.3f} (p = {told['cka']['p_value']:.2g}); one generator and recognizer"
    )
    return Finding(
        claim, about, verdict, reason, rank["value"], unit="correlation", seeds=1, p=rank["p_value"], part=part
    )
