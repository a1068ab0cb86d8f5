"""Own the trained ``edm2`` as augmentations see it: what its networks are conditioned on. Files are in ``serving``."""

from __future__ import annotations

import torch
from safetensors import safe_open
from torch import Tensor

from faceassay import Condition, FloatArray, LabelMix
from faceassay.contracts import Role
from faceassay.sampling import NetworkDenoiser
from faceassay_plugins.generators.edm2.conditioning import ClassConditioning
from faceassay_plugins.generators.edm2.layers import normalize
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.generators.edm2.serving import FittedBackbone


class FittedEdm2(FittedBackbone):
    """Serve denoisers under mixes of classes."""

    kind = Edm2

    @property
    def conditioning(self) -> ClassConditioning:
        """Weights of the classes."""
        return Edm2.model_validate(self.config["parameters"]).conditioning(len(self.identities))

    def denoiser(self, condition: Condition, *, role: Role = "main") -> NetworkDenoiser:
        """Return the denoiser under a mix of classes; ``guide`` is the early state or the lesser network.

        Raises:
            ValueError: when the condition is no mix of classes or a class index is outside 0 to L-1.
        """
        if not isinstance(condition, LabelMix):
            raise ValueError(f"edm2 is conditioned on a LabelMix (got {type(condition).__name__})")
        return NetworkDenoiser(self.network(role), self._class_weights(condition))

    def condition_vectors(self) -> FloatArray:
        """Return what each class alone adds to the main network's embedding, float32 [L, d_C]: learned or frozen."""
        with safe_open(self.folder / "main.safetensors", "pt") as file:
            matrix: Tensor = file.get_tensor("embedding.label.weight")
        acting = normalize(matrix) if self.conditioning.learned else matrix
        vectors: FloatArray = acting.T.contiguous().numpy()
        return vectors

    def _class_weights(self, mix: LabelMix) -> Tensor:
        classes = len(self.identities)
        if mix.indices.size and not 0 <= mix.indices.min() <= mix.indices.max() < classes:
            raise ValueError(
                f"class indices {mix.indices.min()}..{mix.indices.max()} leave the label space 0..{classes - 1}"
            )
        dense = torch.zeros(len(mix.indices), classes)
        dense.scatter_add_(1, torch.from_numpy(mix.indices), torch.from_numpy(mix.weights).float())
        return dense.to(self.device)
