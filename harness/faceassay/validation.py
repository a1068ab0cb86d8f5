"""Own how a state of a training is measured on validation images: which pairs, and the area under the ROC curve.

Which images may validate, and what becomes of the scores, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceassay import seeds
from faceassay.contracts import FaceassayError, FaceDataset, FloatArray, ImageBatch, IntArray

IMAGES_AT_ONCE, PAIRS_AT_ONCE = 64, 4096
"""Fixed, since an embedding's bytes depend on the batch that the image is in."""
CACHED_BYTES = 256 * 2**20
"""Images that decode to at most this much are read once and kept."""
IMAGES_OF_PAIRS = 4
"""Images that two pairs, one of each kind, have at most."""


@dataclass(frozen=True, eq=False)
class PairValidation:
    """Measure a recognizer on pairs of images, as ``faceassay.contracts.Validation`` asks.

    Attributes:
        data: the images; at least two people, one of them with two images.
        checks: states of a training to choose from.
        limit: largest number of same pairs, and of different pairs.
    """

    data: FaceDataset
    checks: int
    limit: int

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the images and of all that decides a score."""
        said = f"{self.data.fingerprint} {self.checks} {self.limit}"
        return hashlib.sha256(said.encode()).hexdigest()

    def points(self, updates: int) -> tuple[int, ...]:
        """Return after how many of ``updates`` optimizer steps a state is measured: ceil(i x updates / checks)."""
        return tuple(dict.fromkeys(-(-i * updates // self.checks) for i in range(1, self.checks + 1)))

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """Image numbers of the same and of the different pairs, int64 [P, 2] each."""
        return same_pairs(self.data.labels, self.limit), different_pairs(self.data.labels, self.limit)

    @cached_property
    def rows(self) -> IntArray:
        """Numbers of the images that are in a pair, rising."""
        return np.unique(np.concatenate(self.pairs))

    @property
    def images(self) -> int:
        """How many images ``score`` embeds."""
        return len(self.rows)

    def score(self, embed: Callable[[ImageBatch], FloatArray]) -> float:
        """Return the area under the ROC curve of the cosines of the pairs, 0 to 1.

        Args:
            embed: returns the embeddings [B, d] of images uint8 [B, S, S, 3]; they are neither mirrored nor added up.

        Raises:
            FaceassayError: when an embedding is not finite.
        """
        embedded = np.concatenate([embed(images) for images in self._batches()]).astype(np.float64)
        if not np.isfinite(embedded).all():
            raise FaceassayError("embeddings of the validation images are not finite: lower the learning rate")
        lengths = np.linalg.norm(embedded, axis=1, keepdims=True)
        unit = embedded / np.where(lengths > 0, lengths, 1)
        same, different = (_cosines(unit, np.searchsorted(self.rows, pairs)) for pairs in self.pairs)
        return area_under_curve(same, different)

    def _batches(self) -> Iterator[ImageBatch]:
        kept = self._kept
        for start in range(0, self.images, IMAGES_AT_ONCE):
            part = slice(start, start + IMAGES_AT_ONCE)
            yield self.data.images(self.rows[part]) if kept is None else kept[part]

    @cached_property
    def _kept(self) -> ImageBatch | None:
        fits = self.images * self.data.image_size**2 * 3 <= CACHED_BYTES
        return self.data.images(self.rows) if fits else None


def area_under_curve(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """Return the chance that a same pair scores above a different one, ties counting half (Mann-Whitney U / n m).

    Args:
        same, different: their scores, float64 [n] and [m], each with at least one.
    """
    ordered = np.sort(different)
    below, not_above = np.searchsorted(ordered, same, "left"), np.searchsorted(ordered, same, "right")
    return float(below.sum() + not_above.sum()) / (2 * len(same) * len(different))


def same_pairs(labels: IntArray, limit: int) -> IntArray:
    """Return pairs of images of one person, int64 [P, 2]: all, or a fixed sample of ``limit`` without repetition.

    Args:
        labels: person of each image, int64 [N].
        limit: largest number of pairs.
    """
    order, starts, counts = _grouped(labels)
    ends = np.cumsum(counts * (counts - 1) // 2)
    number = _drawn(int(ends[-1]), limit, "same pairs of validation")
    person = np.searchsorted(ends, number, side="right")
    first, second = _unranked(number - np.concatenate([[0], ends])[person])
    return np.stack([order[starts[person] + first], order[starts[person] + second]], axis=1)


def different_pairs(labels: IntArray, limit: int) -> IntArray:
    """Return pairs of images of two people, int64 [P, 2]: all, or a fixed sample of ``limit`` without repetition.

    Args:
        labels: person of each image, int64 [N].
        limit: largest number of pairs.
    """
    order, starts, counts = _grouped(labels)
    behind = len(labels) - starts - counts
    ends = np.cumsum(counts * behind)
    number = _drawn(int(ends[-1]), limit, "different pairs of validation")
    person = np.searchsorted(ends, number, side="right")
    first, second = np.divmod(number - np.concatenate([[0], ends])[person], behind[person])
    return np.stack([order[starts[person] + first], order[len(labels) - behind[person] + second]], axis=1)


def _grouped(labels: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the images ordered by person, and where each person starts in it with how many images."""
    counts = np.bincount(labels).astype(np.int64)
    return np.argsort(labels, kind="stable"), np.cumsum(counts) - counts, counts


def _drawn(total: int, limit: int, purpose: str) -> IntArray:
    """Return ``limit`` numbers below ``total``, rising, or all where there are no more; the same for every training."""
    if total <= limit:
        return np.arange(total, dtype=np.int64)
    random = seeds.generator(seeds.derive(0, purpose))
    return np.sort(random.choice(total, limit, replace=False, shuffle=False))


def _unranked(number: IntArray) -> tuple[IntArray, IntArray]:
    """Return i < j of each number j (j - 1) / 2 + i."""
    second = ((1 + np.sqrt(1 + 8 * number)) / 2).astype(np.int64)
    second -= second * (second - 1) // 2 > number
    second += second * (second + 1) // 2 <= number
    return number - second * (second - 1) // 2, second


def _cosines(unit: NDArray[np.float64], pairs: IntArray) -> NDArray[np.float64]:
    parts = (pairs[start : start + PAIRS_AT_ONCE] for start in range(0, len(pairs), PAIRS_AT_ONCE))
    return np.concatenate([np.einsum("ij,ij->i", unit[part[:, 0]], unit[part[:, 1]]) for part in parts])
