"""Own the trained generator and recognizer that checked plugins are handed: closed forms that count what is asked.

The generator's classes are Gaussians around mean images, the recognizer is a squashed linear map. Both count on their
own what passes through them, so that what a plugin reports can be compared with what it did.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from faceassay.contracts import (
    Attribute,
    AttributeTable,
    Condition,
    FloatArray,
    ImageBatch,
    LabelMix,
    Role,
)
from faceassay.seeds import generator
from faceassay.testing.faces import FaceArrays

if TYPE_CHECKING:
    from torch import Tensor

    from faceassay.sampling import NetworkDenoiser

WIDTH = 8
"""Length of an embedding."""
VARIANCE = 0.04
"""Variance of the pixels of a class."""
REACH = 0.15
"""How far a named condition moves a mean image, in the data range."""
COLUMNS = (Attribute("yaw", "degrees", -90, 90), Attribute("age", "years", 0, 100))


class ReferenceRecognizer:
    """Embed by a fixed linear map of a shrunken image; gradients reach the image.

    Attributes:
        seen: passes that were made, by the names of ``faceassay.contracts.running.PASSES``.
        centres: the mean embedding of each person, float32 [L, 8].
    """

    def __init__(self, data: FaceArrays) -> None:
        self.image_size = data.image_size
        self.seen: Counter[str] = Counter()
        embeddings = self._embedded(data.pixels)
        means = [embeddings[data.labels == label].mean(0) for label in range(len(data.identities))]
        self.centres: FloatArray = np.stack(means).astype(np.float32)

    def embed(self, images: ImageBatch) -> FloatArray:
        """Return raw embeddings, float32 [B, 8], of uint8 [B, S, S, 3] RGB images."""
        self.seen["recognizer_forward"] += len(images)
        return self._embedded(images)

    def features(self, x: Tensor) -> Tensor:
        """Return raw embeddings [B, 8] of images [B, 3, S, S] in [-1, 1]."""
        self.seen["recognizer_forward"] += len(x)
        embedded = _features(x)
        if embedded.requires_grad:
            embedded.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: self.seen.update(recognizer_backward=len(gradient))
            )
        return embedded

    def class_centres(self) -> FloatArray:
        """Return the mean embedding of each person, float32 [L, 8]."""
        return self.centres

    def _embedded(self, images: ImageBatch) -> FloatArray:
        from faceassay.sampling import from_images

        embedded: FloatArray = _features(from_images(images)).numpy()
        return embedded


def _features(x: Tensor) -> Tensor:
    import torch

    matrix = torch.from_numpy(generator(1).standard_normal((48, WIDTH)).astype(np.float32) / 4)
    shrunk = torch.nn.functional.avg_pool2d(x, x.shape[-1] // 4)
    return torch.tanh(shrunk.flatten(1) @ matrix.to(x.dtype))


class ReferenceGenerator:
    """Denoise towards mean images: of classes, or of whatever tensors a condition names.

    Attributes:
        seen: passes that were made: ``evaluations``, and ``denoiser_backward``.
    """

    device = "cpu"
    embedding_width = WIDTH
    attribute_columns = COLUMNS

    def __init__(self, data: FaceArrays) -> None:
        from faceassay.sampling import CountedNetwork

        self.image_size = data.image_size
        self.identities: Sequence[str] = data.identities
        self.seen: Counter[str] = Counter()
        scaled = data.pixels.astype(np.float32).transpose(0, 3, 1, 2) / 127.5 - 1
        self._means = np.stack([scaled[data.labels == label].mean(0) for label in range(len(data.identities))])
        self._networks = {"main": CountedNetwork(self._network(1.0)), "guide": CountedNetwork(self._network(0.5))}

    @property
    def evaluations(self) -> int:
        """Network evaluations as a generator counts them."""
        return sum(network.evaluations for network in self._networks.values())

    def denoiser(self, condition: Condition, *, role: Role = "main") -> NetworkDenoiser:
        """Return the denoiser under a mix of classes or named tensors.

        Raises:
            ValueError: when a class is unknown, or a tensor is not finite.
        """
        import torch

        from faceassay.sampling import NetworkDenoiser

        means = self._mixed(condition) if isinstance(condition, LabelMix) else self._named(condition)
        return NetworkDenoiser(self._networks[role], torch.from_numpy(np.ascontiguousarray(means, dtype=np.float32)))

    def condition_vectors(self) -> FloatArray:
        """Return a vector for each class, float32 [L, 8]."""
        flat = self._means.reshape(len(self._means), -1)
        vectors: FloatArray = flat @ _projection("vectors", flat.shape[1]).T
        return vectors

    def _network(self, share: float) -> Callable[[Tensor, Tensor, Any], Tensor]:
        """Return the network whose means are moved to ``share`` of their distance from the mean of all."""

        def denoised(x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
            import torch

            self.seen["evaluations"] += len(x)
            middle = torch.from_numpy(self._means.mean(0)).to(x.dtype)
            mean = middle + share * (condition.to(x.dtype) - middle)
            noise = sigma.view(-1, 1, 1, 1) ** 2
            output = (VARIANCE * x + noise * mean) / (VARIANCE + noise)
            if output.requires_grad:
                output.register_hook(  # type: ignore[no-untyped-call]
                    lambda gradient: self.seen.update(denoiser_backward=len(gradient))
                )
            return output

        return denoised

    def _mixed(self, mix: LabelMix) -> FloatArray:
        classes = len(self.identities)
        if mix.indices.size and not 0 <= mix.indices.min() <= mix.indices.max() < classes:
            raise ValueError(f"class indices {mix.indices.min()}..{mix.indices.max()} are not in 0..{classes - 1}")
        means: FloatArray = (self._means[mix.indices] * mix.weights[:, :, None, None, None]).sum(1)
        return means

    def _named(self, condition: Mapping[str, Any]) -> FloatArray:
        arrays = {name: np.array(values, dtype=np.float64) for name, values in condition.items()}
        if not arrays:
            raise ValueError("a condition names at least one tensor")
        total = np.broadcast_to(self._means.mean(0), (len(next(iter(arrays.values()))), *self._means.shape[1:]))
        for name, array in arrays.items():
            flat = np.nan_to_num(array.reshape(len(array), -1))  # an unknown attribute is NaN
            scaled = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
            moved = np.tanh(scaled @ _projection(name, self._means[0].size, flat.shape[1]))
            total = total + REACH * moved.reshape(len(flat), *self._means.shape[1:])
        means: FloatArray = total.astype(np.float32)
        return means


def reference_attributes(data: FaceArrays) -> AttributeTable:
    """Return an angle and an age of each image; one age is unknown."""
    low, high = ([getattr(column, end) / 2 for column in COLUMNS] for end in ("low", "high"))
    values = generator(2).uniform(low, high, (len(data), len(COLUMNS))).astype(np.float32)
    values[-1, -1] = np.nan
    return AttributeTable(COLUMNS, values)


def _projection(name: str, size: int, width: int = WIDTH) -> FloatArray:
    """Return a fixed random map for ``name``, float32 [width, size]."""
    matrix: FloatArray = generator(zlib.crc32(name.encode())).standard_normal((width, size)).astype(np.float32)
    return matrix
