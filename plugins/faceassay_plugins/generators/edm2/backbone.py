"""Own the parameters that all generators on the EDM2 backbone share; what they are conditioned on is their own.

Networks, training and sampling are in the modules beside this one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator

from faceassay import Generator, Role, Sources, StageContext, parameter
from faceassay_plugins.generators.edm2.architecture import Architecture
from faceassay_plugins.generators.edm2.conditioning import Conditioning

if TYPE_CHECKING:
    from faceassay_plugins.generators.edm2.images import TrainingImages
    from faceassay_plugins.generators.edm2.scheme import Scheme

LONGEST_RAMPUP = 10_000_000
"""Images over which the learning rate of the published runs rises (EDM2)."""
AverageLength = Annotated[float, Field(ge=0.001, le=0.28)]


class Edm2Backbone(Generator):
    """Train an EDM2 denoiser in pixel space; subclasses say what it is conditioned on and what is minimised."""

    channels: int = parameter(
        64, ge=8, le=1024, description="width of the highest resolution; EDM2 XS has 128, S 192, M 256"
    )
    channel_multipliers: tuple[PositiveInt, ...] = parameter(
        (1, 2, 3, 4), min_length=1, max_length=8, description="width of each level in units of channels (EDM2)"
    )
    blocks: int = parameter(3, ge=1, le=16, description="residual blocks per level; the decoder has one more (EDM2)")
    attention_resolutions: tuple[PositiveInt, ...] = parameter(
        (16, 8),
        unit="px",
        description="sides of the feature maps whose blocks attend (EDM2: 16 and 8; at 112 px use 28 and 14); "
        "the decoder's first block always attends",
    )
    head_channels: int = parameter(
        64, ge=1, description="channels of an attention head (EDM2: 64); a narrower level has one head"
    )
    dropout: float = parameter(0.0, ge=0, lt=1, description="dropout in residual branches (EDM2: 0 up to S, M 0.1)")
    sigma_data: float = parameter(0.5, gt=0, description="standard deviation of the data in [-1, 1] (EDM, table 1)")
    noise_mean: float = parameter(
        -0.8, ge=-10, le=10, description="mean of ln sigma in training (EDM2 at 64 px RGB: -0.8)"
    )
    noise_deviation: float = parameter(
        1.6, gt=0, le=10, description="standard deviation of ln sigma in training (EDM2 at 64 px RGB: 1.6)"
    )
    images: int = parameter(
        4_000_000, ge=1, unit="images", description="length of training, rounded up to whole batches"
    )
    batch_size: int = parameter(128, ge=1, unit="images", description="images per optimizer step (EDM2: 2048)")
    learning_rate: float = parameter(
        0.004, gt=0, le=1, description="highest learning rate; EDM2 XS has 0.012 at batches of 2048, about sqrt(batch)"
    )
    decay_images: int | None = parameter(
        None,
        ge=1,
        unit="images",
        description="images after which the learning rate falls as 1 / sqrt (EDM2: 35,000 batches); "
        "by default a third of the training",
    )
    rampup_images: int | None = parameter(
        None,
        ge=1,
        unit="images",
        description="images over which the learning rate rises (EDM2: 10 million); "
        "by default that, or a twentieth of a shorter training",
    )
    main_length: float = parameter(
        0.05, gt=0, le=0.28, description="relative length of the weight average that becomes the main network (EDM2)"
    )
    guide_length: float = parameter(
        0.1, gt=0, le=0.28, description="relative length of the weight average that becomes the guide"
    )
    guide_fraction: float = parameter(
        0.125,
        gt=0,
        le=1,
        description="share of the training after which the guide is taken (autoguidance at 64 px: 1/8)",
    )
    guide_channels: int | None = parameter(
        None,
        ge=8,
        le=1024,
        description="width of a guide with a network of its own, trained with the same settings for guide_fraction of "
        "the images (EDM2 S: XS, 128); by default the guide is an early state of the main network",
    )
    further_lengths: tuple[AverageLength, ...] = parameter(
        (), description="relative lengths of more averages of the main network, written as average-LENGTH.safetensors"
    )
    held_out: float = parameter(
        0.0,
        ge=0,
        lt=1,
        description="share of each identity's images that only measures the held-out error: at least one if above 0",
    )
    sample_steps: int = parameter(
        16,
        ge=0,
        unit="steps",
        description="steps of the sampler for the samples shown and measured after training, one for each of at most "
        "64 classes; 0 makes none",
    )
    precision: Literal["auto", "float32", "bfloat16"] = parameter(
        "auto",
        description="floating-point type inside the network: auto is bfloat16 on a GPU, float32 on a CPU; "
        "bfloat16 is twice as fast on CPUs that have it (avx512_bf16, amx)",
    )

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a network that trains in a fraction of a second on images of 16 px."""
        return cls(
            **{"channels": 8, "channel_multipliers": (1, 2), "blocks": 1, "attention_resolutions": (), "dropout": 0.1},
            **{"images": 24, "batch_size": 4, "learning_rate": 0.02, "guide_fraction": 0.5, "sample_steps": 0},
        )

    @field_validator("further_lengths")
    @classmethod
    def _have_names_of_their_own(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if len({_average_name(length) for length in lengths}) < len(lengths):
            raise ValueError("two lengths are the same in three decimals, so that their files would be one")
        return lengths

    @field_validator("sample_steps")
    @classmethod
    def _is_no_single_step(cls, steps: int) -> int:
        if steps == 1:
            raise ValueError("the sampler needs at least 2 steps; 0 makes no samples")
        return steps

    @property
    def further_averages(self) -> dict[str, float]:
        """Relative lengths of the averages that are kept beside main and guide, by the name of the file."""
        return {_average_name(length): length for length in self.further_lengths}

    @property
    def updates(self) -> int:
        """Number of optimizer steps."""
        return math.ceil(self.images / self.batch_size)

    @property
    def guide_updates(self) -> int:
        """Number of optimizer steps after which the guide is taken."""
        return math.ceil(self.updates * self.guide_fraction)

    @abstractmethod
    def conditioning(self, identities: int) -> Conditioning:
        """Return what the network is conditioned on, as far as it is known before the training; for estimates."""

    @abstractmethod
    def scheme(self, sources: Sources, shown: TrainingImages, run: StageContext) -> Scheme:
        """Return what the images of a training are conditioned on and what is minimised.

        Raises:
            FaceassayError: when the inputs do not fit the parameters.
        """

    def shape(self, image_size: int, conditioning: Conditioning, role: Role = "main") -> Architecture:
        """Return the shape of the network ``role`` for images of ``image_size`` px.

        Raises:
            ValueError: when the parameters do not fit the image size; the message names the levels.
        """
        return Architecture(
            image_size=image_size,
            conditioning=conditioning,
            channels=(self.guide_channels if role == "guide" else None) or self.channels,
            multipliers=self.channel_multipliers,
            blocks=self.blocks,
            attention_resolutions=self.attention_resolutions,
            head_channels=self.head_channels,
            dropout=self.dropout,
            sigma_data=self.sigma_data,
        )

    def architecture(self, image_size: int, identities: int, role: Role = "main") -> Architecture:
        """Return the shape of the network ``role`` as far as it is known before the training.

        Raises:
            ValueError: when the parameters do not fit the image size; the message names the levels.
        """
        return self.shape(image_size, self.conditioning(identities), role)

    def multiply_adds(self, image_size: int, identities: int, role: Role = "main") -> int:
        """Return the multiply-adds of one evaluation of the network ``role`` on one image.

        Raises:
            ValueError: when the parameters do not fit the image size.
        """
        return self.architecture(image_size, identities, role).multiply_adds

    def learning_rate_at(self, images: int) -> float:
        """Return the learning rate of the step that completes ``images`` images (EDM2).

        It is learning_rate / sqrt(max(images / decay_images, 1)) x min(images / rampup_images, 1).
        """
        decay = self.decay_images or self.images / 3
        rampup = self.rampup_images or min(LONGEST_RAMPUP, self.images / 20)
        return self.learning_rate / math.sqrt(max(images / decay, 1)) * min(images / rampup, 1)

    def check_world(self, world: int) -> None:
        """Check that ``world`` processes can share the batches.

        Raises:
            ValueError: when they cannot do so evenly.
        """
        if self.batch_size % world:
            raise ValueError(
                f"{world} processes cannot share batches of {self.batch_size} images evenly: "
                f"choose a batch_size that {world} divides, or another number of processes"
            )

    def check(self, image_size: int, identities: int) -> None:
        """Check that main network and guide can be built for such images.

        Raises:
            ValueError: when the parameters do not fit the image size; the message names the levels.
        """
        for role in ("main", "guide"):
            self.architecture(image_size, identities, role)

    def work(self, images: int) -> int:
        """Return the images of all batches, whatever the size of the set."""
        own_guide = self.guide_updates if self.guide_channels is not None else 0
        return (self.updates + own_guide) * self.batch_size

    def fit(self, sources: Sources, run: StageContext) -> None:
        """Train on the real images; write main.safetensors, guide.safetensors, config.json and history.json.

        Where ``sample_steps`` is above 0, samples.png, memorisation.json and nearest_of_*.npy show what was learned.
        With several processes torch.distributed must be initialised; the first one writes.

        Raises:
            ValueError: when the parameters do not fit the images.
            FaceassayError: when the processes cannot share the batches, or the inputs do not fit the parameters.
            DivergenceError: when the loss is not finite or grows.
        """
        from faceassay_plugins.generators.edm2.stage import train

        train(self, sources, run)


def _average_name(length: float) -> str:
    return f"average-{length:.3f}"
