"""Own the shape of what ID3 is conditioned on: an identity embedding and attributes. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceassay_plugins.generators.edm2.conditioning import Conditioning

if TYPE_CHECKING:
    from torch import nn

IDENTITY, ATTRIBUTES = "identity", "attributes"
"""Names of the conditions."""


@dataclass(frozen=True)
class VectorConditioning(Conditioning):
    """Condition on an embedding y and attributes s (ID3, section 3.2).

    Attributes:
        identity: numbers d of the embedding.
        attributes: their number A, 0 where there are none.
    """

    identity: int
    attributes: int

    def weights(self, channels: int) -> int:
        """Return those of one linear map for each."""
        return (self.identity + self.attributes) * channels

    def module(self, channels: int) -> nn.Module:
        """Return a map from ``identity`` [B, d] and, where there are any, ``attributes`` [B, A] by name."""
        from faceassay_plugins.generators.id3.network import VectorConditions

        return VectorConditions(self, channels)
