"""Own how embedding and attributes enter the network. The network itself is EDM2's."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from faceassay_plugins.generators.edm2.layers import MPLinear, mp_sum
from faceassay_plugins.generators.id3.conditioning import ATTRIBUTES, IDENTITY, VectorConditioning

ATTRIBUTE_SHARE = 0.5


class VectorConditions(nn.Module):
    """Map an identity embedding and attributes to what they add to the network's embedding.

    The paper projects both by a perceptron whose place in its network is not told; this is our reconstruction on EDM2:
    magnitude-preserving linear maps of sqrt(d) y and s', merged half and half. A unit vector y of d numbers has
    components of mean square 1/d, so that sqrt(d) y has unit magnitude. Standardised attributes s' have it as they are.
    """

    def __init__(self, conditioning: VectorConditioning, channels: int) -> None:
        super().__init__()
        self.identity = MPLinear(conditioning.identity, channels)
        self.attributes = MPLinear(conditioning.attributes, channels) if conditioning.attributes else None

    def forward(self, condition: Mapping[str, Tensor]) -> Tensor:
        """Map conditions to [B, d_C]; a row of zeros is a condition left out and adds nothing.

        Args:
            condition: ``identity``, unit rows [B, d], and, where the network knows attributes, ``attributes``,
                standardised, [B, A]; both float32.
        """
        identity = condition[IDENTITY]
        part: Tensor = self.identity(math.sqrt(identity.shape[1]) * identity)
        return (
            part if self.attributes is None else mp_sum(part, self.attributes(condition[ATTRIBUTES]), ATTRIBUTE_SHARE)
        )
