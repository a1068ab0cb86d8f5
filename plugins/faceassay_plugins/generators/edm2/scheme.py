"""Own what a generator adds to the training that all generators on this backbone share.

Steps, checkpoints and files are elsewhere; they know a generator by its scheme alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from faceassay import Condition, IntArray, Sources, StageContext
from faceassay.sampling import ConditionTensors
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.conditioning import Conditioning
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.loss import Objective, noise_levels
from faceassay_plugins.generators.edm2.network import Denoiser


class Batch(NamedTuple):
    """Hold what EDM2's loss is computed from.

    Attributes:
        x: clean images, [B, 3, H, W] in [-1, 1].
        noise: standard normal, like ``x``.
        sigma: noise levels, [B].
        condition: what the network is conditioned on, tensors [B, ...].
    """

    x: Tensor
    noise: Tensor
    sigma: Tensor
    condition: ConditionTensors


class Scheme(ABC):
    """Say what the images of a training are conditioned on and what is minimised.

    Attributes:
        plugin: the generator.
        data: the real images.
        shown: which of them are trained on.
        device: where tensors go.
        conditioning: the part of the network that takes the conditions.
        mirrors: whether half of the images are mirrored.
        passes_per_step: passes through other networks in one step of all processes, by the names of ``Sources.passes``.
    """

    conditioning: Conditioning
    mirrors: bool = False
    passes_per_step: Mapping[str, int] = {}

    def __init__(self, plugin: Edm2Backbone, sources: Sources, shown: TrainingImages, run: StageContext) -> None:
        self.plugin, self.data, self.shown = plugin, sources.real, shown
        self.device = torch.device(run.device)

    @abstractmethod
    def conditions(self, rows: IntArray) -> ConditionTensors:
        """Return what the images ``rows`` of the data are conditioned on, float32 [B, ...] on the device."""

    @abstractmethod
    def samples(self, most: int) -> tuple[IntArray, Condition]:
        """Return at most ``most`` classes and what a sample of each is conditioned on when the training is over."""

    def noise_levels(self, standard_normal: Tensor) -> Tensor:
        """Map standard normal numbers [B] to noise levels in training: log-normal (EDM, table 1)."""
        return noise_levels(standard_normal, self.plugin.noise_mean, self.plugin.noise_deviation)

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """Draw what else is random in a batch of ``size`` images, tensors [``size``, ...] on the device."""
        return ()

    def batch(self, rows: IntArray, x: Tensor, noise: Tensor, sigma: Tensor, *drawn: Tensor) -> tuple[Any, ...]:
        """Return the arguments of the objective.

        Args:
            rows: indices of the images in the data, int64 [B].
            x: the images, [B, 3, H, W] in [-1, 1].
            noise: standard normal, like ``x``.
            sigma: noise levels, [B].
            drawn: what ``draw`` drew for them.
        """
        return Batch(x, noise, sigma, self.conditions(rows))

    def objective(self, denoiser: Denoiser, seed: int) -> Objective:
        """Return what is minimised by a new ``denoiser``; ``seed`` decides what is random in it and not learned."""
        return Objective(denoiser)

    def description(self) -> Mapping[str, Any]:
        """Return what config.json shall say beside the parameters, as JSON holds it."""
        return {}
