"""Own the shared sampler and the algebra of denoisers: Heun's method, score mixing, autoguidance.

Everything here works on any callable ``(x, sigma) -> D``; networks and their conditions are generators' business.
All compositions are affine in their denoisers, so a nested composition flattens to one weighted sum in which every
network is evaluated once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from faceassay.contracts import Denoiser, FaceassayError, FloatArray, ImageBatch
from faceassay.noise import noise_levels

Weight = float | Tensor
"""One number, or one for each image of the batch, [B]."""
ConditionTensors = Tensor | Mapping[str, Tensor]


class CountedNetwork:
    """Wrap a conditional network ``(x, sigma, condition) -> D`` and count its evaluations, one per image."""

    def __init__(self, function: Callable[[Tensor, Tensor, Any], Tensor]) -> None:
        self.function = function
        self.evaluations = 0

    def __call__(self, x: Tensor, sigma: Tensor, condition: ConditionTensors) -> Tensor:
        """Denoise ``x`` [B, C, H, W] at ``sigma`` [B] under ``condition`` (tensors [B, ...])."""
        self.evaluations += len(x)
        return self.function(x, sigma, condition)


@dataclass(frozen=True, eq=False)
class NetworkDenoiser:
    """Be the denoiser of one network under one condition.

    Attributes:
        network: callable ``(x, sigma, condition) -> D``; denoisers with the same network object share a forward.
        condition: tensor [B, ...] or a mapping of such tensors.
    """

    network: Callable[[Tensor, Tensor, Any], Tensor]
    condition: ConditionTensors

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise ``x`` at noise level ``sigma``."""
        return self.network(x, sigma, self.condition)


