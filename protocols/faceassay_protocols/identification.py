"""Own closed-set identification on arrays: the rank of each probe among mates and distractors. Knows no dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.embeddings import Embeddings, unit_rows
from faceassay_protocols.wording import listed

SCORES_AT_A_TIME = 2**24
"""Scores held at once: 128 MiB of float64."""

TIE = 1e-12
"""Cosines closer than this are tied: a float64 product of the same two vectors varies by 1e-15 with the blocking."""


@dataclass(frozen=True, eq=False)
class RankedProbes:
    """Hold, for each probe, its ``rank`` (int64 [P], from 1) and the cosine of its best mate (float64 [P])."""

    rank: IntArray
    mate_score: NDArray[np.float64]


def rank_probes(probes: Embeddings, gallery: Embeddings, probe_ids: IntArray, gallery_ids: IntArray) -> RankedProbes:
    """Rank each probe's best mate among the gallery images of other identities, by cosine.

    The rank is 1 plus the number of gallery images that are not mates and score at least as high as the best mate.
    So "rank at most k" is the field's "any image of the same identity in the top k": further mates in between do not
    count. An image that ties with the best mate counts as ahead of it, so ties are never won.

    Args:
        probes: raw embeddings [P, d].
        gallery: raw embeddings [G, d].
        probe_ids: identity of each probe [P], 0 or more.
        gallery_ids: identity of each gallery image [G]; a negative one is a distractor, which is nobody's mate.

    Raises:
        DataError: when there is no probe, a number of identities is wrong, probes have no mate (says how many), or an
            embedding is NaN, infinite or of length zero (names the rows).
    """
    _require_mates(probes, gallery, probe_ids, gallery_ids)
    unit_probes, unit_gallery = unit_rows(probes, "probes"), unit_rows(gallery, "gallery")
    rank, mate_score = np.empty(len(probes), dtype=np.int64), np.empty(len(probes))
    for part in _blocks(len(probes), max(1, SCORES_AT_A_TIME // len(gallery))):
        scores = unit_probes[part] @ unit_gallery.T
        is_mate = probe_ids[part, None] == gallery_ids[None, :]
        mate_score[part] = np.max(scores, axis=1, where=is_mate, initial=-np.inf)
        ahead = (scores >= mate_score[part, None] - TIE) & ~is_mate
        rank[part] = 1 + np.count_nonzero(ahead, axis=1)
    return RankedProbes(rank, mate_score)


def share_within(rank: IntArray, ranks: Sequence[int]) -> list[float]:
    """Return, for each k of ``ranks``, the share of probes whose ``rank`` (int64 [P]) is at most k.

    Raises:
        ValueError: when a k is below 1.
    """
    if any(k < 1 for k in ranks):
        raise ValueError(f"ranks count from 1 (got {', '.join(map(str, ranks))})")
    return [float(within) / len(rank) for within in np.searchsorted(np.sort(rank), ranks, side="right")]


def rank_rates(
    probes: Embeddings, gallery: Embeddings, probe_ids: IntArray, gallery_ids: IntArray, ranks: Sequence[int]
) -> list[float]:
    """Return the rank-k identification rate, 0 to 1, for each k of ``ranks``.

    See `rank_probes` for the arguments, the rule for ties and the errors, and `share_within` for ``ranks``.
    """
    return share_within(rank_probes(probes, gallery, probe_ids, gallery_ids).rank, ranks)


def _require_mates(probes: Embeddings, gallery: Embeddings, probe_ids: IntArray, gallery_ids: IntArray) -> None:
    if not len(probes):
        raise DataError("there are no probes to identify")
    for name, rows, ids in (("probes", probes, probe_ids), ("gallery", gallery, gallery_ids)):
        if ids.shape != (len(rows),):
            raise DataError(f"{name}: {len(rows)} embeddings and identities {ids.shape}: give one to each")
    alone = ~np.isin(probe_ids, gallery_ids[gallery_ids >= 0])
    if alone.any():
        raise DataError(f"probes {listed(alone)} have no mate in the gallery: enrol them or leave them out")


def _blocks(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, start + size)
