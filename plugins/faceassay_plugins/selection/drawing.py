"""Own random pairs and larger mixes of classes: distinct, uniform, the same for the same seed."""

from __future__ import annotations

import itertools
import math

import numpy as np

from faceassay.contracts import IntArray
from faceassay.seeds import derive, generator
from faceassay_plugins.selection.capping import require_pairs, walk_capped
from faceassay_plugins.selection.numbering import pair_count, pairs_numbered


def random_pairs(classes: int, count: int, seed: int, *, max_uses: int | None = None) -> IntArray:
    """Draw distinct pairs of classes, uniformly and without replacement.

    Args:
        classes: number of classes, at least 2.
        count: number of pairs, at most classes * (classes - 1) / 2.
        seed: methods with the same seed draw the same pairs.
        max_uses: a class is in at most so many of the pairs; pairs are drawn one after the other and those with a
            class that is used up are passed over.

    Returns:
        int64 [count, 2] with i < j in each row.

    Raises:
        ValueError: when there are fewer pairs than asked for, or the drawing gets stuck under ``max_uses``.
    """
    require_pairs(classes, count, max_uses)
    if max_uses is None:
        chosen = generator(seed).choice(pair_count(classes), size=count, replace=False)
        return pairs_numbered(chosen, classes)
    rounds = itertools.count()

    def shuffled(remaining: IntArray, ahead: int) -> IntArray:
        return remaining[random_pairs(len(remaining), ahead, derive(seed, "round", {"round": next(rounds)}))]

    return walk_capped(shuffled, classes, count, max_uses)


def random_mixes(classes: int, size: int, count: int, seed: int) -> IntArray:
    """Draw distinct sets of ``size`` classes, uniformly and without replacement; pairs are those of ``random_pairs``.

    Returns:
        int64 [count, size], ascending in each row.

    Raises:
        ValueError: when there are fewer such sets than asked for.
    """
    available = math.comb(classes, size)
    if count > available:
        raise ValueError(f"{classes} classes make {available} mixes of {size}, {count} are asked for: lower 'pairs'")
    if size == 2:
        return random_pairs(classes, count, seed)
    rng = generator(seed)
    if count > available // 2:
        everything = np.array(list(itertools.combinations(range(classes), size)), dtype=np.int64)
        return everything[rng.choice(available, size=count, replace=False)]
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:  # at least every second set is new
        drawn = np.sort(rng.integers(0, classes, (count, size)), axis=1)
        found |= dict.fromkeys(map(tuple, drawn[(np.diff(drawn) > 0).all(1)].tolist()))
    return np.array(list(found)[:count], dtype=np.int64)
