"""Own what the field knows of the five pair sets (and CFP-FF): sizes and order. Opens nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faceassay_protocols.packs import BoolArray

FOLDS = 10


@dataclass(frozen=True)
class KnownPairs:
    """Say how the pair set that the field uses looks like.

    Attributes:
        name: name of the benchmark.
        pairs: number of pairs, half of them same; each of the ten folds holds its same pairs before its different ones.
        title: name in messages.
    """

    name: str
    pairs: int
    title: str

    def deviations(self, is_same: BoolArray, place: str) -> Iterator[str]:
        """Yield in one sentence each how a pack in its order differs from the known one: size, balance, order."""
        same, total = int(is_same.sum()), len(is_same)
        if total != self.pairs:
            yield f"{place}: {total} pairs, {self.title} has {self.pairs}: this is not the known pack"
        if 2 * same != total:
            yield f"{place}: {same} same and {total - same} different pairs, {self.title} has as many of both"
        elif total % (2 * FOLDS) or not np.array_equal(is_same, fold_order(total)):
            half = self.pairs // FOLDS // 2
            yield (
                f"{place}: the pairs do not run {half} same, {half} different in each of {FOLDS} folds: "
                "folds of another order give another accuracy"
            )


KNOWN: Mapping[str, KnownPairs] = {
    name: KnownPairs(name, pairs, title)
    for name, pairs, title in (
        ("lfw", 6000, "LFW"),
        ("cfp-fp", 7000, "CFP-FP"),
        ("cfp-ff", 7000, "CFP-FF"),
        ("agedb-30", 6000, "AgeDB-30"),
        ("calfw", 6000, "CALFW"),
        ("cplfw", 6000, "CPLFW"),
    )
}


def fold_order(pairs: int) -> BoolArray:
    """Return the labels of ``pairs`` pairs in ten folds, each with its same pairs first, bool [pairs]."""
    half = pairs // FOLDS // 2
    return np.tile(np.repeat([True, False], half), FOLDS)
