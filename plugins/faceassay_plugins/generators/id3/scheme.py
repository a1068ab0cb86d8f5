"""Own what ID3 adds to the training on EDM2's backbone: embeddings and attributes of images, weights of its terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceassay import AttributeTable, Condition, DataError, IntArray, Sources, StageContext
from faceassay.datasets import evenly_chosen
from faceassay.identity import differentiable, embedded
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.network import Denoiser
from faceassay_plugins.generators.edm2.scheme import Scheme
from faceassay_plugins.generators.id3.attributes import AttributeScale
from faceassay_plugins.generators.id3.conditioning import ATTRIBUTES, IDENTITY, VectorConditioning
from faceassay_plugins.generators.id3.loss import IdentityObjective
from faceassay_plugins.generators.id3.plugin import Id3
from faceassay_plugins.generators.id3.schedule import identity_weight


class IdentityBatch(NamedTuple):
    """Hold the arguments of ``IdentityObjective``."""

    x: Tensor
    noise: Tensor
    sigma: Tensor
    condition: Mapping[str, Tensor]
    identity: Tensor
    weights: Tensor


class IdentityScheme(Scheme):
    """Condition on embeddings and attributes of the images, and minimise equation 3 of ID3.

    Images are never mirrored: pose and embedding of a mirror image are others.
    """

    conditioning: VectorConditioning

    def __init__(self, plugin: Id3, sources: Sources, shown: TrainingImages, run: StageContext) -> None:
        super().__init__(plugin, sources, shown, run)
        self.id3, self.schedule, recognizer = plugin, plugin.schedule, sources.recognizer
        looks_through = plugin.needs_gradient()
        self.features = differentiable(recognizer, self.data.image_size).features if looks_through else None
        self.attributes = _of_images(sources.attributes, len(self.data)) if plugin.attributes else None
        self.scale = None if self.attributes is None else _scale(self.attributes, shown.rows, run)
        self.given = {IDENTITY: embedded(recognizer, self.data, np.arange(len(self.data)))}
        run.count_passes({"recognizer_forward": run.world * len(self.data)})
        if self.attributes is not None and self.scale is not None:
            self.given[ATTRIBUTES] = self.scale.standardised(self.attributes.values)
        columns = () if self.scale is None else self.scale.columns
        self.conditioning = VectorConditioning(self.given[IDENTITY].shape[1], len(columns))
        looked_at = plugin.batch_size - plugin.reconstructed if looks_through else 0
        self.passes_per_step = {"recognizer_forward": looked_at, "recognizer_backward": looked_at}

    def conditions(self, rows: IntArray) -> dict[str, Tensor]:
        """Return the unit embeddings [B, d] and, where they are conditions, the standardised attributes [B, A]."""
        return {name: torch.from_numpy(values[rows]).to(self.device) for name, values in self.given.items()}

    def samples(self, most: int) -> tuple[IntArray, Condition]:
        """Return evenly chosen classes, each with the embedding and the attributes of its first training image."""
        _, first = np.unique(self.data.labels[self.shown.rows], return_index=True)
        rows = evenly_chosen(self.shown.rows[first], most)
        raw = {} if self.attributes is None else {ATTRIBUTES: self.attributes.values[rows]}
        return self.data.labels[rows], {IDENTITY: self.given[IDENTITY][rows], **raw}

    def noise_levels(self, standard_normal: Tensor) -> Tensor:
        """Map standard normal numbers [B] to noise levels: log-normal, or those of uniform times (ID3, equation 3)."""
        if self.id3.noise_levels == "lognormal":
            return super().noise_levels(standard_normal)
        quantiles = torch.special.ndtr(standard_normal.double())
        return torch.from_numpy(self.schedule.uniform(quantiles.cpu().numpy())).to(standard_normal)

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """Draw which images show each condition, and place those that are reconstructed: masks, bool [``size``]."""
        dropping = {IDENTITY: self.id3.drop_identity, ATTRIBUTES: self.id3.drop_attributes}
        kept = [torch.rand(size, device=self.device) >= dropping[name] for name in self.given]
        return *kept, torch.from_numpy(spread(size, self.id3.reconstructed)).to(self.device)

    def batch(self, rows: IntArray, x: Tensor, noise: Tensor, sigma: Tensor, *drawn: Tensor) -> IdentityBatch:
        """Return the arguments of the objective; a dropped condition is a vector of zeros."""
        *kept, reconstructed = drawn
        sigma = torch.where(reconstructed, float(self.schedule.sigmas[0]), sigma)
        condition = self.conditions(rows)
        seen = zip(condition.items(), kept, strict=True)
        shown = {name: values * keep[:, None] for (name, values), keep in seen}
        return IdentityBatch(x, noise, sigma, shown, condition[IDENTITY], self._weights(sigma, reconstructed))

    def objective(self, denoiser: Denoiser, seed: int) -> IdentityObjective:
        """Return equation 3."""
        return IdentityObjective(denoiser, self.features)

    def description(self) -> Mapping[str, Any]:
        """Return the widths of the conditions and the scale of the attributes."""
        attributes = [] if self.scale is None else self.scale.document()
        return {"conditions": {IDENTITY: self.conditioning.identity, ATTRIBUTES: attributes}}

    def _weights(self, sigma: Tensor, reconstructed: Tensor) -> Tensor:
        """Return the weights of the terms denoising, identity, reconstruction for each image, [B, 3].

        A term that n of the N images of a batch carry has the factor N / n there, so that the mean over the batch is
        the sum of the means of the terms, in however many processes.
        """
        size, few = self.id3.batch_size, self.id3.reconstructed
        denoising = torch.where(reconstructed, 0.0, size / (size - few))
        times = self.schedule.relative_times(sigma.double().cpu().numpy())
        agreement = torch.from_numpy(self.id3.identity_weight * identity_weight(times)).to(sigma)
        reconstruction = torch.where(reconstructed, size / max(few, 1), 0.0)
        return torch.stack([denoising, denoising * agreement, reconstruction], dim=1)


def spread(size: int, few: int) -> NDArray[np.bool_]:
    """Return a mask [``size``] of ``few`` positions at even distances, so that each process gets its share of them."""
    mask: NDArray[np.bool_] = np.diff(np.arange(size + 1) * few // size) > 0
    return mask


def _of_images(table: AttributeTable, images: int) -> AttributeTable:
    if len(table) != images:
        raise DataError(f"id3: attributes of {len(table)} images and {images} real images: they must be of one set")
    return table


def _scale(table: AttributeTable, rows: IntArray, run: StageContext) -> AttributeScale:
    return AttributeScale.of(AttributeTable(table.columns, table.values[rows]), run.log)
