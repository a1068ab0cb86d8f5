"""Own the condition vectors that are not learned: class centres of a recognizer, brought to the generator's width."""

from __future__ import annotations

import numpy as np

from faceassay import FaceassayError, FittedRecognizer, FloatArray, seeds


def centres_of(recognizer: FittedRecognizer, classes: int) -> FloatArray:
    """Return the class centres of ``recognizer``, float32 [L, d_E].

    Raises:
        FaceassayError: when it has none, or not one for each of ``classes`` classes.
    """
    centres = recognizer.class_centres()
    remedy = "use condition: learned, or a recognizer trained on the same identities with a margin head"
    if centres is None:
        raise FaceassayError(f"edm2: condition class_centres needs class centres and the recognizer has none: {remedy}")
    if len(centres) != classes:
        raise FaceassayError(
            f"edm2: the recognizer has {len(centres)} class centres and the training images {classes} classes: {remedy}"
        )
    return centres


def frozen_conditions(centres: FloatArray, channels: int, seed: int) -> FloatArray:
    """Bring class centres to the width of the embedding: unit rows, a random map, unit magnitude.

    Where ``channels`` is at least d_E the map has orthonormal columns and cosines stay what they are. Otherwise it is
    a Gaussian projection, which changes a cosine c by about (1 - c^2) / sqrt(channels) (standard deviation).

    Args:
        centres: float32 [L, d_E], rows of any length above 0.
        channels: width d_C of the embedding.
        seed: decides the map.

    Returns:
        float32 [L, channels], each row with a root mean square of one, as a learned condition has on average.

    Raises:
        FaceassayError: when a centre is zero or not finite.
    """
    lengths = np.linalg.norm(centres.astype(np.float64), axis=1, keepdims=True)
    useless = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(useless):
        raise FaceassayError(
            f"edm2: the class centre {useless[0]} of the recognizer has length {lengths[useless[0], 0]}"
        )
    random = seeds.generator(seed).standard_normal((channels, centres.shape[1]))
    mapping = np.linalg.qr(random)[0] if channels >= centres.shape[1] else random
    mapped = centres / lengths @ mapping.T
    unit = mapped / np.linalg.norm(mapped, axis=1, keepdims=True)
    conditions: FloatArray = (unit * np.sqrt(channels)).astype(np.float32)
    return conditions
