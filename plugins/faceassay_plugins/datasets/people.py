"""Own who is on the images of a set: names in natural order, a label for each image, nobody with too few images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from faceassay import DataError, IntArray

_NAMED = 50


@dataclass(frozen=True, eq=False)
class People:
    """Hold the identity of each image.

    Attributes:
        labels: identity index of each image, int64 [N], 0 to L-1.
        identities: names of the L identities.
    """

    labels: IntArray
    identities: tuple[str, ...]

    @classmethod
    def in_natural_order(cls, labels: ArrayLike, names: Sequence[str]) -> People:
        """Return the people of ``labels`` (integers [N], indices into ``names``), numbered in the order of their names.

        Names without an image are left out.
        """
        numbers = np.asarray(labels, dtype=np.int64)
        present = np.flatnonzero(np.bincount(numbers, minlength=len(names)))
        order = sorted(present.tolist(), key=lambda number: natural_order(names[number]))
        place = np.empty(len(names), dtype=np.int64)
        place[order] = np.arange(len(order))
        return cls(place[numbers], tuple(names[number] for number in order))


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts s2 before s10; names that differ only in leading zeros keep a fixed order."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def refuse_few(root: Path, names: Sequence[str], counts: ArrayLike, least: int, remedy: str) -> None:
    """Raise DataError where one of ``names`` has fewer than ``least`` images; ``counts`` are integers [L]."""
    numbers = np.asarray(counts)
    short = np.flatnonzero(numbers < least)
    if len(short):
        few = [f"{names[place]} ({numbers[place]})" for place in short[:_NAMED]]
        named = ", ".join(few) + (f" and {len(short) - _NAMED} more" if len(short) > _NAMED else "")
        raise DataError(
            f"{root}: {len(short)} of {len(names)} identities have fewer than min_images: {least} images: {named}. "
            f"{remedy}"
        )
