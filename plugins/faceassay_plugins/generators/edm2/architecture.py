"""Own the shape and the size of the EDM2 U-Net: levels, blocks, weights, multiply-adds. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from faceassay_plugins.generators.edm2.conditioning import Conditioning

Resampling = Literal["keep", "down", "up"]
IMAGE_CHANNELS = 3
KERNEL_AREA = 9
"""Weights per pair of channels of the 3x3 convolutions."""


@dataclass(frozen=True)
class Level:
    """Describe one resolution of the U-Net.

    Attributes:
        resolution: side of its feature maps in pixels.
        channels: width of its blocks.
        attention: whether its blocks attend.
    """

    resolution: int
    channels: int
    attention: bool


@dataclass(frozen=True)
class BlockShape:
    """Describe one residual block.

    Attributes:
        resolution: side in pixels of the feature maps that it makes.
        channels_in: width of what it takes, that of a joined skip included.
        branch_channels: width of what its residual branch takes.
        channels: width of what it makes.
        attention: whether it attends.
        resampling: what it does to the resolution first.
        joins: whether it takes the output of a block of the encoder beside that of the block before it.
    """

    resolution: int
    channels_in: int
    branch_channels: int
    channels: int
    attention: bool = False
    resampling: Resampling = "keep"
    joins: bool = False

    @property
    def pixel_weights(self) -> int:
        """Weights that act on every pixel: skip path, two convolutions, queries, keys, values and their output."""
        skip = self.channels_in * self.channels if self.channels_in != self.channels else 0
        attention = 4 * self.channels**2 if self.attention else 0
        return skip + KERNEL_AREA * (self.branch_channels + self.channels) * self.channels + attention

    def parameters(self, embedding_channels: int) -> int:
        """Return the number of learned numbers: weights, modulation by the embedding, its gain."""
        return self.pixel_weights + embedding_channels * self.channels + 1

    def multiply_adds(self, embedding_channels: int) -> int:
        """Return the multiply-adds of one image, the two products of attention included."""
        pixels = self.resolution**2
        attention = 2 * pixels**2 * self.channels if self.attention else 0
        return pixels * self.pixel_weights + embedding_channels * self.channels + attention


@dataclass(frozen=True)
class Architecture:
    """Fix everything that the tensors of a network depend on.

    Attributes:
        image_size: side of the images in pixels.
        conditioning: what it is conditioned on.
        channels: width of the first level.
        multipliers: width of each level in units of ``channels``, highest resolution first.
        blocks: residual blocks per level of the encoder; the decoder has one more.
        attention_resolutions: sides of the feature maps, in pixels, whose blocks attend.
        head_channels: channels of an attention head; a narrower level has one head.
        dropout: probability of dropping an activation in training.
        sigma_data: standard deviation of the data, in units of the data range [-1, 1].

    Raises:
        ValueError: when the image size, an attention resolution or a head does not fit the levels.
    """

    image_size: int
    conditioning: Conditioning
    channels: int
    multipliers: tuple[int, ...]
    blocks: int
    attention_resolutions: tuple[int, ...]
    head_channels: int
    dropout: float
    sigma_data: float

    def __post_init__(self) -> None:
        self._require_divisible()
        self._require_known_resolutions()
        for level in self.levels:
            self.heads(level.channels)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Sides of the feature maps of the levels, highest first."""
        return tuple(self.image_size >> depth for depth in range(len(self.multipliers)))

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels, highest resolution first."""
        return tuple(
            Level(resolution, self.channels * multiplier, resolution in self.attention_resolutions)
            for resolution, multiplier in zip(self.resolutions, self.multipliers, strict=True)
        )

    @property
    def noise_channels(self) -> int:
        """Number of Fourier features of the noise level."""
        return self.channels

    @property
    def embedding_channels(self) -> int:
        """Width d_C of the embedding of noise level and condition: that of the widest level (4 x channels in EDM2)."""
        return self.channels * max(self.multipliers)

    @property
    def encoder(self) -> tuple[BlockShape, ...]:
        """The blocks of the encoder in their order; the stem before them is a convolution."""
        return tuple(self._encoder())

    @property
    def decoder(self) -> tuple[BlockShape, ...]:
        """The blocks of the decoder in their order; the first of them always attends."""
        return tuple(self._decoder())

    @property
    def parameters(self) -> int:
        """Number of learned numbers of one network, gains included, the learned uncertainty of the loss excluded."""
        blocks = sum(block.parameters(self.embedding_channels) for block in (*self.encoder, *self.decoder))
        conditions = self.conditioning.parameters(self.embedding_channels)
        return blocks + self._image_weights + self._noise_weights + conditions + 1

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass of one image.

        Counted are convolutions, linear maps (that of class weights on a dense vector of all classes) and the two
        products of attention; not what acts on each number alone (activations, gains, normalisation, Fourier features).
        """
        blocks = sum(block.multiply_adds(self.embedding_channels) for block in (*self.encoder, *self.decoder))
        embedding = self._noise_weights + self.conditioning.weights(self.embedding_channels)
        return blocks + self.image_size**2 * self._image_weights + embedding

    @property
    def _image_weights(self) -> int:
        """Weights of the convolutions from the image, with its channel of ones, and to it."""
        return KERNEL_AREA * (2 * IMAGE_CHANNELS + 1) * self.levels[0].channels

    @property
    def _noise_weights(self) -> int:
        return self.noise_channels * self.embedding_channels

    def _encoder(self) -> Iterator[BlockShape]:
        width = self.levels[0].channels
        for depth, level in enumerate(self.levels):
            if depth:
                yield BlockShape(level.resolution, width, width, width, resampling="down")
            for _ in range(self.blocks):
                yield BlockShape(level.resolution, width, level.channels, level.channels, level.attention)
                width = level.channels

    def _decoder(self) -> Iterator[BlockShape]:
        skips = [self.levels[0].channels, *(block.channels for block in self.encoder)]
        width, lowest = skips[-1], self.resolutions[-1]
        yield BlockShape(lowest, width, width, width, attention=True)
        yield BlockShape(lowest, width, width, width)
        for height, level in enumerate(reversed(self.levels)):
            if height:
                yield BlockShape(level.resolution, width, width, width, resampling="up")
            for _ in range(self.blocks + 1):
                joined = width + skips.pop()
                yield BlockShape(level.resolution, joined, joined, level.channels, level.attention, joins=True)
                width = level.channels

    def heads(self, channels: int) -> int:
        """Return the number of attention heads over ``channels``, at least one.

        Raises:
            ValueError: when the heads do not divide the channels.
        """
        heads = max(1, channels // self.head_channels)
        if channels % heads:
            raise ValueError(
                f"{heads} attention heads do not divide the {channels} channels of a level: "
                f"choose head_channels (now {self.head_channels}) so that they do"
            )
        return heads

    def _require_divisible(self) -> None:
        factor = 1 << (len(self.multipliers) - 1)
        if self.image_size % factor:
            raise ValueError(
                f"images of {self.image_size} px cannot be halved {len(self.multipliers) - 1} times: "
                f"use fewer channel_multipliers or a side divisible by {factor}"
            )

    def _require_known_resolutions(self) -> None:
        unknown = sorted(set(self.attention_resolutions) - set(self.resolutions))
        if unknown:
            raise ValueError(
                f"attention_resolutions {unknown} match no level: images of {self.image_size} px with "
                f"{len(self.multipliers)} levels have feature maps of {', '.join(map(str, self.resolutions))} px"
            )
