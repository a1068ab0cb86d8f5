"""Own the named sets of parameters of ``iresnet``: recipes as public code has them, and a toy. Imports no torch.

They name what differs from the defaults. Not in them, as it is the same for all here: class centres start as
N(0, 0.01) (AdaFace draws unit columns), full batches run over the end of an epoch, the images are RGB (AdaFace BGR),
16-bit products are bfloat16 (theirs float16), and the network after the last update is the result (AdaFace and CVLface
choose the best epoch on test sets).
"""

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
    # mk-minchul/AdaFace (c60eaa7), its scripts: IR-50, batch 512 on two cards, rate / 10 at epochs 12, 20 and 24 of 26,
    # no decay of BatchNorm, no warm-up, no clipping, 16-bit. h is that of the scripts, not the 0 of the command line.
    "adaface": {
        "family": "adaface",
        "depth": 50,
        "dropout": 0.4,
        "loss": "adaface",
        "margin": 0.4,
        "epochs": 26,
        "warmup": 0.0,
        "gradient_clip": None,
        "decay": "not_batchnorm",
    },
    # mk-minchul/CVLface (d3d09c9), CASIA: seven cards of 256, one epoch of warm-up, clipping at 5, weights of one axis
    # do not decay, the margin is a constant to the gradient, float32.
    "cvlface": {
        "family": "adaface",
        "depth": 50,
        "dropout": 0.4,
        "loss": "adaface",
        "margin": 0.4,
        "gradient": "straight_through",
        "epochs": 26,
        "batch_size": 1792,
        "warmup": 1 / 26,
        "decay": "matrices",
        "precision": "float32",
    },
    # deepinsight/insightface (7fadd42), arcface_torch, configs/ms1mv3_r50: eight cards of 128, rate falling linearly,
    # everything decays, flips alone, 16-bit.
    "arcface_torch": {
        "family": "arcface_torch",
        "depth": 50,
        "gradient": "straight_through",
        "epochs": 20,
        "batch_size": 1024,
        "schedule": "linear",
        "warmup": 0.0,
        "decay": "all",
        "crop_probability": 0.0,
        "low_resolution_probability": 0.0,
        "photometric_probability": 0.0,
    },
    # zzzweakman/CVPR24_FRCSyn_ADMIS (d10690b), on TFace: IR-50 with ArcFace, eight cards of 64, rate / 10 at epochs 22,
    # 28 and 32 of 40, float32, no warm-up, no clipping. A crop is stretched; low resolution and jitter are not used.
    # BatchNorm was meant not to decay, but the code looks for names that its network does not have: everything decays.
    "admis": {
        "family": "adaface",
        "depth": 50,
        "dropout": 0.4,
        "epochs": 40,
        "warmup": 0.0,
        "milestones": (22 / 40, 28 / 40, 32 / 40),
        "gradient_clip": None,
        "decay": "all",
        "crop_mode": "stretch",
        "low_resolution_probability": 0.0,
        "photometric_probability": 0.0,
        "precision": "float32",
    },
    # Ours, for the tables of ScoreMix, which name IR50, ArcFace and AdaFace's augmentations, and no schedule: that
    # of ADMIS, with warm-up and clipping as in CVLface.
    "scoremix": {"depth": 50, "epochs": 40, "warmup": 1 / 40, "milestones": (22 / 40, 28 / 40, 32 / 40)},
}
