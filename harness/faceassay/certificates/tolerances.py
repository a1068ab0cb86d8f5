"""Own the tolerances within which stages agree on other hardware, each with its reason, and what is other hardware.

On the same kind of machine with the same versions no tolerance applies: the bytes are the same, or something is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MACHINE = ("processor", "instructions", "variables", "python")
"""What of an environment makes bytes, besides the versions of packages, the C library and the device."""


@dataclass(frozen=True)
class Tolerance:
    """Hold what may differ.

    Attributes:
        floats: largest difference of numbers, as a part of the largest number of their array.
        greys: largest difference of pixels in grey levels.
        reason: why so much.
    """

    floats: float
    greys: int
    reason: str


NONE = Tolerance(0.0, 0, "the same kind of machine and the same versions: the bytes are the same")
EXACT = Tolerance(1e-9, 0, "computed in float64, whose rounding is 1e-16; sums of millions of terms keep nine digits")
FORWARD = Tolerance(
    1e-4, 1, "a forward pass in float32 rounds by 6e-8 in each of some hundred layers, one after another"
)
SAMPLED = Tolerance(
    1e-4, 4, "a sampler calls a network in float32 tens of times; a pixel is rounded to a whole grey level"
)
TRAINED = Tolerance(
    1e-3,
    4,
    "each step of a training works on what the one before rounded, so that differences grow: long trainings need not "
    "agree on other hardware; what follows from one can be verified from it",
)
TOLERANCES: Mapping[str, Tolerance] = {
    "generator": TRAINED,
    "recognizer": TRAINED,
    "search": SAMPLED,
    "synthesis": SAMPLED,
    "figure": SAMPLED,
    **dict.fromkeys(("features", "embedding", "agreement", "attributes", "preprocessing", "plan"), FORWARD),
    **dict.fromkeys(("evaluation", "quality", "classes", "neighbours", "distribution", "overlap"), EXACT),
}
"""By kind of stage."""


def environment_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words in what two environments differ that may change bytes; what only one of them tells is left out.

    Args:
        then, now: what `faceassay.environment.describe_environment` said, with the torch ``device``.
    """
    lines = [
        f"{name}: {_text(then[name])} -> {_text(now[name])}"
        for name in (*MACHINE, "device")
        if name in then and name in now and then[name] != now[name]
    ]
    libraries = [str(about.get("platform", "")).rpartition("-with-")[2] for about in (then, now)]
    if libraries[0] != libraries[1]:
        lines.append(f"C library: {libraries[0]} -> {libraries[1]}")
    before, after = then.get("packages", {}), now.get("packages", {})
    return lines + [
        f"{name}: {before[name]} -> {after[name]}"
        for name in before
        if name in after and name != "faceassay" and before[name] != after[name]  # its code is in the key
    ]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={inner}" for name, inner in value.items()) or "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
