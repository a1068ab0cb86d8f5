"""Own what a training step minimises: network, class centres with their margin, cross-entropy. Knows no optimizer.

Partial FC (An et al. 2022, Killing Two Birds with One Stone) leaves most class centres out of a step. Here every
process holds all centres, takes the same n of them as one process alone would, and computes the logits of its own
images, [B / world, n]. insightface gives each process a part of the classes, draws in each part by itself, and computes
the logits of all images with what it drew, [B, n / world]. Both are softmax over n classes, those of the whole batch
among them. This way takes more memory, 12 bytes for each number of the centres with momentum and gradient (1.2 GB for
200,000 classes of 512), and sends the gradients of n centres; the first process alone knows all that a checkpoint
needs, and which classes take part does not depend on the number of processes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceassay_plugins.recognizers import margins
from faceassay_plugins.recognizers.iresnet.network import Backbone
from faceassay_plugins.recognizers.iresnet.processes import joined, with_mean_gradient

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.plugin import IResNet

CENTRES_STD = 0.01
"""Of the initial class centres (insightface, CVLface, TFace)."""
INITIAL_NORM_MEAN, INITIAL_NORM_STD = 20.0, 100.0
"""What AdaFace takes for the usual norms before it has seen any."""


class MarginHead(nn.Module):
    """Hold the class centres, and for AdaFace the running mean and deviation of the embeddings' norms.

    Args:
        recipe: says which margin.
        identities: number of classes.
        random: draws the class centres.
        world: processes that share the batch. The centres get the mean of their gradients. AdaFace's norms are those
            of the whole batch; in its own code they are those of one card's.
    """

    norm_mean: Tensor
    norm_std: Tensor

    def __init__(self, recipe: IResNet, identities: int, random: torch.Generator, world: int = 1) -> None:
        super().__init__()
        self.recipe, self.world = recipe, world
        self.centres = nn.Parameter(torch.empty(identities, recipe.embedding))
        nn.init.normal_(self.centres, 0, CENTRES_STD, generator=random)
        if recipe.loss == "adaface":
            self.register_buffer("norm_mean", torch.tensor(INITIAL_NORM_MEAN))
            self.register_buffer("norm_std", torch.tensor(INITIAL_NORM_STD))

    def forward(self, embedded: Tensor, labels: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return the mean cross-entropy of raw embeddings, float32 [B, d].

        Args:
            embedded: the embeddings that this process has.
            labels: class of each, int64 [B].
            classes: the classes that take part, int64 [n], rising, the same in all processes, those of the whole batch
                among them; None for all. The centres left out have a gradient of zero: weight decay and momentum still
                move them, as in insightface.
        """
        centres: Tensor = self.centres
        if classes is not None:
            centres, labels = centres[classes], torch.searchsorted(classes, labels)
        centres = with_mean_gradient(centres, self.world)
        cosine = functional.linear(functional.normalize(embedded), functional.normalize(centres))
        return functional.cross_entropy(self._logits(cosine, labels, embedded), labels)

    def _logits(self, cosine: Tensor, labels: Tensor, embedded: Tensor) -> Tensor:
        scale, margin, gradient = self.recipe.scale, self.recipe.margin, self.recipe.gradient
        match self.recipe.loss:
            case "arcface":
                return margins.arcface(cosine, labels, scale=scale, margin=margin, gradient=gradient)
            case "cosface":
                return margins.cosface(cosine, labels, scale=scale, margin=margin)
            case "adaface":
                quality = self._quality(embedded.detach())
                return margins.adaface(cosine, labels, quality, scale=scale, margin=margin, gradient=gradient)

    @torch.no_grad()
    def _quality(self, embedded: Tensor) -> Tensor:
        """Let the running statistics take in the batch, then return z of its images (the order of AdaFace's code)."""
        norms = embedded.norm(dim=1).clamp(margins.SMALLEST_NORM, margins.LARGEST_NORM)
        whole = joined(norms, self.world)
        self.norm_mean.lerp_(whole.mean(), self.recipe.norm_decay)
        self.norm_std.lerp_(whole.std(), self.recipe.norm_decay)
        return margins.norm_quality(norms, self.norm_mean, self.norm_std, self.recipe.norm_concentration)


class Objective(nn.Module):
    """Join network and head; the network may compute in bfloat16, margin and loss are float32.

    Args:
        network: its weights are float32 whatever the precision.
        head: class centres and margin.
        precision: the floating-point type of the network's products.
    """

    def __init__(self, network: Backbone, head: MarginHead, precision: torch.dtype) -> None:
        super().__init__()
        self.network, self.head, self.precision = network, head, precision

    def forward(self, x: Tensor, labels: Tensor, kept: Tensor | None, classes: Tensor | None) -> Tensor:
        """Return the loss of images [B, 3, S, S] in [-1, 1]; see ``Backbone`` and ``MarginHead``."""
        with torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32):
            embedded = self.network(x, kept)
        loss: Tensor = self.head(embedded.float(), labels, classes)
        return loss


def precision_on(device: torch.device, choice: str) -> torch.dtype:
    """Return the floating-point type that ``choice`` (auto, float32, bfloat16) stands for on ``device``."""
    if choice == "auto":
        choice = "bfloat16" if device.type == "cuda" else "float32"
    return torch.bfloat16 if choice == "bfloat16" else torch.float32


def loss_without_knowledge(recipe: IResNet, classes: int) -> float:
    """Return what a network loses at most that gives every image one embedding, at right angles to all class centres.

    All cosines are 0: log(C) without a margin, and with one s times what it takes from the target more.
    """
    taken = {"arcface": math.sin(recipe.margin), "cosface": recipe.margin, "adaface": 2 * recipe.margin}
    return math.log(classes) + recipe.scale * taken[recipe.loss]
