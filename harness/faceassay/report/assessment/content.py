"""Own what the dataset quality report shows, collected once for Markdown, CSV and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceassay.assessing.graph import Assessed, AssessmentPlan
from faceassay.assessing.numbers import DISTANCE, HALVES, Calibration, Number, Reader, SetNumbers
from faceassay.assessing.pairs import Difference, differences
from faceassay.assessment.overlap import Verdict, together
from faceassay.assessment.resampling import Estimate
from faceassay.contracts import FaceassayError
from faceassay.graph import Stage
from faceassay.inputs import open_artifact
from faceassay.spec import MatrixSpec
from faceassay.stages.neighbours import Neighbours
from faceassay.store import Store

ABSENT = "absent: "


@dataclass(frozen=True)
class OverlapLine:
    """Hold the verdicts on one set and one benchmark; none where it could not be looked at."""

    name: str
    seeds: str
    benchmark: str
    verdicts: Mapping[str, Verdict]
    trouble: str = ""

    @property
    def word(self) -> str:
        """The verdict in one word."""
        return together(list(self.verdicts.values())) if self.verdicts else "unknown"


@dataclass(frozen=True, eq=False)
class Content:
    """Hold all that the report shows.

    Attributes:
        matrix: whose it is.
        plan: what was measured.
        real: the training images.
        sets: the synthetic sets, one for each row and seed; rows that share a set share a line.
        held_out: the nearest training images of the held-out people.
        calibration: from where on an image counts as near.
        overlaps: of every set with every benchmark, the training images first.
        differences: paired.
        against: the row that differences were asked to be against.
        lacking: (row, why) of what has no numbers.
    """

    matrix: MatrixSpec
    plan: AssessmentPlan
    real: SetNumbers
    sets: tuple[SetNumbers, ...]
    held_out: Neighbours | None
    calibration: Calibration
    overlaps: tuple[OverlapLine, ...]
    differences: tuple[Difference, ...]
    against: str | None
    lacking: tuple[tuple[str, str], ...]

    def beside(self, number: Number, of: SetNumbers) -> Estimate | None:
        """Return the same number of the real images; for a distance that between two halves of their people."""
        if number.measure == DISTANCE:
            return of.number(HALVES, number.about)
        return self.real.number(number.measure, number.about)


def collected(
    matrix: MatrixSpec, plan: AssessmentPlan, store: Store, failures: Mapping[str, str], against: str | None = None
) -> Content:
    """Read everything from the store.

    Args:
        matrix, plan, store: what was measured and where it is.
        failures: digest of a failed stage -> reason.
        against: row that all others are compared with.

    Raises:
        FaceassayError: when the real or the held-out images could not be measured, or held-out images were trained on.
    """
    first = [plan.real, *([plan.held_out] if plan.held_out else [])]
    broken = [reason for one in first for reason in _reasons(one.stages(), failures)]
    broken += _reasons([plan.apart] if plan.apart else [], failures)
    if broken:
        raise FaceassayError("; ".join(dict.fromkeys(broken)))
    reader = Reader(plan, store)
    if shared := reader.shared_with_held_out():
        raise FaceassayError(
            f"images of data {matrix.spec.held_out!r} were trained on ({'; '.join(shared)}): "
            "name people as held_out that nothing was trained on"
        )
    whole = [one for one in plan.sets if not _reasons(one.stages(), failures)]
    lacking = [("; ".join(one.methods), why) for one in plan.sets for why in _reasons(one.stages(), failures)]
    sets = tuple(reader.synthetic(one) for one in whole)
    return Content(
        matrix=matrix,
        plan=plan,
        real=(real := reader.real()),
        sets=sets,
        held_out=reader.held_out(),
        calibration=reader.calibration,
        overlaps=tuple(_overlaps(matrix, [(real, plan.real), *zip(sets, whole, strict=True)], store, failures)),
        differences=tuple(differences(sets, against)),
        against=against,
        lacking=(*((name, f"{ABSENT}{text}") for name, text in plan.absent), *lacking),
    )


def _reasons(stages: Sequence[Stage], failures: Mapping[str, str]) -> list[str]:
    return [f"{stage.title}: {failures[stage.digest]}" for stage in stages if stage.digest in failures]


def _overlaps(
    matrix: MatrixSpec, sets: Sequence[tuple[SetNumbers, Assessed]], store: Store, failures: Mapping[str, str]
) -> Iterator[OverlapLine]:
    for numbers, assessed in sets:
        for benchmark in matrix.benchmarks:
            stage = assessed.overlaps.get(benchmark.name)
            about = numbers.name, numbers.seeds, benchmark.name
            if stage is None:
                yield OverlapLine(*about, {}, f"{ABSENT}{benchmark.absent or 'its data is not there'}")
            elif stage.digest in failures:
                yield OverlapLine(*about, {}, failures[stage.digest])
            else:
                found: Mapping[str, Any] = open_artifact(stage, store)
                yield OverlapLine(*about, found["verdicts"])
