"""Every pair of some vectors in order, one distance at a time, and the greedy choice among them."""

from __future__ import annotations

import itertools

import numpy as np


def distance(a, b, metric):
    """Return the distance of two vectors in float64."""
    a, b = np.float64(a), np.float64(b)
    if metric == "l2":
        return float(np.sqrt(np.einsum("d,d->", a - b, a - b)))
    return float(1 - np.einsum("d,d->", a / np.linalg.norm(a), b / np.linalg.norm(b)))


def brute_force(centres, order, metric):
    """Return every pair in order."""
    sign = 1 if order == "closest" else -1
    everything = itertools.combinations(range(len(centres)), 2)
    return sorted(everything, key=lambda p: (sign * distance(centres[p[0]], centres[p[1]], metric), *p))


def capped(pairs, count, max_uses):
    """Return the greedy choice; fewer than ``count`` where it gets stuck."""
    chosen, uses = [], dict.fromkeys(itertools.chain(*pairs), 0)
    for i, j in pairs:
        if len(chosen) < count and max(uses[i], uses[j]) < max_uses:
            chosen.append((i, j))
            uses[i] += 1
            uses[j] += 1
    return chosen
