"""Own the named sets of parameters of ``iresnet``: recipes of public code, and a toy. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Seconds on a CPU, images of 32 px: what the demo trains.
    "toy": {
        "depth": (1, 1, 1, 1),
        "width": 16,
        "image_size": 32,
        "embedding": 128,
        "epochs": 20,
        "batch_size": 32,
        "learning_rate": 0.05,
        "scale": 32.0,
        "margin": 0.3,
    },
    "adaface": {"depth": 50, "epochs": 26, "warmup": 0.0, "gradient_clip": None},
    # IR-50 with ArcFace for sets of half a million images, rate / 10 at epochs 22, 28 and 32 of 40. Warm-up, clipping
    # and the three augmentations of AdaFace are not ADMIS's but ours: the defaults.
    "admis": {"depth": 50, "epochs": 40, "warmup": 1 / 40, "milestones": (22 / 40, 28 / 40, 32 / 40)},
}
