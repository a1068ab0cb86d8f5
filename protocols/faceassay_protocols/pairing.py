"""Own which pairs a set of labelled faces yields: folds of people, same and different pairs. Compares no image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray


@dataclass(frozen=True, eq=False)
class PairList:
    """List pairs of images fold by fold, in each fold the same pairs before the different ones (LFW's layout).

    Attributes:
        first, second: rows of the two images in the dataset, int64 [N].
        is_same: bool [N].
        fold: 0 to folds-1, int64 [N].
    """

    first: IntArray
    second: IntArray
    is_same: NDArray[np.bool_]
    fold: IntArray


def fold_pairs(labels: IntArray, people: int, *, folds: int, same_per_fold: int | None, seed: int) -> PairList:
    """Deal people into folds and list balanced pairs of each fold.

    People 0 to ``people``-1 are dealt in order into ``folds`` folds of equal numbers of people, so no person is in two
    folds. A fold has as many same as different pairs: all its same pairs, at most ``same_per_fold`` of them, and no
    more than it has different pairs. What is not taken whole is drawn without replacement by ``seed`` and the fold.

    Args:
        labels: person of each image, int64 [N].
        people: number of people.
        folds: number of folds, at least 2.
        same_per_fold: the limit on same pairs of a fold, or None.
        seed: 0 or more; the same seed and labels give the same pairs.

    Raises:
        DataError: when the people cannot be dealt evenly, or a fold would hold pairs of one class only.
    """
    if people % folds:
        raise DataError(f"{people} people cannot be dealt evenly into {folds} folds: {_remedy(people, folds)}")
    share = people // folds
    parts = []
    for fold in range(folds):
        rows = _rows_by_person(labels, fold * share, (fold + 1) * share)
        same, different = _possible_pairs(labels[rows])
        if not same.total or not different.total:
            counts = f"{share} people, {same.total} same and {different.total} different pairs"
            raise DataError(f"fold {fold + 1} of {folds} has {counts}: use fewer folds or people with more images")
        count = min(same.total, different.total, same_per_fold or same.total)
        generator = np.random.default_rng([seed, fold])
        parts.append(rows[np.concatenate([kind.drawn(count, generator) for kind in (same, different)])])
    sizes = [len(part) for part in parts]
    first, second = np.concatenate(parts).T
    is_same = np.concatenate([np.repeat([True, False], size // 2) for size in sizes])
    return PairList(first, second, is_same, np.repeat(np.arange(folds), sizes))


@dataclass(frozen=True, eq=False)
class _PossiblePairs:
    """Number the pairs in which image i meets the ``partners[i]`` images from ``first_partner[i]`` on, both int64 [N].

    They are numbered, never listed: a fold of 50,000 images has more than a billion.
    """

    first_partner: IntArray
    partners: IntArray

    @property
    def total(self) -> int:
        return int(self.partners.sum())

    def drawn(self, count: int, generator: np.random.Generator) -> IntArray:
        """Draw ``count`` pairs without replacement, int64 [count, 2], in the order of their numbers."""
        ends = np.cumsum(self.partners)
        numbers = np.sort(generator.choice(self.total, count, replace=False, shuffle=False))
        image = np.searchsorted(ends, numbers, side="right")
        return np.stack([image, self.first_partner[image] + numbers - (ends - self.partners)[image]], axis=1)


def _possible_pairs(labels: IntArray) -> tuple[_PossiblePairs, _PossiblePairs]:
    """Return the same and the different pairs of images whose ``labels`` are sorted."""
    own = np.arange(len(labels))
    next_person = np.searchsorted(labels, labels, side="right")
    return _PossiblePairs(own + 1, next_person - own - 1), _PossiblePairs(next_person, len(labels) - next_person)


def _remedy(people: int, folds: int) -> str:
    choices = [str(count) for count in range(2, people // 2 + 1) if people % count == 0]
    remedies = [f"set folds to {' or '.join(choices)}"] if choices else []
    if people >= 2 * folds:
        remedies.append(f"keep {people - people % folds} people")
    return ", or ".join(remedies) or f"{2 * folds} people or more are needed"


def _rows_by_person(labels: IntArray, start: int, stop: int) -> IntArray:
    rows = np.flatnonzero((labels >= start) & (labels < stop))
    return rows[np.argsort(labels[rows], kind="stable")]
