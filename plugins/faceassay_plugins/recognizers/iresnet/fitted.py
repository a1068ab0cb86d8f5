"""Own a trained IResNet in use: embeddings, differentiable features, class centres. Changes no weight."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from faceassay.contracts import FaceassayError, FloatArray, ImageBatch
from faceassay.sampling import from_images
from faceassay_plugins.recognizers.iresnet.network import Backbone


class FittedIResNet:
    """Serve the network and the class centres that a training wrote into ``folder``.

    Args:
        network: a network of the trained shape; its values are replaced.
        folder: what ``IResNet.fit`` wrote.
        device: a torch device name.
    """

    def __init__(self, network: Backbone, folder: Path, device: str) -> None:
        network.load_state_dict(load_file(folder / "network.safetensors"))
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network.eval().requires_grad_(False)
        self.folder = folder

    @property
    def image_size(self) -> int:
        """Side in pixels of the images that it takes."""
        return self.network.image_size

    def embed(self, images: ImageBatch) -> FloatArray:
        """Return raw (not normalised) embeddings, float32 [B, d], of uint8 [B, S, S, 3] RGB images.

        Raises:
            FaceassayError: when the images have another size than the network.
        """
        return embedded(self.network, images)

    def features(self, x: Tensor) -> Tensor:
        """Return raw embeddings [B, d] of images ``x`` [B, 3, S, S] in [-1, 1]; gradients reach ``x``.

        Raises:
            FaceassayError: when the images have another size than the network.
        """
        return _features(self.network, x)

    def class_centres(self) -> FloatArray:
        """Return the rows of the margin head's weight E, float32 [L, d], not normalised (ScoreMix, section 4.3)."""
        centres: FloatArray = load_file(self.folder / "centres.safetensors")["centres"].numpy()
        return centres


@torch.no_grad()
def embedded(network: Backbone, images: ImageBatch) -> FloatArray:
    """Return raw embeddings, float32 [B, d], of uint8 [B, S, S, 3] RGB images by a network that is not training.

    Raises:
        FaceassayError: when the images have another size than the network.
    """
    device = next(network.parameters()).device
    found: FloatArray = _features(network, from_images(images).to(device)).cpu().numpy()
    return found


def _features(network: Backbone, x: Tensor) -> Tensor:
    if x.shape[1:] != (3, network.image_size, network.image_size):
        raise FaceassayError(
            f"images {tuple(x.shape)} do not fit a recognizer of [B, 3, {network.image_size}, {network.image_size}]"
        )
    found: Tensor = network(x.contiguous(memory_format=torch.channels_last))
    return found
