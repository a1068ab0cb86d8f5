"""Own the draws of a bootstrap: how often each person or pair counts in each replicate. Knows no score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faceassay.contracts import IntArray


def identity_draws(people: int, replicates: int, seed: int = 0) -> IntArray:
    """Draw ``people`` people with replacement, ``replicates`` times: how often each was drawn, int64 [R, L].

    The draws depend on the arguments alone, so two recognizers measured on the same people are resampled alike and
    their replicates are paired. The first rows of more replicates are the same.
    """
    return np.concatenate(
        [np.empty((0, people), np.int64), *draw_blocks(np.zeros(people, np.int64), replicates, 256, seed)]
    )


def draw_blocks(strata: IntArray, replicates: int, size: int, seed: int = 0) -> Iterator[IntArray]:
    """Draw the units of each stratum with replacement, as many as it has, in blocks of ``size`` replicates.

    Args:
        strata: stratum of each unit, int64 [U].
        replicates: rows over all blocks, R.
        size: rows of a block at most; the draws do not depend on it.
        seed: of the draws, with the sizes of the strata.

    Yields:
        How often each unit was drawn, int64 [B, U].
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    generators = np.random.default_rng([seed, *map(len, members)]).spawn(len(members))
    for start in range(0, replicates, size):
        draws = np.empty((min(size, replicates - start), len(strata)), dtype=np.int64)
        for generator, units in zip(generators, members, strict=True):
            draws[:, units] = generator.multinomial(len(units), np.full(len(units), 1 / len(units)), size=len(draws))
        yield draws
