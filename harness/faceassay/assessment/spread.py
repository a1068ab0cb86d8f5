"""Own how different the images of one class are among themselves: in their pixels and in their attributes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceDataset, FloatArray, ImageBatch, IntArray

Numbers = NDArray[np.float64]
CHUNK = 64
"""Images in memory together."""


def pair_difference(batches: Iterable[ImageBatch]) -> float:
    """Return the root mean square difference over all pairs of images, pixels and channels, in grey levels.

    In closed form and whole numbers: the sum over pairs of |x_i - x_j|^2 is n sum of |x|^2 - |sum of x|^2.

    Args:
        batches: uint8 [B, H, W, 3] each, all images of a class.

    Returns:
        0 to 255, NaN for fewer than two images.
    """
    count, squares, total = 0, 0, np.zeros(0, np.int64)
    for batch in batches:
        flat = batch.reshape(len(batch), -1).astype(np.int64)
        count, squares = count + len(flat), squares + int((flat**2).sum())
        total = flat.sum(0) if not total.size else total + flat.sum(0)
    if count < 2:
        return math.nan
    over_pairs = count * squares - int((total**2).sum())
    return math.sqrt(over_pairs / (count * (count - 1) / 2 * total.size))


def pixel_spread(data: FaceDataset, progress: Callable[[int, int], None] = lambda done, total: None) -> Numbers:
    """Return ``pair_difference`` of every class of a set, float64 [L]."""
    order, labels = np.argsort(data.labels, kind="stable"), np.sort(data.labels, kind="stable")
    bounds = np.searchsorted(labels, np.arange(len(data.identities) + 1))
    spread = np.full(len(data.identities), np.nan)
    for label, (start, stop) in enumerate(pairwise(bounds)):
        rows = (order[at : min(at + CHUNK, stop)] for at in range(start, stop, CHUNK))
        spread[label] = pair_difference(data.images(part) for part in rows)
        progress(int(stop), len(order))
    return spread


def attribute_spread(values: FloatArray, labels: IntArray, classes: int) -> Numbers:
    """Return the sample standard deviation of each attribute in each class, float64 [L, A].

    Args:
        values: float32 [N, A], NaN where unknown: left out.
        labels: int64 [N].
        classes: L.

    Returns:
        In the attributes' units; NaN where a class has fewer than two known values.
    """
    columns = [_spread(column.astype(np.float64), labels, classes) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.empty((classes, 0))


def _spread(values: Numbers, labels: IntArray, classes: int) -> Numbers:
    known = np.isfinite(values)
    own, values = labels[known], values[known]
    counts = np.bincount(own, minlength=classes)
    means = np.bincount(own, values, classes) / np.maximum(counts, 1)
    squares = np.bincount(own, (values - means[own]) ** 2, classes)
    able = counts > 1
    variances: Numbers = np.divide(squares, counts - 1, out=np.full(classes, np.nan), where=able)
    return np.sqrt(variances)
