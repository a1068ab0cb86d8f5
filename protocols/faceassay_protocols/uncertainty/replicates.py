"""Own the bootstrap replicates of metrics, drawn from the pack alone. Makes no interval of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceassay.contracts import IntArray
from faceassay_protocols.uncertainty.curve import share
from faceassay_protocols.uncertainty.draws import identity_draws
from faceassay_protocols.uncertainty.weights import PairMetric, PairScores, Values, weight_blocks

WEIGHTS_AT_A_TIME = 2**22
"""Weights held at once: 32 MiB of int64."""

REPLICATES_AT_A_TIME = 256


def pair_replicates(scores: PairScores, metrics: Sequence[PairMetric], replicates: int) -> Values:
    """Return the metrics of resampled pairs, float64 [R, M]; NaN where a replicate leaves a metric undefined.

    Identities are resampled where they are known, else pairs within each fold and class (see `weight_blocks`). The
    draws depend on people, folds and labels only: replicates of two recognizers on one pack are paired, row by row.
    """
    size = max(1, min(REPLICATES_AT_A_TIME, WEIGHTS_AT_A_TIME // len(scores.similarities)))
    measures = [metric.on(scores) for metric in metrics]
    blocks = [
        np.column_stack([measure(weights) for measure in measures])
        for weights in weight_blocks(scores, replicates, size)
    ]
    return np.concatenate([np.empty((0, len(metrics))), *blocks])


def rank_replicates(rank: IntArray, probe_ids: IntArray, ranks: Sequence[int], replicates: int) -> Values:
    """Return the identification rates at ``ranks`` (length K) of resampled identities, float64 [R, K].

    The identities of the probes are drawn, each with all its probes; the gallery stays as it is, so the intervals do
    not cover another choice of mates or distractors.

    Args:
        rank: rank of each probe from 1, int64 [P].
        probe_ids: identity of each probe, int64 [P].
        ranks: at which to count.
        replicates: rows, R.
    """
    people, person = np.unique(probe_ids, return_inverse=True)
    draws = identity_draws(len(people), replicates)
    within = np.column_stack([np.bincount(person[rank <= k], minlength=len(people)) for k in ranks])
    return share(draws @ within, (draws @ np.bincount(person))[:, None])
