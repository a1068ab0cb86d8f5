"""Own the numbers of the dataset quality report: read from the store, each with what it is of and its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from faceassay.assessing.graph import Assessed, AssessmentPlan, Source
from faceassay.assessment.classes import Numbers
from faceassay.assessment.resampling import METHOD, Estimate, class_mean, image_mean, share
from faceassay.contracts import FaceDataset, Interval
from faceassay.graph import Stage
from faceassay.inputs import open_artifact
from faceassay.stages.classes import Measured
from faceassay.stages.neighbours import Neighbours
from faceassay.statistics import resampled_mean
from faceassay.store import Store

CALIBRATED_AT = 0.95
SEPARATION, LARGEST = "separation of classes", "separation of classes, the two nearest"
CONSISTENCY, PIXELS = "consistency within a class", "pixel diversity within a class"
ATTRIBUTE, DISTANCE, HALVES = "attribute diversity within a class", "attribute distance", "attribute distance, halves"
NEAREST, NEARER, COPIES = "nearest training image", "nearer than calibrated", "copies of training images"
AGREEMENT, ANCHORS = "agreement with its own recognizer, which the method used", "nearest other anchor"
OF_CLASSES = (CONSISTENCY, SEPARATION, AGREEMENT)
"""Measures of each class, which two sets of the same identities can be compared by."""
FEWEST = {SEPARATION: 3, ANCHORS: 3}
"""Classes that an interval takes: of two, both have the cosine between them."""


class Number(NamedTuple):
    """Hold one number of one set: which measure, of what (an attribute), and the estimate."""

    measure: str
    about: str
    estimate: Estimate


@dataclass(frozen=True)
class Calibration:
    """Say from which cosine a nearest training image counts as nearer than strangers have one.

    Attributes:
        threshold: 95 % quantile.
        images: how many it is of.
        on: which.
    """

    threshold: float
    images: int
    on: str


@dataclass(frozen=True, eq=False)
class SetNumbers:
    """Hold what was measured of one set.

    Attributes:
        name: of the rows, or what set it is.
        seeds: as text.
        images, classes: counts.
        numbers: in the order in which they are shown.
        by_class: of each measure of classes, one number for each, float64 [L].
        identities: names of the classes.
        counts: images of each class.
        asked: what tells apart the identities that plans asked for; empty where none were.
        neighbours: the nearest training images.
        attributes: what was compared of each attribute.
        notes: what a reader must know.
    """

    name: str
    seeds: str
    images: int
    classes: int
    numbers: tuple[Number, ...]
    by_class: Mapping[str, Numbers]
    identities: tuple[str, ...]
    counts: tuple[int, ...]
    asked: str
    neighbours: Neighbours
    attributes: Sequence[Mapping[str, Any]]
    notes: tuple[str, ...]

    def number(self, measure: str, about: str = "") -> Estimate | None:
        """Return one number, None where the set has none."""
        found = (one.estimate for one in self.numbers if (one.measure, one.about) == (measure, about))
        return next(found, None)


class Reader:
    """Read the numbers of the sets of a plan whose stages are all there."""

    def __init__(self, plan: AssessmentPlan, store: Store) -> None:
        self.plan = plan
        self.store = store
        self.calibration = self._calibration()
        self._overall: dict[str, float] = {}

    def real(self) -> SetNumbers:
        """Return the numbers of the real training images."""
        return self._of(self.plan.real, f"real images, data {self.plan.real.source.name!r}")  # type: ignore[union-attr]

    def synthetic(self, assessed: Assessed) -> SetNumbers:
        """Return the numbers of a synthetic set."""
        return self._of(assessed, "; ".join(assessed.methods))

    def held_out(self) -> Neighbours | None:
        """Return the nearest training images of the held-out ones, None without any."""
        held_out = self.plan.held_out
        return self._open(held_out.neighbours) if held_out else None

    def shared_with_held_out(self) -> list[str]:
        """Return which held-out images are images that something was trained on, by their pixels."""
        stages = [self.plan.held_out.neighbours if self.plan.held_out else None, self.plan.apart]
        return [name for stage in stages if stage for name in self._open(stage).copied]

    def _calibration(self) -> Calibration:
        held_out = self.held_out()
        found: Neighbours = held_out or self._open(self.plan.real.neighbours)
        known = found.cosines[np.isfinite(found.cosines)]
        threshold = float(np.quantile(known, CALIBRATED_AT)) if len(known) else float("nan")
        return Calibration(
            threshold,
            len(known),
            "held-out images" if held_out else "real images, each compared with those of other people",
        )

    def _of(self, assessed: Assessed, name: str) -> SetNumbers:
        data: FaceDataset = self._images(assessed.source)
        measured: Measured = self._open(assessed.classes)
        neighbours: Neighbours = self._open(assessed.neighbours)
        compared = self._open(assessed.distribution) if assessed.distribution else []
        agreement = self._open(assessed.agreement) if assessed.agreement else None
        by_class = {CONSISTENCY: measured.consistency, SEPARATION: measured.separation.astype(np.float64)}
        if agreement:
            by_class[AGREEMENT] = agreement.class_means(data.labels, len(data.identities))
        numbers = [
            *self._class_numbers(measured, assessed),
            *self._neighbour_numbers(neighbours, data),
            *(number for entry in compared for number in _distances(entry)),
        ]
        if agreement:
            numbers.append(Number(AGREEMENT, "", image_mean(agreement.cosines, data.labels, len(data.identities))))
            anchors = class_mean(agreement.anchors, "anchors", FEWEST[ANCHORS])
            numbers += [Number(ANCHORS, "", anchors)] if len(agreement.anchors) else []
            numbers += [Number(f"search: {key}", "", Estimate(v, None, 1)) for key, v in agreement.searched.items()]
        seeds = ", ".join(map(str, assessed.seeds))
        notes = tuple(_notes(assessed, measured))
        return SetNumbers(
            name, seeds, len(data), len(data.identities), tuple(numbers), by_class,
            tuple(data.identities), tuple(measured.counts.tolist()),
            agreement.asked if agreement else "", neighbours, compared, notes,
        )  # fmt: skip

    def _class_numbers(self, measured: Measured, assessed: Assessed) -> Iterator[Number]:
        yield Number(CONSISTENCY, "", class_mean(measured.consistency))
        separation = measured.separation.astype(np.float64)
        yield Number(SEPARATION, "", class_mean(separation, fewest=FEWEST[SEPARATION]))
        known = measured.separation[np.isfinite(measured.separation)]
        yield Number(LARGEST, "", Estimate(float(known.max()) if len(known) else float("nan"), None, len(known)))
        yield Number(PIXELS, "", class_mean(measured.pixel_spread))
        for column, name in enumerate(assessed.attributes):
            overall = self._overall_deviations()[name]
            values = measured.attribute_spread[:, column]
            yield Number(ATTRIBUTE, name, class_mean(values / overall if overall > 0 else np.full(len(values), np.nan)))

    def _neighbour_numbers(self, found: Neighbours, data: FaceDataset) -> Iterator[Number]:
        known = found.cosines[np.isfinite(found.cosines)]
        yield Number(NEAREST, "", image_mean(found.cosines, data.labels, len(data.identities)))
        yield Number(NEARER, "", share(int((known > self.calibration.threshold).sum()), len(known)))
        yield Number(COPIES, "", Estimate(float(found.copies), None, len(data)))

    def _overall_deviations(self) -> Mapping[str, float]:
        """Return the sample deviation of each attribute over all real images, by name."""
        if not self._overall:
            told = [s for name, s in _inputs(self.plan.real.classes).items() if name.startswith("attributes")]
            for table in map(self._open, told):
                for column, values in zip(table.columns, table.values.T.astype(np.float64), strict=True):
                    known = values[np.isfinite(values)]
                    self._overall[column.name] = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        return self._overall

    def _images(self, source: Source) -> FaceDataset:
        data: FaceDataset = self._open(source) if isinstance(source, Stage) else source.open()
        return data

    def _open(self, stage: Stage | None) -> Any:
        return open_artifact(stage, self.store) if stage else None


def _inputs(stage: Stage | None) -> dict[str, Stage]:
    return stage.stages() if stage else {}


def _distances(entry: Mapping[str, Any]) -> Iterator[Number]:
    """Yield the distance of an attribute's distribution from the real one, in real deviations."""
    deviation = entry.get("deviation_real")
    if not deviation:
        return
    found = resampled_mean([entry["replicates"] / deviation])
    limits = Interval(found.low, found.high, "identities of both sets", METHOD) if found else None
    yield Number(DISTANCE, entry["name"], Estimate(entry["distance"] / deviation, limits, entry["known"]))
    if entry["halves_real"] is not None:
        yield Number(HALVES, entry["name"], Estimate(entry["halves_real"] / deviation, None, entry["known_real"]))


def _notes(assessed: Assessed, measured: Measured) -> Iterator[str]:
    single, empty = int((measured.counts == 1).sum()), int((measured.counts == 0).sum())
    if single:
        yield f"{single} of {len(measured.counts)} classes have one image: they have no consistency and no diversity"
    if empty:
        yield f"{empty} of {len(measured.counts)} classes have no image"
    if assessed.untold:
        yield f"attributes that cannot be told of these images are left out: {', '.join(assessed.untold)}"
