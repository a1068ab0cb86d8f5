"""Own the margins of softmax losses on the hypersphere. Embeddings, class centres and the loss itself are elsewhere.

Two gradients are in use. ``exact`` is the derivative of what is computed (AdaFace, TFace, evoLVe). ``straight_through``
takes the margin for a constant, so that the logit's derivative by the cosine is s (insightface, CVLface).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Gradient = Literal["exact", "straight_through"]

SMALLEST_NORM, LARGEST_NORM = 1e-3, 100.0
EPSILON = 1e-3
"""Of AdaFace's code: distance that angles keep from 0 and pi, cosines from -1 and 1, and a deviation from 0."""


def arcface(
    cosine: Tensor, labels: Tensor, *, scale: float = 64.0, margin: float = 0.5, gradient: Gradient = "exact"
) -> Tensor:
    """Add an angular margin to the target class: s cos(theta_y + m) (Deng et al. 2019, ArcFace, equation 3).

    The exact gradient is sin(theta + m) / sin(theta); where theta + m would pass pi the target is then
    s (cos(theta) - m sin(m)), so that the logit keeps falling with the angle: the guard of TFace and evoLVe
    (``easy_margin`` off). The straight-through gradient needs no guard and has none, as in insightface.

    Args:
        cosine: cosines between embeddings and class centres, float [B, C], -1 to 1; of 16 bits they become float32,
            in which what keeps angles from 0 and pi is not rounded away.
        labels: class of each row, int64 [B], 0 to C-1, or -1 for a row without margin.
        scale: s.
        margin: m in radians, 0 to pi.
        gradient: see the module.

    Returns:
        Logits [B, C].

    Raises:
        ValueError: when a label is outside -1 to C-1.
    """
    if gradient == "straight_through":
        return scale * _with_target(cosine, labels, _held(lambda target: torch.cos(_angle(target) + margin)))
    return scale * _with_target(cosine, labels, lambda target: _widened(target, margin))


def cosface(cosine: Tensor, labels: Tensor, *, scale: float = 64.0, margin: float = 0.4) -> Tensor:
    """Subtract a margin from the cosine of the target class: s (cos(theta_y) - m) (Wang et al. 2018, CosFace, eq. 4).

    Both gradients are s. Arguments, result and errors are those of ``arcface``, with ``margin`` a cosine.
    """
    return scale * _with_target(cosine, labels, lambda target: target - margin)


def adaface(
    cosine: Tensor, labels: Tensor, quality: Tensor, *, scale: float = 64.0, margin: float = 0.4,
    gradient: Gradient = "exact",
) -> Tensor:  # fmt: skip
    """Let the quality of an image decide where its margin goes (Kim et al. 2022, AdaFace, section 3.3).

    The target is s (cos(theta_y + g_angle) - g_add) with g_angle = -m z and g_add = m z + m: z = -1 is ArcFace, z = 0
    CosFace. Arguments, result and errors are those of ``arcface``, and

    Args:
        quality: z of each image, float [B], -1 to 1, a constant to the gradient; see ``norm_quality``.
    """
    angular, additive = (-margin * quality).unsqueeze(1), (margin * quality + margin).unsqueeze(1)

    def change(target: Tensor) -> Tensor:
        theta = target.clamp(EPSILON - 1, 1 - EPSILON).acos() + angular
        return theta.clamp(EPSILON, math.pi - EPSILON).cos() - additive

    return scale * _with_target(cosine, labels, _held(change) if gradient == "straight_through" else change)


def norm_quality(norms: Tensor, mean: Tensor, std: Tensor, concentration: float = 0.333) -> Tensor:
    """Return AdaFace's z, -1 to 1, of the norms of embeddings, float [B]: how far they lie from the usual ones.

    Args:
        norms: of the embeddings, clipped to 1e-3 to 100.
        mean: running mean of norms.
        std: running standard deviation of norms.
        concentration: h; with it, a norm of 1/h standard deviations above the mean has z = 1.
    """
    return (concentration * (norms - mean) / (std + EPSILON)).clamp(-1, 1)


def _with_target(cosine: Tensor, labels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``cosine`` with the entry of each row's label changed."""
    _require_labels(labels, cosine.shape[1])
    cosine = cosine.to(torch.promote_types(cosine.dtype, torch.float32))
    index = labels.clamp(min=0).unsqueeze(1)
    target = cosine.gather(1, index)
    changed = torch.where(labels.unsqueeze(1) >= 0, change(target), target)
    return cosine.scatter(1, index, changed)


def _held(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return ``change`` with a derivative of 1."""
    return lambda target: change(target.detach()) + (target - target.detach())


def _angle(cosine: Tensor) -> Tensor:
    return cosine.clamp(-1, 1).acos()


def _widened(cosine: Tensor, margin: float) -> Tensor:
    # The floor only meets theta = 0 and pi, where the derivative of the square root is infinite.
    sine = (1 - cosine.square()).clamp(min=1e-8).sqrt()
    inside = cosine * math.cos(margin) - sine * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), inside, cosine - margin * math.sin(margin))


def _require_labels(labels: Tensor, classes: int) -> None:
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels must lie in -1..{classes - 1} (got {int(labels.min())}..{int(labels.max())})")
