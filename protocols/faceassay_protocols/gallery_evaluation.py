"""Own what a pack of probes and a gallery is worth: identification rates, intervals and the scores behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceassay.contracts import Curve, Evaluation, Features
from faceassay_protocols.embeddings import combined
from faceassay_protocols.identification import RankedProbes, rank_probes, share_within
from faceassay_protocols.packs import GalleryPack
from faceassay_protocols.scores import ALL_ALIKE, all_alike
from faceassay_protocols.uncertainty.intervals import percentile_intervals
from faceassay_protocols.uncertainty.replicates import rank_replicates
from faceassay_protocols.wording import flip_word

CURVE_RANKS = 100


def rank_ids(ranks: Sequence[int], flip: bool, convention: str = "") -> tuple[str, ...]:
    """Return the identities of the identification rates at ``ranks``, each rank once."""
    words = "/".join(part for part in (convention, "cosine", flip_word(flip)) if part)
    return tuple(f"rank:{k}/{words}" for k in dict.fromkeys(ranks))


def evaluate_ranks(
    pack: GalleryPack,
    features: Features,
    ranks: Sequence[int],
    *,
    flip: bool,
    replicates: int,
    convention: str = "",
    caution: str = "",
) -> Evaluation:
    """Compute the identification rates at ``ranks``, by the cosine of raw embeddings.

    Keeps per probe ``rank-FLIP`` (from 1, see `rank_probes`), ``mate_score-FLIP`` (cosine of its best mate) and
    ``probe_identity`` (index into the pack's people); and the ``replicates`` of the rates. The bootstrap draws the
    identities of the probes; the gallery is fixed.

    Args:
        pack: probes and gallery.
        features: embeddings of the pack's images.
        ranks: at which to count.
        flip: whether the mirrored images count.
        replicates: bootstrap replicates behind the intervals; 0 for none.
        convention: name in the identities of the metrics.
        caution: what a reader of each metric must know.

    Raises:
        DataError: when the features do not belong to the pack, or are NaN or zero (names the images).
    """
    each, names = list(dict.fromkeys(ranks)), rank_ids(ranks, flip, convention)
    embeddings, probes = combined(features, flip=flip, names=pack.names), len(pack.probe_ids)
    ranked = rank_probes(embeddings[:probes], embeddings[probes:], pack.probe_ids, pack.gallery_ids)
    drawn = rank_replicates(ranked.rank, pack.probe_ids, each, replicates)
    bootstrap = percentile_intervals(drawn, "identities") if replicates else []
    caution = ALL_ALIKE if _all_tied(ranked, pack) else caution
    return Evaluation(
        metrics=dict(zip(names, share_within(ranked.rank, each), strict=True)),
        scores={
            f"rank-{flip_word(flip)}": ranked.rank,
            f"mate_score-{flip_word(flip)}": ranked.mate_score,
            "probe_identity": pack.probe_ids,
            "replicates": drawn,
        },
        curves={"cmc": _curve(ranked.rank, len(pack.gallery_ids))},
        notes={"interval_population": "identities of the probes; the gallery is fixed"},
        intervals={name: [interval] for name, interval in zip(names, bootstrap, strict=False)},
        cautions=dict.fromkeys(names, caution) if caution else {},
    )


def _all_tied(ranked: RankedProbes, pack: GalleryPack) -> bool:
    """Tell whether all images score alike: no image of another person falls behind a mate, and mates score the same."""
    mates = np.bincount(pack.gallery_ids[pack.gallery_ids >= 0])[pack.probe_ids]
    return bool((ranked.rank > len(pack.gallery_ids) - mates).all()) and all_alike(ranked.mate_score)


def _curve(rank: np.ndarray, gallery: int) -> Curve:
    ranks = range(1, min(CURVE_RANKS, gallery) + 1)
    return Curve(np.array(ranks, dtype=np.float64), np.array(share_within(rank, ranks)), "rank", "identification rate")
