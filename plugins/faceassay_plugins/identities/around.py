"""Own the identity embeddings around an anchor, at given cosines to it. Chooses neither anchors nor cosines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FloatArray
from faceassay_plugins.identities.closed_forms import Code
from faceassay_plugins.identities.frames import random_directions, random_frame


def around(
    anchor: NDArray[np.floating], v: NDArray[np.floating], rng: np.random.Generator, code: Code | None = None
) -> FloatArray:
    """Return unit identity embeddings at the cosines ``v`` to an anchor, float32 [m, d].

    y_j = v_j w + sqrt(1 - v_j^2) u_j with u_j a unit vector orthogonal to w: our reconstruction of equation 9 of ID3,
    which is a joint optimisation, normalised afterwards. w^T y_j = v_j and |y_j| = 1 hold by construction.

    Args:
        anchor: w, [d], of any length above 0.
        v: cosines, [m], -1 to 1.
        rng: where the u_j are drawn from; more of them begin with the same ones, but for a ``code``.
        code: without one the u_j are independent and uniform; with one, unit vectors [m, r] with r < d, they are these
            under a random rotation into the complement of w.
    """
    w = anchor.astype(np.float64)
    w /= np.linalg.norm(w)
    if code is None:
        u = random_directions(rng, len(v), len(w), across=w)
    else:
        u = code @ random_frame(rng, len(w), code.shape[1], across=w).T
    along = v.astype(np.float64)[:, None]
    embeddings: FloatArray = (along * w + np.sqrt(1 - along**2) * u).astype(np.float32)
    return embeddings


def within_cosines(embeddings: FloatArray) -> NDArray[np.float64]:
    """Return the cosines between any two of m unit embeddings, float64 [m (m - 1) / 2].

    Between two samples around one anchor it is v_j v_k + sqrt(1 - v_j^2) sqrt(1 - v_k^2) u_j^T u_k: on average the
    square of the mean v, where the u are independent.
    """
    rows = embeddings.astype(np.float64)
    cosines: NDArray[np.float64] = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return cosines
