"""Own all randomness: seeds named by the axes they vary on, and noise keyed by the plan's row.

A stage's seed is derived from the base seed and the names of its axes, never from the method's name, so that adding
a row changes no other row, and rows that are compared share what they can share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray


def derive(base_seed: int, purpose: str, axes: Mapping[str, int] | None = None) -> int:
    """Return the seed for ``purpose`` on ``axes``: the first 63 bits of a sha256, 0 to 2**63 - 1."""
    document = json.dumps([base_seed, purpose, dict(sorted((axes or {}).items()))], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *indices: int) -> np.random.Generator:
    """Return a counter-based NumPy generator for ``seed`` and a position (epoch, step, row)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=indices)))


def noise_keys(seed: int, start: int, count: int) -> NDArray[np.uint64]:
    """Return one 64-bit noise key per row, uint64 [count]; row k's key depends on ``seed`` and k alone."""
    keys = [derive(seed, "noise", {"row": row}) for row in range(start, start + count)]
    return np.array(keys, dtype=np.uint64)


def row_noise(keys: NDArray[np.uint64], image_size: int) -> FloatArray:
    """Return standard normal noise for each key, float32 [B, 3, image_size, image_size].

    Each row comes from its own Philox stream, so its noise is the same in any block, worker or order.
    """
    noise = np.empty((len(keys), 3, image_size, image_size), dtype=np.float32)
    for row, key in zip(noise, keys, strict=True):
        np.random.Generator(np.random.Philox(key=int(key))).standard_normal(dtype=np.float32, out=row)
    return noise
