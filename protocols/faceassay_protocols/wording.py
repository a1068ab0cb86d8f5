"""Own how numbers and settings are spelled in metric identities and messages. Decides none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHOWN = 10


def scientific(value: float) -> str:
    """Spell ``value`` with the fewest digits that identify it: ``1e-2``, ``2.5e-3``, ``1e0``."""
    return np.format_float_scientific(value, trim="-", exp_digits=1).replace("+", "")


def flip_word(flip: bool) -> str:
    """Spell how the mirrored image enters an embedding: ``flip-sum`` or ``no-flip``."""
    return "flip-sum" if flip else "no-flip"


def listed(wrong: NDArray[np.bool_]) -> str:
    """List the positions at which ``wrong``, bool [N], is True: the first ten, and how many there are of N."""
    rows = np.flatnonzero(wrong)
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    return f"{shown}{', ...' if len(rows) > SHOWN else ''} ({len(rows)} of {len(wrong)})"
