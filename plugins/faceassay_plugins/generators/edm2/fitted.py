"""Own the trained EDM2 generator as augmentations see it. Training is in ``training``, the sampler in the core."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from faceassay import Condition, FloatArray, LabelMix
from faceassay.contracts import Role
from faceassay.sampling import CountedNetwork, NetworkDenoiser
from faceassay_plugins.generators.edm2.architecture import Architecture
from faceassay_plugins.generators.edm2.network import condition_vectors, precision_on, sampling_network
from faceassay_plugins.generators.edm2.plugin import Edm2


class FittedEdm2:
    """Serve the main network and the guide that ``Edm2.fit`` wrote; each is read when first used.

    Gradients flow through a denoiser to its input where torch records them.

    Attributes:
        folder: what ``fit`` wrote.
        device: torch device name of the networks.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.folder = folder
        self.device = device
        self._networks: dict[Role, CountedNetwork] = {}

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        size: int = self._config["image_size"]
        return size

    @property
    def identities(self) -> Sequence[str]:
        """Names of the L classes, in the order of their indices."""
        return tuple(self._config["identities"])

    @property
    def evaluations(self) -> int:
        """Network evaluations made so far, those of the guide included: one for each image through one network."""
        return sum(network.evaluations for network in self._networks.values())

    def denoiser(self, condition: Condition, *, role: Role = "main") -> NetworkDenoiser:
        """Return the denoiser under a mix of classes; ``guide`` is the early state or the lesser network.

        Raises:
            ValueError: when the condition is no mix of classes or a class index is outside 0 to L-1.
        """
        if not isinstance(condition, LabelMix):
            raise ValueError(f"edm2 is conditioned on a LabelMix (got {type(condition).__name__})")
        return NetworkDenoiser(self._network(role), self._class_weights(condition))

    def condition_vectors(self) -> FloatArray:
        """Return what each class alone adds to the main network's embedding, float32 [L, d_C]: learned or frozen."""
        with safe_open(self.folder / "main.safetensors", "pt") as file:
            matrix: Tensor = file.get_tensor("embedding.label.weight")
        vectors: FloatArray = condition_vectors(self._architecture("main"), matrix).numpy()
        return vectors

    @cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        return config

    @cached_property
    def _plugin(self) -> Edm2:
        return Edm2.model_validate(self._config["parameters"])

    def _architecture(self, role: Role) -> Architecture:
        return self._plugin.architecture(self.image_size, len(self.identities), role)

    def _network(self, role: Role) -> CountedNetwork:
        if role not in self._networks:
            tensors = load_file(self.folder / f"{role}.safetensors")
            device = torch.device(self.device)
            precision = precision_on(device, self._plugin.precision)
            network = sampling_network(self._architecture(role), tensors, precision, device)
            self._networks[role] = CountedNetwork(network)
        return self._networks[role]

    def _class_weights(self, mix: LabelMix) -> Tensor:
        classes = len(self.identities)
        if mix.indices.size and not 0 <= mix.indices.min() <= mix.indices.max() < classes:
            raise ValueError(
                f"class indices {mix.indices.min()}..{mix.indices.max()} leave the label space 0..{classes - 1}"
            )
        dense = torch.zeros(len(mix.indices), classes)
        dense.scatter_add_(1, torch.from_numpy(mix.indices), torch.from_numpy(mix.weights).float())
        return dense.to(self.device)
