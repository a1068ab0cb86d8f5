"""Own the named sets of parameters of ``id3``. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faceassay_plugins.generators.edm2.presets import PRESETS as OF_EDM2

PRESETS: Mapping[str, Mapping[str, Any]] = {name: OF_EDM2[name] for name in ("toy", "c64-112", "s-112")}
"""The networks and trainings of ``edm2``, so that the two differ in conditions and loss alone.

ID3 trains for 500,000 steps of 16 images, perhaps on each of 8 GPUs: 8 or 64 million images, around the 46 million of
the two presets for faces.
"""
