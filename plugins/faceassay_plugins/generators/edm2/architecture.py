"""Own the shape of the EDM2 U-Net: levels, widths, where attention sits. Builds no network and imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


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
class Architecture:
    """Fix everything that the tensors of a network depend on.

    Attributes:
        image_size: side of the images in pixels.
        classes: number L of classes.
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
    classes: int
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
        """Width d_C of the embedding of noise level and class: that of the widest level (4 x channels in EDM2)."""
        return self.channels * max(self.multipliers)

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
