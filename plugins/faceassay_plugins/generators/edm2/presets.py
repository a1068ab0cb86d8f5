"""Own the named sets of parameters of ``edm2``: EDM2's own, those for the papers' data, and a toy. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUBLISHED_BATCH = 2048
MEBI = 1 << 20

_EDM2 = {
    "batch_size": PUBLISHED_BATCH,
    "decay_images": 35_000 * PUBLISHED_BATCH,
    "rampup_images": 10_000_000,
    "images": 1024 * MEBI,
}
"""ImageNet at 64 px (EDM2)."""

_BATCH = 256
"""Our choice, the smallest of 256 to 512: 160K images want many updates, and one GPU holds it."""


def _face_model(channels: int, published_rate: float, attention: tuple[int, ...]) -> Mapping[str, Any]:
    """Return the parameters for the papers' data, 160K faces of 10K people.

    The papers name neither batch, learning rate, dropout nor guide; the choices are ours:

    - the learning rate is EDM2's for the width, scaled by the root of the batch as Adam wants it;
    - its decay starts at a third of the training and its rise takes a twentieth at most (the defaults), since EDM2's
      own numbers are those of a training 20 times as long;
    - dropout 0.1, because each image is seen nearly 300 times;
    - the guide is the state after an eighth of the training, as EDM2's guide at 64 px has seen an eighth.

    Length, and averages of 0.05 and 0.10, are what the figures of ScoreMix show.
    """
    return {
        "channels": channels,
        "attention_resolutions": attention,
        "images": 46_000_000,
        "batch_size": _BATCH,
        "learning_rate": round(published_rate * (_BATCH / PUBLISHED_BATCH) ** 0.5, 5),
        "dropout": 0.1,
        "noise_mean": -0.8,
        "noise_deviation": 1.6,
        "main_length": 0.05,
        "guide_length": 0.1,
        "guide_fraction": 0.125,
        "further_lengths": (0.1,),
    }


AT_64, AT_112 = (16, 8), (28, 14)
"""Where levels attend: EDM2's choice, and the same two levels of images of 112 px, of which none has 16 or 8 px."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Minutes on a CPU, images of 32 px: what the demo trains.
    "toy": {
        "channels": 16,
        "channel_multipliers": (1, 2, 2),
        "blocks": 1,
        "attention_resolutions": (8,),
        "images": 12_000,
        "batch_size": 16,
        "learning_rate": 0.04,
        "held_out": 0.1,
    },
    "xs-64": {**_EDM2, "channels": 128, "learning_rate": 0.012},
    # Guide and lengths are those of EDM2's best FID. The guide takes the main network's learning rate, where EDM2's
    # own XS has 0.012: a stage has one (our choice).
    "s-64": {
        **_EDM2, "channels": 192, "learning_rate": 0.010,
        "guide_channels": 128, "guide_fraction": 0.125, "main_length": 0.045, "guide_length": 0.11,
    },
    "m-64": {**_EDM2, "channels": 256, "learning_rate": 0.009, "dropout": 0.1, "images": 2048 * MEBI},
    # EDM2 has a learning rate of 0.017 for a width of 64 (XXS, in latent space).
    "c64-64": _face_model(64, 0.017, AT_64),
    "c64-112": _face_model(64, 0.017, AT_112),
    # No network of EDM2 has this width. Its rates fall as the root of the width: 0.017 x sqrt(64 / 96) (our choice).
    "c96-112": _face_model(96, 0.0139, AT_112),
    "xs-112": _face_model(128, 0.012, AT_112),
    # The size that names of the papers' files suggest.
    "s-112": _face_model(192, 0.010, AT_112),
}  # fmt: skip
