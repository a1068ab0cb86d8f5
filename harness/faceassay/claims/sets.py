"""Own claims about synthetic sets: what `faceassay quality` measured of their classes, over seeds and identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.assessing.graph import Assessed, AssessmentPlan
from faceassay.assessment.resampling import drawn_identities
from faceassay.claims.findings import Evidence, Finding, command, not_run
from faceassay.claims.verdicts import PValues, Verdict, p_values, within
from faceassay.contracts import FaceassayError
from faceassay.graph import Stage
from faceassay.inference import Effect, effect
from faceassay.inputs import open_artifact
from faceassay.paired import generators_read
from faceassay.results import Results
from faceassay.spec.claims import Claim, Comparison
from faceassay.states import settled_stages

Numbers = NDArray[np.float64]
UNITS: Mapping[str, str] = {"pixel_diversity": "grey levels"}
COSINE = "cosine"


class Lacking(Exception):
    """Say what is not there."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Hold a measure of the classes of one set.

    Attributes:
        values: one for each class, float64 [L], NaN where it has none.
        identities: names of the classes.
        asked: what tells apart the identities that its plan asked for.
    """

    values: Numbers
    identities: tuple[str, ...]
    asked: str


def of_sets(evidence: Evidence, claim: Claim, about: Comparison) -> Iterator[Finding]:
    """Yield what the classes of one or two rows say, for each part; verdicts await the rest of the family."""
    for name, part in evidence.named().items():
        unit = UNITS.get(claim.entry.quality or "", COSINE)
        try:
            rows = [_of_seeds(evidence, part, row, claim.entry.quality or "") for row in (about.lhs, about.rhs) if row]
        except Lacking as lacking:
            yield not_run(claim, about, str(lacking), name)
            continue
        means, replicates = _levels(rows[0]) if len(rows) == 1 else _differences(*rows)
        generators = generators_read(part.matrix, part.graph, about.lhs, about.rhs or about.lhs)
        finding = Finding(claim, about, Verdict.INCONCLUSIVE, unit=unit, seeds=len(means), part=name)
        yield _judged(finding, means, replicates, generators)


def _judged(
    finding: Finding, means: Sequence[float], replicates: Sequence[Numbers], generators: tuple[int, ...] | None
) -> Finding:
    if not np.isfinite(means).all():
        return replace(finding, reason=f"of a seed no class has a number of {finding.claim.entry.quality}")
    measured = replace(finding, effect=float(np.mean(means)))
    try:
        found = effect(means, replicates, generators)
    except ValueError as error:
        return replace(measured, reason=str(error))
    low, high = found.interval()
    return replace(measured, low=low, high=high, p_values=_p_values(finding, found))


def _p_values(finding: Finding, found: Effect) -> PValues:
    entry = finding.claim.entry
    if entry.bounds:
        return within(found, *entry.bounds)
    return p_values(entry.kind, found, entry.margin.value if entry.margin else 0.0)


def _levels(sets: Sequence[Classes]) -> tuple[list[float], list[Numbers]]:
    """Return of each seed the mean over classes, and its replicates."""
    return [_mean(one.values) for one in sets], [_resampled(one.values) for one in sets]


def _differences(ours: Sequence[Classes], theirs: Sequence[Classes]) -> tuple[list[float], list[Numbers]]:
    """Return of each seed the difference of the means, and its replicates.

    Where both sets were asked for the same identities these are drawn together, else apart.
    """
    means, replicates = [], []
    for one, other in zip(ours, theirs, strict=True):
        if one.asked == other.asked and sorted(one.identities) == sorted(other.identities):
            place = {name: row for row, name in enumerate(other.identities)}
            between = one.values - other.values[[place[name] for name in one.identities]]
            means.append(_mean(between))
            replicates.append(_resampled(between))
        else:
            means.append(_mean(one.values) - _mean(other.values))
            replicates.append(_resampled(one.values) - _resampled(other.values, stream=1))
    return means, replicates


def _mean(values: Numbers) -> float:
    """Return the mean of what is known, NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _resampled(values: Numbers, stream: int = 0) -> Numbers:
    """Return the mean over the identities of each draw, float64 [R].

    Identities without a number are drawn too: where they differ from seed to seed, draw r still holds the same people.
    """
    return np.array([_mean(values[drawn]) for drawn in drawn_identities(len(values), stream)])


def _of_seeds(evidence: Evidence, part: Results, row: str, quality: str) -> list[Classes]:
    """Return what was measured of the sets of a row, one for each seed.

    Raises:
        Lacking: when it is not in the store.
    """
    try:
        plan = evidence.plan(part)
    except FaceassayError as error:
        raise Lacking(str(error)) from error
    if absent := [text for name, text in plan.absent if name == row]:
        raise Lacking(f"row {row!r} is absent: {'; '.join(absent)}")
    sets = [one for one in plan.sets if row in one.methods]
    by_seed = [next((one for one in sets if not one.seeds or seed in one.seeds), None) for seed in evidence.seeds]
    found = [_classes(part, plan, one, quality) for one in by_seed if one is not None]
    if not found:
        raise Lacking(f"row {row!r} has no synthetic set")
    return found


def _classes(part: Results, plan: AssessmentPlan, one: Assessed, quality: str) -> Classes:
    measured, settled = one.agreement if quality == "agreement" else one.classes, settled_stages(plan.graph, part.store)
    if measured is None:
        raise Lacking(f"the plan of row {one.methods[0]!r} asks for no identities: {quality} means nothing")
    if not isinstance(one.source, Stage):
        raise Lacking(f"row {one.methods[0]!r} trains on data, which no seed varies")
    if measured.digest not in settled:
        raise Lacking(
            f"{quality.replace('_', ' ')} of row {one.methods[0]!r} was not measured: {command(part, 'quality')}"
        )
    data, found = open_artifact(one.source, part.store), open_artifact(measured, part.store)
    agreement = open_artifact(one.agreement, part.store) if one.agreement and one.agreement.digest in settled else None
    values = MEASURES[quality](found, data).astype(np.float64)
    return Classes(values, tuple(data.identities), agreement.asked if agreement else "")


MEASURES: Mapping[str, Callable[[Any, Any], NDArray[Any]]] = {
    "consistency": lambda measured, data: measured.consistency,
    "separation": lambda measured, data: measured.separation,
    "pixel_diversity": lambda measured, data: measured.pixel_spread,
    "agreement": lambda agreement, data: agreement.class_means(data.labels, len(data.identities)),
}
"""Where each measure of classes is found."""
