"""Own ID3's algorithm 2 to the letter: Langevin steps of one size down the diffusion's schedule.

Nothing here makes it a good sampler: the paper prints neither step size nor annealing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from faceassay.contracts import Denoiser, FaceassayError, FloatArray
from faceassay_plugins.augmentations.id3.schedule import alpha_bars, noise_level


@torch.no_grad()
def langevin(
    denoise: Denoiser, noise: Tensor, fresh: Iterable[FloatArray], *, step_size: float, steps: int = 1000
) -> Tensor:
    """Sample as ID3's algorithm 2: x <- x + gamma grad log p~(x_t | y, s) + sqrt(2 gamma) eps for t = T to 1.

    The variables are the paper's, x_t = sqrt(abar_t) x in EDM's terms, in which the score is
    (sqrt(abar_t) D - x_t) / (1 - abar_t). It is the score itself in both guidance spaces; they differ in how W counts.
    The image is the last x: no step takes the noise out that the last one put in.

    Args:
        denoise: the denoiser in EDM's terms; gets x_t / sqrt(abar_t) and sigma_t = sqrt((1 - abar_t) / abar_t).
        noise: x_T, standard normal [B, C, H, W].
        fresh: eps of each step, standard normal [B, C, H, W].
        step_size: gamma.
        steps: T.

    Raises:
        FaceassayError: when x leaves the finite numbers.
    """
    x = noise
    for abar, eps in zip(reversed(alpha_bars(steps)), fresh, strict=True):
        denoised = denoise(x / math.sqrt(abar), x.new_full((len(x),), noise_level(abar))).to(x.dtype)
        score = (math.sqrt(abar) * denoised - x) / (1 - abar)
        x = x + step_size * score + math.sqrt(2 * step_size) * torch.from_numpy(eps).to(x)
    if not bool(torch.isfinite(x).all()):
        raise FaceassayError(f"langevin with step_size {step_size:g} left the finite numbers: take a smaller one")
    return x


def fresh_noise(noise: FloatArray, steps: int) -> Iterator[FloatArray]:
    """Yield the standard normal noise of each step, float32 like ``noise`` [B, C, H, W].

    Each row has a counter-based stream of its own, keyed by the sha256 of its first noise: a row's image does not
    depend on the rows beside it.
    """
    digests = [hashlib.sha256(row.astype("<f4").tobytes()).digest() for row in noise]
    streams = [np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big"))) for digest in digests]
    for _ in range(steps):
        yield np.stack([stream.standard_normal(noise.shape[1:], dtype=np.float32) for stream in streams])
