"""Own the limits of a selection: how many pairs there are, and how often a class may be used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from faceassay.contracts import IntArray
from faceassay_plugins.selection.numbering import pair_count

Ranking = Callable[[IntArray, int], IntArray]
"""Give the first N pairs among some classes (int64, ascending), int64 [N, 2] with i < j, in the order of selection."""

ALL_AT_ONCE = 2**18
"""So many pairs, or fewer, are ranked in one go; more are ranked as far as the walk gets."""


def require_pairs(classes: int, count: int, max_uses: int | None = None, name: str = "pairs") -> None:
    """Check that ``classes`` classes have ``count`` pairs, each class in at most ``max_uses`` of them.

    Args:
        name: the parameter to lower, for the error.

    Raises:
        ValueError: when they do not, or ``count`` is negative.
    """
    available = pair_count(classes)
    if count < 0:
        raise ValueError(f"{count} pairs are asked for: '{name}' must be at least 0")
    if count > available:
        raise ValueError(f"{classes} classes make {available} pairs, {count} are asked for: lower '{name}'")
    if max_uses is not None and count > classes * max_uses // 2:
        raise ValueError(
            f"{classes} classes used at most {max_uses} times each make {classes * max_uses // 2} pairs at most, "
            f"{count} are asked for: raise 'max_uses' or lower '{name}'"
        )


def walk_capped(ranking: Ranking, classes: int, count: int, max_uses: int) -> IntArray:
    """Take pairs in the order of ``ranking``, leaving out those with a class that has been used ``max_uses`` times.

    What is left once a class is full is ranked anew without it, so the whole order is never listed: among classes that
    are not full, every pair before the place that the walk has reached was taken.

    Returns:
        int64 [count, 2] in the order of the ranking.

    Raises:
        ValueError: when the walk ends before ``count`` pairs are found; a greedy choice can get stuck.
    """
    taken: dict[tuple[int, int], None] = {}
    uses = [0] * classes
    while len(taken) < count:
        remaining = np.flatnonzero(np.array(uses) < max_uses)
        available = pair_count(len(remaining))
        ahead = available if available <= ALL_AT_ONCE else min(available, 4 * count)
        if not _take(ranking(remaining, ahead).tolist() if ahead else [], taken, uses, count, max_uses):
            raise ValueError(
                f"only {len(taken)} of {count} pairs found with max_uses={max_uses}: every other pair has a class that "
                "is used up; raise 'max_uses' or lower 'pairs'"
            )
    return np.array(list(taken), dtype=np.int64).reshape(-1, 2)


def _take(
    pairs: list[tuple[int, int]], taken: dict[tuple[int, int], None], uses: list[int], count: int, max_uses: int
) -> bool:
    before = len(taken)
    for i, j in pairs:
        if len(taken) == count:
            break
        if uses[i] < max_uses and uses[j] < max_uses and (i, j) not in taken:
            taken[i, j] = None
            uses[i] += 1
            uses[j] += 1
    return len(taken) > before
