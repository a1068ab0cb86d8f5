"""Own the choice of class pairs to mix. Knows nothing of how they are mixed."""

from __future__ import annotations

import numpy as np

from faceassay.contracts import IntArray
from faceassay.seeds import generator


def random_pairs(classes: int, count: int, seed: int) -> IntArray:
    """Draw distinct pairs of classes, uniformly and without replacement.

    Args:
        classes: number of classes, at least 2.
        count: number of pairs, at most classes * (classes - 1) / 2.
        seed: methods with the same seed draw the same pairs.

    Returns:
        int64 [count, 2] with i < j in each row.

    Raises:
        ValueError: when there are fewer pairs than asked for.
    """
    require_pairs(classes, count)
    chosen = generator(seed).choice(classes * (classes - 1) // 2, size=count, replace=False)
    # Pairs are numbered (0, 1), (0, 2), ..., (1, 2), ... and never listed: 200,000 classes make 20 billion.
    ends = np.cumsum(np.arange(classes - 1, 0, -1, dtype=np.int64))
    first = np.searchsorted(ends, chosen, side="right")
    return np.stack([first, chosen - ends[first] + classes], axis=1).astype(np.int64)


def require_pairs(classes: int, count: int) -> None:
    """Raise ValueError when ``classes`` classes have fewer than ``count`` pairs."""
    available = classes * (classes - 1) // 2
    if count > available:
        raise ValueError(f"{classes} classes make {available} pairs, {count} are asked for: lower 'pairs'")
