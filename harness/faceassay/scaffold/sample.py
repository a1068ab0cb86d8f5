"""Own the made-up images that a new dataset comes with. They show nobody."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from faceassay.seeds import generator

PEOPLE, VIEWS, SIDE = 4, 6, 32
GRAIN = 12.0
"""Standard deviation of the noise of a view, in grey levels."""


def sample_images() -> dict[str, bytes]:
    """Return PNG files by name, PERSON_NUMBER.png: a smooth pattern for each person, seen with a little noise."""
    pairs = [(person, number) for person in range(1, PEOPLE + 1) for number in range(1, VIEWS + 1)]
    return {f"pattern{person}_{number}.png": _view(person, number) for person, number in pairs}


def _view(person: int, number: int) -> bytes:
    coarse = generator(person).uniform(30, 225, (4, 4, 3))
    pattern = coarse.repeat(SIDE // 4, axis=0).repeat(SIDE // 4, axis=1)
    seen = pattern + generator(person, number).normal(0, GRAIN, pattern.shape)
    stream = io.BytesIO()
    Image.fromarray(seen.clip(0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
