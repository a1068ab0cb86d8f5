"""Own the checks of scores: one finite number and one label per pair, not all of them alike. Computes no metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceassay.contracts import DataError
from faceassay_protocols.wording import listed

ALIKE = {"float64": 1e-9, "float32": 2e-6}
"""Scores of unit vectors within this are one: float32 embeddings that are equal but for rounding come that close."""
ALL_ALIKE = "every pair scores the same: the embeddings are all alike, so this number says nothing of the recognizer"


def all_alike(scores: NDArray[np.floating]) -> bool:
    """Tell whether ``scores`` [N] (cosines or squared distances of unit vectors) differ by rounding only."""
    return bool(np.ptp(scores) <= ALIKE[scores.dtype.name])


def labelled(scores: ArrayLike, is_same: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return ``scores`` as float64 [N], or as the float32 that they are, and ``is_same`` as bool [N]; copies neither.

    Labels must be boolean already: a file that writes -1 for different would otherwise count every pair as same.

    Raises:
        DataError: when there are no pairs, the lengths differ, a label is not boolean, or a score is not finite
            (names the pairs).
    """
    values, same = np.asarray(scores), np.asarray(is_same)
    if values.dtype != np.float32:
        values = values.astype(np.float64, copy=False)
    if values.ndim != 1 or values.shape != same.shape or not len(values):
        raise DataError(f"scores {values.shape} and labels {same.shape}: give one label to each of at least one pair")
    if same.dtype != np.bool_:
        raise DataError(
            f"same/different labels must be boolean, not {same.dtype}: compare them with the value for same"
        )
    broken = ~np.isfinite(values)
    if broken.any():
        raise DataError(f"scores of pairs {listed(broken)} are NaN or infinite: check the embeddings they come from")
    return values, same
