"""Own how well scores separate same from different pairs, and when one preprocessing clearly does better than another.

The check must not cry wolf: a sentence of it makes people doubt their model. The samples are small, so an alternative
has to be better by more than chance and by more than trifles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError

Scores = NDArray[np.float64]

REPLICATES = 10_000
QUANTILE = 0.0005
"""Lower end of a two-sided 99.9 % interval."""
D_PRIME_RATIO = 1.15
AUC_GAIN = 0.005
FEWEST_PAIRS = 30
"""Of either kind; the bootstrap of fewer calls chance certain."""


@dataclass(frozen=True)
class Separation:
    """Hold how well a recognizer separates pairs.

    Attributes:
        auc: chance that a same pair scores higher than a different one, ties half; 0 to 1.
        d_prime: distance of the two means in units of the root mean of the two variances.
    """

    auc: float
    d_prime: float


def cosines(first: NDArray[np.floating], second: NDArray[np.floating]) -> Scores:
    """Return the cosine of each two rows, float64 [K]; 0 where one is zero or not finite: it says nothing."""
    one, two = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(all="ignore"):
        cosine = (one * two).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1))
    return np.where(np.isfinite(cosine), cosine, 0.0)


def separation(scores: Scores, is_same: NDArray[np.bool_]) -> Separation:
    """Return AUC (Mann and Whitney 1947) and d' of ``scores`` float64 [K] with labels bool [K].

    Raises:
        DataError: when there is no same or no different pair.
    """
    same, different = scores[is_same], scores[~is_same]
    if not (len(same) and len(different)):
        raise DataError(f"{len(same)} same and {len(different)} different pairs: a separation needs some of each")
    d_primes = _d_primes(same, different, np.ones((1, len(same))), np.ones((1, len(different))))
    return Separation(_auc(same, different), float(d_primes[0]))


def clearly_better(stated: Scores, other: Scores, is_same: NDArray[np.bool_], rng: np.random.Generator) -> bool:
    """Tell whether the scores ``other`` of some pairs separate them clearly better than ``stated`` of the same pairs.

    By more than trifles: d' is ``D_PRIME_RATIO`` times as large, and AUC gains ``AUC_GAIN`` or half of what is missing
    to 1. By more than chance: the 99.9 % interval of the gain in d' lies above 0 (percentile bootstrap in which same
    and different pairs are resampled each, the two scores of a pair together). AUC has no part in that: close to 1 it
    hangs on a pair or two, and no interval of its gain excludes 0.
    """
    if min(is_same.sum(), (~is_same).sum()) < FEWEST_PAIRS:
        return False
    before, after = separation(stated, is_same), separation(other, is_same)
    gained = after.auc - before.auc >= min(AUC_GAIN, (1 - before.auc) / 2)
    if not gained or after.d_prime < D_PRIME_RATIO * max(before.d_prime, 0):
        return False
    of_same, of_different = (_resamplings(int(of.sum()), rng) for of in (is_same, ~is_same))
    gains = _d_primes(other[is_same], other[~is_same], of_same, of_different)
    gains -= _d_primes(stated[is_same], stated[~is_same], of_same, of_different)
    return bool(np.quantile(gains, QUANTILE) > 0)


def _resamplings(n: int, rng: np.random.Generator) -> Scores:
    """Return how often each of ``n`` pairs counts, float64 [REPLICATES, n]."""
    return rng.multinomial(n, np.full(n, 1 / n), REPLICATES).astype(np.float64)


def _auc(same: Scores, different: Scores) -> float:
    wins = (same[:, None] > different) + 0.5 * (same[:, None] == different)
    return float(wins.mean())


def _d_primes(same: Scores, different: Scores, of_same: Scores, of_different: Scores) -> Scores:
    """Return d' of each resampling, float64 [R], from how often each pair counts in it, float64 [R, n]."""
    (high, spread), (low, other_spread) = _moments(same, of_same), _moments(different, of_different)
    d_primes: Scores = (high - low) / np.sqrt(np.maximum((spread + other_spread) / 2, np.finfo(np.float64).eps))
    return d_primes


def _moments(scores: Scores, weights: Scores) -> tuple[Scores, Scores]:
    """Return mean and variance of each resampling, float64 [R] each."""
    total, centred = weights.sum(1), scores - scores.mean()
    mean = weights @ centred / total
    return mean + scores.mean(), np.maximum(weights @ centred**2 / total - mean**2, 0)
