"""Own the anchors of synthetic identities: unit vectors far from each other, or at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from faceassay.contracts import FloatArray
from faceassay.contracts.running import Checkpoints
from faceassay.seeds import generator
from faceassay_plugins.identities.closed_forms import Code, closed_form
from faceassay_plugins.identities.frames import random_directions, random_frame

Kind = Literal["tammes", "random"]
STEPS = 1000


def anchors(
    count: int,
    width: int,
    kind: Kind = "tammes",
    seed: int = 0,
    *,
    steps: int = STEPS,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FloatArray:
    """Return anchors w_1..w_N, unit vectors, float32 [N, d] (ID3, section 3.5).

    Args:
        count: their number N, at least 2.
        width: dimensions d of the recognizer's embeddings, at least 2.
        kind: ``tammes``: the largest cosine between two is as low as could be had (``tammes_code``), under a random
            rotation, since a code in its own coordinates lies along the axes; ``random``: independent and uniform (the
            paper's ablation).
        seed: of the randomness.
        steps, device, checkpoints, progress: of the optimisation, see ``tammes.spread_out``.

    Raises:
        ValueError: when ``count``, ``width`` or ``kind`` is out of its range.
    """
    _require(count, width)
    if kind not in get_args(Kind):
        raise ValueError(f"anchors are {' or '.join(get_args(Kind))} (got {kind!r})")
    if kind == "random":
        return random_directions(generator(seed, 0), count, width).astype(np.float32)
    code = tammes_code(count, width, seed, steps=steps, device=device, checkpoints=checkpoints, progress=progress)
    turned: FloatArray = (code @ random_frame(generator(seed, 1), width, code.shape[1]).T).astype(np.float32)
    return turned


def tammes_code(
    count: int,
    width: int,
    seed: int = 0,
    *,
    steps: int = STEPS,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Code:
    """Return unit vectors with a low largest cosine, float64 [N, r], r <= d (the Tammes problem).

    Exact where a closed form is known (``closed_forms.closed_form``); otherwise optimised from random directions.

    Raises:
        ValueError: when there are fewer than 2 points or dimensions.
    """
    _require(count, width)
    exact = closed_form(count, width)
    if exact is not None:
        return exact
    from faceassay_plugins.identities.tammes import spread_out

    start = random_directions(generator(seed, 0), count, width)
    return spread_out(start, steps, device=device, checkpoints=checkpoints, progress=progress).astype(np.float64)


def _require(count: int, width: int) -> None:
    if width < 2:
        raise ValueError(f"points on a sphere need at least 2 dimensions (got {width}): use a wider embedding")
    if count < 2:
        raise ValueError(f"points far from each other are at least 2 (got {count}): ask for more")
