"""Measure the classes of one set by itself: how consistent, how far apart, how diverse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.assessment import Assessment
from faceassay.assessment.classes import ClassSums, consistency, separation
from faceassay.assessment.spread import attribute_spread, pixel_spread
from faceassay.contracts import IntArray, Sources, StageContext
from faceassay.contracts.running import ATTRIBUTES

Numbers = NDArray[np.float64]
ARRAYS = ("counts", "consistency", "separation", "nearest_class", "pixel_spread", "attribute_spread")


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold the measures of L classes, each NaN where a class has too few images.

    Attributes:
        counts: images, int64 [L].
        consistency: mean cosine over pairs of images, float64 [L].
        separation: cosine of the centre to the nearest other centre, float32 [L].
        nearest_class: whose that is, int64 [L], -1 for nobody's.
        pixel_spread: root mean square difference over pairs of images in grey levels, float64 [L].
        attribute_spread: sample deviation of each attribute in its unit, float64 [L, A].
    """

    counts: IntArray
    consistency: Numbers
    separation: Numbers
    nearest_class: IntArray
    pixel_spread: Numbers
    attribute_spread: Numbers


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Measure ``images`` by their ``embedding`` and attributes and write the arrays of ``Measured``."""
    images, classes = sources.open("images"), len(sources.open("images").identities)
    sums = ClassSums.of(sources.open("embedding").vectors, images.labels, classes)
    apart, told = separation(sums), any(name.startswith(ATTRIBUTES) for name in sources.openers)
    values = sources.attributes.values if told else np.empty((len(images), 0), np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "counts": sums.counts,
        "consistency": consistency(sums),
        "separation": apart.cosines,
        "nearest_class": apart.rows,
        "pixel_spread": pixel_spread(images, context.progress),
        "attribute_spread": attribute_spread(values, images.labels, classes),
    }
    for name, array in arrays.items():
        np.save(context.folder / f"{name}.npy", array)


def load(plugin: Assessment, folder: Path, device: str) -> Measured:
    """Open stored measures."""
    return Measured(*(np.load(folder / f"{name}.npy") for name in ARRAYS))
