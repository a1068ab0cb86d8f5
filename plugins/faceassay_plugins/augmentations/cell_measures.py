"""Own what AugGen's search measures on the embeddings of one cell, and which cells it refuses. Samples nothing.

The paper's formulas are not public; these are ours, after its description: a new class should be unlike its sources
(m_d) and like itself (m_s). A generator that makes one image of everything would win both, so every cell is guarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceassayError, IntArray

Vectors = NDArray[np.float64]

LEAST_NORM = 0.5
"""Embeddings at least this long, those of the reproduced images being 1, are taken for those of faces."""
LEAST_VARIETY = 0.001
"""Images whose mean cosine is this close to one are one and the same, whoever looks at them."""
LEAST_SHARE = 0.1
"""Images with less than this share of the variety of reproduced images are too."""
TIE = 1e-9
"""Totals this close are ties; a difference of 1e-9 in a mean cosine is nobody's finding."""


@dataclass(frozen=True)
class Measures:
    """Hold what was measured on the images of one condition for each pair.

    Attributes:
        m_d: mean over pairs and images of 1 - (cos(f, mu_i) + cos(f, mu_j)) / 2.
        m_s: mean over pairs of the mean cosine between different images of the pair.
        alike: mean cosine between images of different pairs.
        norm: mean length of the raw embeddings, that of the reproduced images being 1.
    """

    m_d: float
    m_s: float
    alike: float
    norm: float

    def refusal(self, reproduced: Measures) -> str | None:
        """Return why these weights cannot be chosen, None where they can.

        Args:
            reproduced: the same of classes sampled under their own conditions: what faces look like to the recognizer.
        """
        if self.norm < LEAST_NORM * reproduced.norm:
            return f"no faces: embeddings are {self.norm:.2f} times as long as those of reproduced images"
        if 1 - self.m_s < max(LEAST_VARIETY, LEAST_SHARE * (1 - reproduced.m_s)):
            return f"collapsed: the images of a pair are all alike, mean cosine {self.m_s:.4f}"
        if 1 - self.alike < max(LEAST_VARIETY, LEAST_SHARE * (1 - reproduced.alike)):
            return f"collapsed: the images of all pairs are alike, mean cosine {self.alike:.4f}"
        return None


def measure(raw: Vectors, means: Vectors, pairs: IntArray, norm: float) -> Measures:
    """Measure the embeddings of one cell.

    Args:
        raw: embeddings, [R, K, d], R and K at least 2.
        means: unit mean embedding of the reproduced images of each class, [L, d].
        pairs: the rows of ``means`` that each pair is made from, int64 [R, 2].
        norm: mean length of the embeddings of reproduced images.
    """
    unit = unit_length(raw)
    count, images = unit.shape[:2]
    toward = np.einsum("rkd,rsd->rks", unit, means[pairs])
    sums = unit.sum(1)  # the cosines of all images of a set add up to the squared length of their sum
    same, within, everything = (unit**2).sum(), (sums**2).sum(), (sums.sum(0) ** 2).sum()
    return Measures(
        m_d=float(1 - toward.mean()),
        m_s=float((within - same) / (count * images * (images - 1))),
        alike=float((everything - within) / (count * (count - 1) * images**2)),
        norm=float(np.linalg.norm(raw, axis=2).mean() / norm),
    )


def unit_length(vectors: Vectors) -> Vectors:
    """Return ``vectors`` [..., d] scaled to length one; zero stays zero."""
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit


def both_orders(measured: Sequence[tuple[float, float, Measures]], reproduced: Measures) -> list[dict[str, Any]]:
    """Average each cell with the one of exchanged weights, since which class of a pair is first is chance.

    Returns:
        One document for each alpha <= beta, in the order of the grid.
    """
    by_weights = {(alpha, beta): found for alpha, beta, found in measured}
    cells = []
    for alpha, beta in by_weights:
        if alpha <= beta:
            one, other = by_weights[alpha, beta], by_weights[beta, alpha]
            mean = Measures(
                **{of.name: (getattr(one, of.name) + getattr(other, of.name)) / 2 for of in fields(Measures)}
            )
            total = {"m_total": mean.m_d + mean.m_s, "refused": mean.refusal(reproduced)}
            cells.append({"alpha": alpha, "beta": beta, **asdict(mean), **total})
    return cells


def winner(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the cell of the largest m_total among those not refused; of ties the smallest |alpha - beta|, then sum.

    Raises:
        FaceassayError: when every cell is refused.
    """
    valid = [cell for cell in cells if cell["refused"] is None]
    if not valid:
        reasons = ", ".join(sorted({cell["refused"].partition(":")[0] for cell in cells}))
        raise FaceassayError(
            f"no alpha and beta can be chosen, all {len(cells)} cells are refused ({reasons}; the first: "
            f"{cells[0]['refused']}): train the generator longer, or give alpha and beta"
        )
    best = max(cell["m_total"] for cell in valid)
    tied = [cell for cell in valid if cell["m_total"] >= best - TIE]
    return min(tied, key=lambda cell: (round(abs(cell["alpha"] - cell["beta"]), 9), cell["alpha"] + cell["beta"]))
