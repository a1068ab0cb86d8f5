"""Own the margins of softmax losses on the hypersphere. Embeddings, class centres and the loss itself are elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def arcface(cosine: Tensor, labels: Tensor, *, scale: float = 64.0, margin: float = 0.5) -> Tensor:
    """Add an angular margin to the target class: s cos(theta_y + m) (Deng et al. 2019, ArcFace, equation 3).

    The gradient is the true one, sin(theta + m) / sin(theta); insightface and CVLface use a straight-through gradient
    of 1 instead. Where theta + m would pass pi the target is s (cos(theta) - m sin(m)), so that the logit keeps falling
    with the angle: the guard of TFace and evoLVe (``easy_margin`` off).

    Args:
        cosine: cosines between embeddings and class centres, float [B, C], -1 to 1.
        labels: class of each row, int64 [B], 0 to C-1, or -1 for a row without margin.
        scale: s.
        margin: m in radians, 0 to pi.

    Returns:
        Logits [B, C].

    Raises:
        ValueError: when a label is outside -1 to C-1.
    """
    return scale * _with_target(cosine, labels, lambda target: _widened(target, margin))


def cosface(cosine: Tensor, labels: Tensor, *, scale: float = 64.0, margin: float = 0.4) -> Tensor:
    """Subtract a margin from the cosine of the target class: s (cos(theta_y) - m) (Wang et al. 2018, CosFace, eq. 4).

    The gradient is the true one. Arguments, result and errors are those of ``arcface``, with ``margin`` a cosine.
    """
    return scale * _with_target(cosine, labels, lambda target: target - margin)


def _with_target(cosine: Tensor, labels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``cosine`` with the entry of each row's label changed."""
    _require_labels(labels, cosine.shape[1])
    index = labels.clamp(min=0).unsqueeze(1)
    target = cosine.gather(1, index)
    changed = torch.where(labels.unsqueeze(1) >= 0, change(target), target)
    return cosine.scatter(1, index, changed)


def _widened(cosine: Tensor, margin: float) -> Tensor:
    # The floor only meets theta = 0 and pi, where the derivative of the square root is infinite.
    sine = (1 - cosine.square()).clamp(min=1e-8).sqrt()
    inside = cosine * math.cos(margin) - sine * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), inside, cosine - margin * math.sin(margin))


def _require_labels(labels: Tensor, classes: int) -> None:
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels must lie in -1..{classes - 1} (got {int(labels.min())}..{int(labels.max())})")
