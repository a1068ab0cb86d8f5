"""Own what becomes of an image before a brought network sees it: colour order, mean, standard deviation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from faceassay.contracts import DataError, FloatArray, ImageBatch

if TYPE_CHECKING:
    from torch import Tensor

ColourOrder = Literal["rgb", "bgr"]

SCALINGS = ((127.5, 127.5), (0.0, 255.0), (0.0, 1.0))
"""(mean, std) in use: [-1, 1], [0, 1] and grey levels; (127.5, 128) cannot be told from the first and is left out."""


@dataclass(frozen=True)
class Preprocessing:
    """Say how a network wants its input: (grey level - mean) / std, in a colour order.

    Attributes:
        colour: order of the three channels; AdaFace and MagFace are bgr, most others rgb.
        mean: grey level that becomes 0.
        std: grey levels that become a step of 1, above 0.

    Raises:
        DataError: when a value is none of these.
    """

    colour: ColourOrder = "rgb"
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        if self.colour not in get_args(ColourOrder):
            raise DataError(f"colour order {self.colour!r} is unknown: use one of {', '.join(get_args(ColourOrder))}")
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise DataError(f"mean {self.mean} and std {self.std}: both must be finite, and std above 0")

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for this preprocessing."""
        return asdict(self) | {"mean": self.mean + 0.0, "std": float(self.std)}


@dataclass(frozen=True)
class Alternative:
    """Hold a preprocessing that differs from the stated one in one ``aspect``; ``wording`` and ``stated`` name both."""

    aspect: str
    wording: str
    stated: str
    preprocessing: Preprocessing


def prepared(images: ImageBatch, preprocessing: Preprocessing) -> FloatArray:
    """Return the network's input, float32 [B, 3, H, W], of uint8 [B, H, W, 3] RGB ``images``."""
    ordered = images if preprocessing.colour == "rgb" else images[..., ::-1]
    channels_first = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), dtype=np.float32)
    return (channels_first - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)


def prepared_tensor(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return the network's input of RGB images ``x`` [B, 3, H, W] in [-1, 1], differentiably and without rounding."""
    ordered = x if preprocessing.colour == "rgb" else x.flip(1)
    return ((ordered + 1) * 127.5 - preprocessing.mean) / preprocessing.std


def alternatives(stated: Preprocessing) -> list[Alternative]:
    """Return what the user may have meant instead: the other colour order, the other usual scalings."""
    other: ColourOrder = "bgr" if stated.colour == "rgb" else "rgb"
    colour = Alternative("colour order", other, stated.colour, replace(stated, colour=other))
    rescaled = [replace(stated, mean=mean, std=std) for mean, std in SCALINGS]
    scalings = [Alternative("scaling", _scaling(one), _scaling(stated), one) for one in rescaled if one != stated]
    return [colour, *scalings]


def _scaling(preprocessing: Preprocessing) -> str:
    return f"(grey level - {preprocessing.mean:g}) / {preprocessing.std:g}"