@dataclass(frozen=True, eq=False)
class AffineDenoiser:
    """Be the denoiser sum_i w_i D_i(x, sigma) + w_x x.

    Attributes:
        terms: the denoisers with their weights.
        x_weight: the weight of the noisy image itself.
    """

    terms: tuple[tuple[Denoiser, Weight], ...]
    x_weight: Weight = 0.0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Evaluate every network once and add up."""
        outputs = evaluate_together([denoise for denoise, _ in self.terms], x, sigma)
        total = torch.zeros_like(x) if _is_zero(self.x_weight) else _scaled(x, self.x_weight)
        for (_, weight), output in zip(self.terms, outputs, strict=True):
            total = total + _scaled(output.to(x.dtype), weight)
        return total


def evaluate_together(denoisers: Sequence[Denoiser], x: Tensor, sigma: Tensor) -> list[Tensor]:
    """Evaluate denoisers at the same ``(x, sigma)``; those over one network are stacked into one forward pass.

    Returns:
        One tensor like ``x`` per denoiser, in order.
    """
    outputs: dict[int, Tensor] = {}
    distinct = list({id(denoise): denoise for denoise in denoisers}.values())
    for members in _by_network(distinct):
        if len(members) == 1:
            outputs[id(members[0])] = members[0](x, sigma)
            continue
        conditions = _concatenate([member.condition for member in members])
        stacked = members[0].network(x.repeat(len(members), 1, 1, 1), sigma.repeat(len(members)), conditions)
        for member, output in zip(members, stacked.chunk(len(members)), strict=True):
            outputs[id(member)] = output
    return [outputs[id(denoise)] for denoise in denoisers]


def mix_scores(
    denoisers: Sequence[Denoiser],
    weights: Sequence[Weight],
    *,
    space: Literal["score", "denoised"] = "score",
) -> Denoiser:
    """Mix denoisers as ScoreMix does (ScoreMix, equation 6).

    With ``space="score"`` the scores s_i = (D_i - x)/sigma^2 are mixed, which is the denoiser
    sum w_i D_i + (1 - sum w_i) x. With ``space="denoised"`` the denoised images are mixed: sum w_i D_i. Both are the
    same where the weights sum to one.

    Args:
        denoisers: one per condition.
        weights: one per denoiser, each a number or [B]. A branch of weight 0 is not evaluated.
        space: what is mixed.

    Raises:
        ValueError: when counts differ, a weight is not finite, or ``space`` is unknown.
    """
    if len(denoisers) != len(weights) or not denoisers:
        raise ValueError(f"{len(denoisers)} denoisers and {len(weights)} weights: give one weight per denoiser")
    if space not in ("score", "denoised"):
        raise ValueError(f"space must be 'score' or 'denoised' (got {space!r})")
    _require_finite(weights)
    x_weight = 1.0 - sum(weights) if space == "score" else 0.0
    return _affine(zip(denoisers, weights, strict=True), _settled(x_weight))


def autoguide(main: Denoiser, guide: Denoiser, weight: float) -> Denoiser:
    """Guide a denoiser by a lesser version of itself: D_guide + weight (D_main - D_guide).

    Source: Karras et al. 2024, autoguidance. At weight 1 the guide is not evaluated, at weight 0 the main is not.

    Raises:
        ValueError: when ``weight`` is not finite.
    """
    _require_finite([weight])
    return _affine([(main, weight), (guide, 1.0 - weight)], 0.0)


@torch.no_grad()
def heun(
    denoise: Denoiser | Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    *,
    steps: int = 32,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    rho: float = 7.0,
) -> Tensor:
    """Sample with EDM's deterministic second-order method (Karras et al. 2022, algorithm 1 without churn).

    Makes 2 * steps - 1 evaluations of ``denoise``: the last step, to noise level 0, is Euler's.

    Args:
        denoise: the denoiser; gets x [B, C, H, W] and sigma [B].
        noise: standard normal noise [B, C, H, W].
        steps: number of steps, at least 2.
        sigma_min: lowest noise level above 0, in units of the data range [-1, 1].
        sigma_max: highest noise level.
        rho: spacing of the levels.

    Returns:
        The sample, of the noise's dtype but at least float32 (float64 in, float64 out).
    """
    levels = noise_levels(steps, sigma_min, sigma_max, rho)
    x = noise.to(torch.promote_types(noise.dtype, torch.float32)) * levels[0]
    for now, after in itertools.pairwise(levels):
        slope = (x - denoise(x, x.new_full((len(x),), now)).to(x.dtype)) / now
        ahead = x + (after - now) * slope
        if after > 0:
            slope_ahead = (ahead - denoise(ahead, x.new_full((len(x),), after)).to(x.dtype)) / after
            ahead = x + (after - now) * (slope + slope_ahead) / 2
        x = ahead
    return x


def from_images(images: ImageBatch) -> Tensor:
    """Convert uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]: x / 127.5 - 1."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def to_images(x: Tensor) -> ImageBatch:
    """Convert [B, 3, H, W] in [-1, 1] to uint8 [B, H, W, 3]: x * 127.5 + 128, clipped and truncated (EDM2).

    Raises:
        FaceassayError: when ``x`` holds NaN, which no grey level stands for.
    """
    if bool(torch.isnan(x).any()):
        raise FaceassayError("the sampled images hold NaN: lower the guidance, or let the generator use float32")
    scaled = (x.detach().float() * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    images: ImageBatch = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return images


def to_noise(noise: FloatArray, device: str = "cpu") -> Tensor:
    """Move float32 noise [B, 3, H, W] to ``device``."""
    return torch.from_numpy(noise).to(device)


def _affine(parts: Iterable[tuple[Denoiser, Weight]], x_weight: Weight) -> Denoiser:
    terms: list[tuple[Denoiser, Weight]] = []
    for denoise, weight in parts:
        if _is_zero(weight):
            continue
        if isinstance(denoise, AffineDenoiser):
            terms += [(inner, _product(weight, share)) for inner, share in denoise.terms]
            x_weight = _settled(x_weight + _product(weight, denoise.x_weight))
        else:
            terms.append((denoise, weight))
    if len(terms) == 1 and _is_one(terms[0][1]) and _is_zero(x_weight):
        return terms[0][0]
    return AffineDenoiser(tuple(terms), x_weight)


def _by_network(denoisers: Sequence[Denoiser]) -> list[list[Any]]:
    groups: dict[int, list[Any]] = {}
    for denoise in denoisers:
        shares = hasattr(denoise, "network") and hasattr(denoise, "condition")
        groups.setdefault(id(getattr(denoise, "network", None)) if shares else id(denoise), []).append(denoise)
    return list(groups.values())


def _concatenate(conditions: Sequence[ConditionTensors]) -> ConditionTensors:
    if len({None if isinstance(condition, Tensor) else frozenset(condition) for condition in conditions}) > 1:
        raise ValueError("denoisers over one network must be conditioned on the same things, by the same names")
    if isinstance(conditions[0], Tensor):
        return torch.cat(conditions)  # type: ignore[arg-type]
    return {name: torch.cat([c[name] for c in conditions]) for name in conditions[0]}  # type: ignore[index]


def _scaled(x: Tensor, weight: Weight) -> Tensor:
    return x * (weight.to(x).view(-1, 1, 1, 1) if isinstance(weight, Tensor) else weight)


def _product(a: Weight, b: Weight) -> Weight:
    return a * b


def _settled(weight: Weight) -> Weight:
    """Take a rounding error of a sum of weights for the zero it stands for."""
    if isinstance(weight, Tensor):
        return torch.where(weight.abs() < 1e-12, 0.0, weight)
    return 0.0 if abs(weight) < 1e-12 else weight


def _is_zero(weight: Weight) -> bool:
    return not bool(torch.any(weight)) if isinstance(weight, Tensor) else weight == 0


def _is_one(weight: Weight) -> bool:
    return not isinstance(weight, Tensor) and weight == 1


def _require_finite(weights: Sequence[Weight]) -> None:
    for weight in weights:
        if not (bool(torch.isfinite(weight).all()) if isinstance(weight, Tensor) else math.isfinite(weight)):
            raise ValueError(f"weights must be finite (got {weight})")
