"""Own what all trained generators on the EDM2 backbone share: files, networks, counts. Conditions are their own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file

from faceassay.contracts import Role
from faceassay.sampling import CountedNetwork
from faceassay_plugins.generators.edm2.architecture import Architecture
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.conditioning import Conditioning
from faceassay_plugins.generators.edm2.network import precision_on, sampling_network


class FittedBackbone(ABC):
    """Serve the main network and the guide that a generator's ``fit`` wrote; each is read when first used.

    Gradients flow through a denoiser to its input where torch records them.

    Attributes:
        kind: the generator.
        folder: what ``fit`` wrote.
        device: torch device name of the networks.
    """

    kind: ClassVar[type[Edm2Backbone]]

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.folder = folder
        self.device = device
        self._networks: dict[Role, CountedNetwork] = {}

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        size: int = self.config["image_size"]
        return size

    @property
    def identities(self) -> Sequence[str]:
        """Names of the L classes, in the order of their indices."""
        return tuple(self.config["identities"])

    @property
    def evaluations(self) -> int:
        """Network evaluations made so far, those of the guide included: one for each image through one network."""
        return sum(network.evaluations for network in self._networks.values())

    @property
    @abstractmethod
    def conditioning(self) -> Conditioning:
        """What the networks are conditioned on."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json says."""
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        return config

    @cached_property
    def plugin(self) -> Edm2Backbone:
        """The generator with the parameters of its training."""
        return self.kind.model_validate(self.config["parameters"])

    def network(self, role: Role) -> CountedNetwork:
        """Return the network ``role``, always the same object."""
        if role not in self._networks:
            tensors = load_file(self.folder / f"{role}.safetensors")
            device = torch.device(self.device)
            precision = precision_on(device, self.plugin.precision)
            network = sampling_network(self._architecture(role), tensors, precision, device)
            self._networks[role] = CountedNetwork(network)
        return self._networks[role]

    def _architecture(self, role: Role) -> Architecture:
        return self.plugin.shape(self.image_size, self.conditioning, role)
