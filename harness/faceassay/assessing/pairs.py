"""Own the differences between two sets of the same identities, paired by identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faceassay.assessing.numbers import FEWEST, OF_CLASSES, SetNumbers
from faceassay.assessment.resampling import Estimate, class_mean


class Difference(NamedTuple):
    """Hold by how much a measure of one set is above that of another."""

    name: str
    against: str
    seeds: str
    measure: str
    estimate: Estimate


def differences(sets: Sequence[SetNumbers], against: str | None = None) -> list[Difference]:
    """Return the differences of each set to the first one that shares its seeds, identities and images per identity.

    Sets whose plans asked for identities are compared with those that were asked for the same.

    Args:
        sets: in the order of rows.
        against: name of the row that all are compared with in place of the first, whatever they were asked for.
    """
    return [difference for group in _comparable(sets, against is None) for difference in _within(group, against)]


def _comparable(sets: Sequence[SetNumbers], same_asked: bool) -> list[list[SetNumbers]]:
    groups: dict[tuple[object, ...], list[SetNumbers]] = {}
    for one in sets:
        images = tuple(sorted(zip(one.identities, one.counts, strict=True)))
        groups.setdefault((one.seeds, images, one.asked if same_asked else ""), []).append(one)
    return list(groups.values())


def _within(group: Sequence[SetNumbers], against: str | None) -> Iterator[Difference]:
    reference = next((one for one in group if against is None or against in one.name.split("; ")), None)
    for one in group if reference else ():
        if reference is not None and one is not reference:
            place = {name: row for row, name in enumerate(reference.identities)}
            order = [place[name] for name in one.identities]
            for measure in OF_CLASSES:
                if measure in one.by_class and measure in reference.by_class:
                    values = one.by_class[measure] - reference.by_class[measure][order]
                    estimate = class_mean(values, fewest=FEWEST.get(measure, 2))
                    yield Difference(one.name, reference.name, one.seeds, measure, estimate)
