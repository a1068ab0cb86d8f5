"""Own closed-set identification on arrays: the rank of each probe among mates and distractors. Knows no dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.blockwise import blocks
from faceassay_protocols.embeddings import Embeddings, Precision, require_usable
from faceassay_protocols.wording import listed

PROBES_AT_A_TIME = 4096
GALLERY_AT_A_TIME = 1024
"""Scores held at once: 32 MiB of float64 at most, about what the processor's cache holds."""

TIE = {"float64": 1e-12, "float32": 2e-6}
"""Cosines closer than this are tied, for a product of the same two vectors varies with the blocking and their scale.

Rounded to u at each of d steps, a sum that grows evenly to one goes astray by u sqrt(d) / 3 (one standard deviation,
errors taken as independent), the difference of two such sums by sqrt(2) times that. At 512 dimensions, three standard
deviations of it are 4e-15 in float64 (u = 2**-53) and 2e-6 in float32 (u = 2**-24).
"""


@dataclass(frozen=True, eq=False)
class RankedProbes:
    """Hold, for each probe, its ``rank`` (int64 [P], from 1) and the cosine of its best mate (float64 [P])."""

    rank: IntArray
    mate_score: NDArray[np.float64]


def rank_probes(
    probes: Embeddings,
    gallery: Embeddings,
    probe_ids: IntArray,
    gallery_ids: IntArray,
    *,
    dtype: Precision = "float64",
) -> RankedProbes:
    """Rank each probe's best mate among the gallery images of other identities, by cosine.

    The rank is 1 plus the number of gallery images that are not mates and score at least as high as the best mate.
    So "rank at most k" is the field's "any image of the same identity in the top k": further mates in between do not
    count. An image that ties with the best mate (see `TIE`) counts as ahead of it, so ties are never won.

    Args:
        probes: raw embeddings [P, d].
        gallery: raw embeddings [G, d]; read some rows at a time, so they may be memory-mapped.
        probe_ids: identity of each probe [P], 0 or more.
        gallery_ids: identity of each gallery image [G]; a negative one is a distractor, which is nobody's mate.
        dtype: what the cosines are computed in.

    Raises:
        DataError: when there is no probe, a number of identities is wrong, probes have no mate (says how many), or an
            embedding is NaN, infinite or of length zero (names the rows).
    """
    probe_ids, gallery_ids = np.asarray(probe_ids), np.asarray(gallery_ids)
    _require_mates(probes, gallery, probe_ids, gallery_ids)
    unit_probes = _UnitRows(probes, require_usable(probes, name="probes"), dtype)
    unit_gallery = _UnitRows(gallery, require_usable(gallery, name="gallery"), dtype)
    rank, mate_score = np.empty(len(probes), dtype=np.int64), np.empty(len(probes))
    for part in blocks(len(probes), PROBES_AT_A_TIME):
        ranked = _ranked(unit_probes[part], unit_gallery, probe_ids[part], gallery_ids)
        rank[part], mate_score[part] = ranked.rank, ranked.mate_score
    return RankedProbes(rank, mate_score)


@dataclass(frozen=True, eq=False)
class _UnitRows:
    """Scale rows of ``embeddings`` to length one when they are asked for."""

    embeddings: Embeddings
    lengths: NDArray[np.float64]
    dtype: Precision

    def __getitem__(self, rows: slice | IntArray) -> Embeddings:
        return np.divide(self.embeddings[rows], self.lengths[rows, None]).astype(self.dtype, copy=False)


def _ranked(probes: Embeddings, gallery: _UnitRows, probe_ids: IntArray, gallery_ids: IntArray) -> RankedProbes:
    """Rank unit ``probes`` [P, d]. Gallery images that are a mate of any are scored twice: for the best, for the rank.

    The blocks of the two passes are the same, so that a mate scores the same in both.
    """
    is_mated = np.isin(gallery_ids, probe_ids)
    mated, unmated = (_cut(np.flatnonzero(of)) for of in (is_mated, ~is_mated))
    mate_score = np.full(len(probes), -np.inf)
    for columns in mated:
        is_mate = probe_ids[:, None] == gallery_ids[columns]
        scores = np.where(is_mate, probes @ gallery[columns].T, -np.inf)
        np.maximum(mate_score, scores.max(axis=1), out=mate_score)
    bar = (mate_score - TIE[gallery.dtype]).astype(gallery.dtype)[:, None]
    rank = np.ones(len(probes), dtype=np.int64)
    for columns in mated:
        is_mate = probe_ids[:, None] == gallery_ids[columns]
        rank += ((probes @ gallery[columns].T >= bar) & ~is_mate).sum(axis=1, dtype=np.int32)
    for columns in unmated:
        rank += (probes @ gallery[columns].T >= bar).sum(axis=1, dtype=np.int32)
    return RankedProbes(rank, mate_score)


def _cut(columns: IntArray) -> list[IntArray]:
    return [columns[part] for part in blocks(len(columns), GALLERY_AT_A_TIME)]


def share_within(rank: IntArray, ranks: Sequence[int]) -> list[float]:
    """Return, for each k of ``ranks``, the share of probes whose ``rank`` (int64 [P]) is at most k.

    Raises:
        ValueError: when a k is below 1.
    """
    if any(k < 1 for k in ranks):
        raise ValueError(f"ranks count from 1 (got {', '.join(map(str, ranks))})")
    return [float(within) / len(rank) for within in np.searchsorted(np.sort(rank), ranks, side="right")]


def rank_rates(
    probes: Embeddings,
    gallery: Embeddings,
    probe_ids: IntArray,
    gallery_ids: IntArray,
    ranks: Sequence[int],
    *,
    dtype: Precision = "float64",
) -> list[float]:
    """Return the rank-k identification rate, 0 to 1, for each k of ``ranks``.

    See `rank_probes` for the arguments, the rule for ties and the errors, and `share_within` for ``ranks``.
    """
    return share_within(rank_probes(probes, gallery, probe_ids, gallery_ids, dtype=dtype).rank, ranks)


def _require_mates(probes: Embeddings, gallery: Embeddings, probe_ids: IntArray, gallery_ids: IntArray) -> None:
    if not len(probes):
        raise DataError("there are no probes to identify")
    for name, rows, ids in (("probes", probes, probe_ids), ("gallery", gallery, gallery_ids)):
        if ids.shape != (len(rows),):
            raise DataError(f"{name}: {len(rows)} embeddings and identities {ids.shape}: give one to each")
    alone = ~np.isin(probe_ids, gallery_ids[gallery_ids >= 0])
    if alone.any():
        raise DataError(f"probes {listed(alone)} have no mate in the gallery: enrol them or leave them out")
