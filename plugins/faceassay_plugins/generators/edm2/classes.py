"""Own what ``edm2`` adds to the training on its backbone: classes as conditions, learned or frozen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faceassay import Condition, FloatArray, IntArray, LabelMix, Sources, StageContext, seeds
from faceassay.datasets import evenly_chosen
from faceassay_plugins.generators.edm2.conditions import centres_of, frozen_conditions
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.loss import Objective
from faceassay_plugins.generators.edm2.network import Denoiser
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.generators.edm2.scheme import Scheme


class ClassScheme(Scheme):
    """Condition on classes and minimise EDM2's loss."""

    def __init__(self, plugin: Edm2, sources: Sources, shown: TrainingImages, run: StageContext) -> None:
        super().__init__(plugin, sources, shown, run)
        classes = len(self.data.identities)
        self.conditioning, self.mirrors = plugin.conditioning(classes), plugin.flip
        frozen = plugin.condition == "class_centres"
        self.centres: FloatArray | None = centres_of(sources.recognizer, classes) if frozen else None

    def conditions(self, rows: IntArray) -> Tensor:
        """Return one-hot class weights, [B, L]."""
        labels = torch.from_numpy(self.data.labels[rows])
        return functional.one_hot(labels, len(self.data.identities)).float().to(self.device)

    def samples(self, most: int) -> tuple[IntArray, Condition]:
        """Return evenly chosen classes, each with itself as condition."""
        classes = evenly_chosen(np.arange(len(self.data.identities)), most)
        return classes, LabelMix(classes[:, None], np.ones((len(classes), 1)))

    def objective(self, denoiser: Denoiser, seed: int) -> Objective:
        """Return EDM2's loss; the condition vectors become class centres, where those are the conditions."""
        if self.centres is not None:
            matrix = denoiser.get_buffer("embedding.label.weight")
            conditions = frozen_conditions(self.centres, len(matrix), seeds.derive(seed, "map of class centres"))
            matrix.copy_(torch.from_numpy(conditions.T))
        return Objective(denoiser)
