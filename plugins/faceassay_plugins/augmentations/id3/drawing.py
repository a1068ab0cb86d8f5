"""Own the identity embeddings of a plan: every anchor's, at cosines drawn between two limits. Places no anchor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceassay.contracts import FloatArray
from faceassay.seeds import generator
from faceassay_plugins.identities import Code, around, within_cosines

COSINES, DIRECTIONS = 0, 1
"""Which of an anchor's streams of random numbers v and u are drawn from."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Hold the identity embeddings of all images, those of an anchor in a row.

    Attributes:
        identity: float32 [N m, d], unit rows.
        v: their cosines to their anchors, float32 [N m].
        mean_within, least_within: the cosines between two samples of one anchor, over all anchors; None for m = 1.
    """

    identity: FloatArray
    v: FloatArray
    mean_within: float | None
    least_within: float | None


def drawn_around(
    anchors: FloatArray,
    images: int,
    limits: tuple[float, float],
    seed: int,
    code: Code | None = None,
) -> Drawn:
    """Draw m identity embeddings around each anchor, v uniform in [lb, ub) (ID3, algorithm 3).

    Row (i, j) depends on the seed, anchor i, i and j alone, under a ``code`` on m too. One anchor is worked on at a
    time: beside the result nothing grows with their number.

    Args:
        anchors: unit rows, float32 [N, d].
        images: embeddings m of each.
        limits: lb and ub, -1 <= lb < ub <= 1.
        seed: of the randomness.
        code: see ``identities.around``.
    """
    low, high = limits
    count = len(anchors)
    identity = np.empty((count * images, anchors.shape[1]), dtype=np.float32)
    v = np.empty(count * images, dtype=np.float32)
    total, least, pairs = 0.0, 1.0, images * (images - 1) // 2
    for i, anchor in enumerate(anchors):
        rows = slice(i * images, (i + 1) * images)
        v[rows] = low + (high - low) * generator(seed, i, COSINES).random(images)
        identity[rows] = around(anchor, v[rows], generator(seed, i, DIRECTIONS), code)
        within = within_cosines(identity[rows])
        total, least = total + float(within.sum()), min(least, float(within.min(initial=1.0)))
    return Drawn(identity, v, total / (count * pairs) if pairs else None, least if pairs else None)
