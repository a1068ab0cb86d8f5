"""Own the measures of the classes of one set by unit embeddings, in closed form from their sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.assessment.neighbours import Nearest, nearest
from faceassay.contracts import FloatArray, IntArray

Numbers = NDArray[np.float64]
BLOCK = 8192
"""Embeddings in memory together."""


@dataclass(frozen=True, eq=False)
class ClassSums:
    """Hold what the measures need of L classes of unit embeddings.

    Attributes:
        counts: images of each class, int64 [L].
        sums: sum of its embeddings, float64 [L, d].
        squares: sum of their squared lengths, float64 [L]: the count but for rounding.
    """

    counts: IntArray
    sums: Numbers
    squares: Numbers

    @classmethod
    def of(cls, embeddings: FloatArray, labels: IntArray, classes: int) -> ClassSums:
        """Add up unit embeddings [N, d] (may be memory-mapped) by their labels, int64 [N]."""
        sums, squares = np.zeros((classes, embeddings.shape[1])), np.zeros(classes)
        for start in range(0, len(labels), BLOCK):
            order = np.argsort(labels[start : start + BLOCK], kind="stable")
            block = np.asarray(embeddings[start : start + BLOCK])[order].astype(np.float64)
            present, first = np.unique(labels[start : start + BLOCK][order], return_index=True)
            sums[present] += np.add.reduceat(block, first)
            squares[present] += np.add.reduceat((block**2).sum(1), first)
        return cls(np.bincount(labels, minlength=classes).astype(np.int64), sums, squares)

    def centres(self) -> tuple[FloatArray, IntArray]:
        """Return the unit mean embeddings, float32 [K, d], and their K classes: those whose mean has a direction."""
        lengths = np.linalg.norm(self.sums, axis=1)
        known = np.flatnonzero(lengths > 1e-6 * np.maximum(self.counts, 1))
        return (self.sums[known] / lengths[known, None]).astype(np.float32), known


def consistency(classes: ClassSums) -> Numbers:
    """Return the mean cosine over the pairs of images of each class, float64 [L]; NaN for fewer than two images.

    The sum over pairs i < j of e_i.e_j is (|sum of e|^2 - sum of |e|^2) / 2.
    """
    pairs = classes.counts * (classes.counts - 1.0)
    twice = (classes.sums**2).sum(1) - classes.squares
    mean: Numbers = np.divide(twice, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return mean


def separation(classes: ClassSums) -> Nearest:
    """Return the cosine of each class centre to the nearest other one, and whose it is; NaN and -1 without any."""
    centres, known = classes.centres()
    found = nearest(centres, centres, known, known)
    cosines, rows = np.full(len(classes.counts), np.nan, np.float32), np.full(len(classes.counts), -1)
    cosines[known], rows[known] = found.cosines, np.where(found.rows < 0, -1, known[found.rows])
    return Nearest(cosines, rows)


def leave_one_out(embeddings: FloatArray, labels: IntArray, classes: ClassSums) -> FloatArray:
    """Return the cosine of each image to the centre of the other images of its class, float32 [N]; NaN without any."""
    cosines = np.full(len(labels), np.nan, np.float32)
    for start in range(0, len(labels), BLOCK):
        block, own = np.asarray(embeddings[start : start + BLOCK], np.float64), labels[start : start + BLOCK]
        others = classes.sums[own] - block
        lengths = np.linalg.norm(others, axis=1)
        able = (classes.counts[own] > 1) & (lengths > 1e-6)
        cosines[start : start + BLOCK][able] = (block * others).sum(1)[able] / lengths[able]
    return cosines
