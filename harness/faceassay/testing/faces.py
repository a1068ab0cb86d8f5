"""Own the tiny real set that every check reads: drawn faces of a few people. Nothing here is a photograph."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceassay.contracts import ImageBatch, IntArray
from faceassay.seeds import generator

PEOPLE = ("ada", "bo", "cy", "di", "ed", "flo", "gus", "hal", "ida", "jo")
BACKGROUND, SKIN, HAIR, EYES, MOUTH = (
    np.array(colour, dtype=np.float64)
    for colour in ((120, 95, 70), (205, 155, 115), (95, 65, 40), (60, 35, 20), (185, 80, 70))
)
"""Colours of a face; red is the highest of each, blue the lowest: a mistaken order is seen in every image."""


@dataclass(frozen=True, eq=False)
class FaceArrays:
    """Be a dataset in memory: pixels uint8 [N, S, S, 3] RGB, labels int64 [N]."""

    pixels: ImageBatch
    labels: IntArray
    identities: tuple[str, ...]
    item_ids: tuple[str, ...]

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return int(self.pixels.shape[1])

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of pixels, labels and names."""
        names = "\n".join((*self.identities, *self.item_ids)).encode()
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes() + names).hexdigest()

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, index: IntArray) -> ImageBatch:
        """Return copies of the images at ``index`` (int64 [B])."""
        batch: ImageBatch = self.pixels[np.asarray(index, dtype=np.int64)]
        return batch

    def encoded(self, i: int) -> bytes:
        """Return image ``i`` as a PNG file."""
        stream = io.BytesIO()
        Image.fromarray(self.pixels[i]).save(stream, "PNG")
        return stream.getvalue()

    def renamed(self, identities: Sequence[str]) -> FaceArrays:
        """Return the same images of people with other names."""
        return replace(self, identities=tuple(identities))

    def in_other_colours(self) -> FaceArrays:
        """Return the same faces with red and blue exchanged."""
        return replace(self, pixels=np.ascontiguousarray(self.pixels[..., ::-1]))


@lru_cache(maxsize=8)
def faces(people: int = 6, images: int = 4, size: int = 16, seed: int = 0) -> FaceArrays:
    """Draw ``images`` faces of each of at most ten ``people``, ``size`` px; the same ones each time.

    The people differ in colours and proportions, the images of one in place, light and noise. Arrays are read-only.
    """
    pixels = np.empty((people * images, size, size, 3), dtype=np.uint8)
    for person in range(people):
        looks = generator(seed, person).uniform(-1, 1, 9)
        for image in range(images):
            row = person * images + image
            pixels[row] = _drawn(looks, generator(seed, person, image), size)
    labels = np.arange(people, dtype=np.int64).repeat(images)
    for array in (pixels, labels):
        array.flags.writeable = False
    item_ids = tuple(f"{PEOPLE[person]}/{image + 1}.png" for person in range(people) for image in range(images))
    return FaceArrays(pixels, labels, PEOPLE[:people], item_ids)


def _drawn(looks: NDArray[np.float64], random: np.random.Generator, size: int) -> ImageBatch:
    centre, light = random.uniform(-0.08, 0.08, 2), random.uniform(0.9, 1.1)
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1 - centre[:, None, None]
    face = np.broadcast_to(BACKGROUND + 15 * looks[0], (size, size, 3)).copy()
    width, height = 0.6 + 0.08 * looks[1], 0.8 + 0.06 * looks[2]
    _paint(face, x, y, (0, 0), (width, height), SKIN + 20 * looks[3])
    _paint(face, x, y, (0, -0.75), (width, 0.3 + 0.1 * looks[4]), HAIR + 25 * looks[5])
    for side in (-1, 1):
        _paint(face, x, y, (side * (0.28 + 0.05 * looks[6]), -0.15), (0.12, 0.1), EYES)
    _paint(face, x, y, (0, 0.4 + 0.06 * looks[7]), (0.25 + 0.06 * looks[8], 0.09), MOUTH)
    noisy = face * light + random.normal(0, 3, face.shape)
    pixels: ImageBatch = noisy.clip(0, 255).astype(np.uint8)
    return pixels


def _paint(
    face: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    centre: tuple[float, float],
    radii: tuple[float, float],
    colour: NDArray[np.float64],
) -> None:
    inside = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1
    face[inside] = colour
