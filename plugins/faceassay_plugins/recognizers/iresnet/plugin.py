"""Own the parameters of the IResNet recognizer and the length of its training. Networks and training are beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from faceassay.contracts import FaceDataset, FittedRecognizer, Recognizer, StageContext, parameter
from faceassay_plugins.recognizers.iresnet.presets import PRESETS

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.network import Backbone

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Residual blocks of the four stages by the name of the network (r100 is also called IR101)."""
DEFAULT_EPOCHS = 26

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class IResNet(Recognizer):
    """Train a residual network with a margin loss; the defaults are AdaFace's and CVLface's recipe for CASIA."""

    name: ClassVar[str] = "iresnet"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "residual network with ArcFace or CosFace, trained with crop, low resolution and jitter"
    paper: ClassVar[str | None] = "Deng et al. 2019, ArcFace, equation 3; training augmentations of Kim et al. 2022"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    depth: Literal[18, 34, 50, 100] | tuple[Count, Count, Count, Count] = parameter(
        50, description="network by name (arcface_torch r18, r34, r50, r100) or the blocks of its four stages"
    )
    width: int = parameter(64, ge=1, unit="channels", description="channels of the first stage; the papers use 64")
    image_size: int = parameter(
        112, ge=16, multiple_of=16, unit="px", description="side of the images; data of another size is refused"
    )
    embedding: int = parameter(512, ge=2, description="length of the embedding")
    dropout: float = parameter(
        0.0, ge=0, lt=1, description="dropout before the linear layer (arcface_torch 0, AdaFace 0.4)"
    )
    loss: Literal["arcface", "cosface"] = parameter("arcface", description="where the margin goes: angle or cosine")
    scale: float = parameter(64.0, gt=0, description="s, the norm that logits are scaled to (64 in all recipes)")
    margin: float = parameter(
        0.5, ge=0, le=3, description="m, in radians for arcface (0.5), a cosine for cosface (0.4 in insightface)"
    )
    epochs: int | None = parameter(
        None,
        ge=1,
        unit="epochs",
        description=f"length of the training (ADMIS 40); without it and updates {DEFAULT_EPOCHS}, as AdaFace",
    )
    updates: int | None = parameter(
        None, ge=1, unit="optimizer steps", description="length of the training in place of epochs"
    )
    batch_size: int = parameter(
        512, ge=2, unit="images", description="every batch is full: epochs follow on each other (AdaFace, ADMIS 512)"
    )
    learning_rate: float = parameter(0.1, gt=0, description="highest learning rate of SGD (AdaFace, CVLface 0.1)")
    momentum: float = parameter(0.9, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = parameter(
        5e-4, ge=0, description="weight decay of weights with two or more axes, class centres included (CVLface 5e-4)"
    )
    warmup: float = parameter(
        1 / 26,
        ge=0,
        lt=1,
        description="fraction of the training in which the rate rises from 0 (CVLface 1 of 26 epochs)",
    )
    schedule: Literal["steps", "linear", "cosine"] = parameter(
        "steps", description="steps: x 0.1 at each milestone; linear (insightface) and cosine: down to 0"
    )
    milestones: tuple[Fraction, ...] = parameter(
        (12 / 26, 20 / 26, 24 / 26),
        description="fractions of the training for schedule steps (AdaFace 12, 20, 24 of 26)",
    )
    gradient_clip: float | None = parameter(
        5.0, gt=0, description="largest norm of the network's gradient, class centres apart (insightface, CVLface 5)"
    )
    crop_probability: float = parameter(
        0.2, ge=0, le=1, description="probability to black out all but a random box (AdaFace scripts 0.2)"
    )
    low_resolution_probability: float = parameter(
        0.2, ge=0, le=1, description="probability to shrink and enlarge again (AdaFace scripts 0.2)"
    )
    photometric_probability: float = parameter(
        0.2, ge=0, le=1, description="probability to change brightness, contrast and saturation (AdaFace scripts 0.2)"
    )
    flip_probability: float = parameter(0.5, ge=0, le=1, description="probability to mirror left to right")

    @model_validator(mode="after")
    def _length_is_given_once(self) -> Self:
        if self.epochs is not None and self.updates is not None:
            raise ValueError("give the length of the training once: as epochs or as updates")
        return self

    @property
    def blocks(self) -> tuple[int, ...]:
        """Residual blocks of the four stages."""
        return self.depth if isinstance(self.depth, tuple) else BLOCKS[self.depth]

    def architecture(self) -> Mapping[str, Any]:
        """Return the blocks of the stages and the width."""
        return {"blocks": list(self.blocks), "width": self.width}

    def updates_for(self, images: int) -> int:
        """Return the optimizer steps on ``images`` images: ``updates``, or ``epochs`` rounded up to full batches."""
        if self.updates is not None:
            return self.updates
        return -(-(self.epochs or DEFAULT_EPOCHS) * images // self.batch_size)

    def trained_for(self, updates: int) -> Self:
        """Return this recognizer with a training of ``updates`` steps; warm-up and milestones scale along."""
        return type(self).model_validate({**self.model_dump(), "epochs": None, "updates": updates})

    def work(self, images: int) -> int:
        """Return how many training images ``fit`` will process on a set of ``images``."""
        return self.updates_for(images) * self.batch_size

    def multiply_adds(self) -> int:
        """Return the multiply-adds of one forward pass of one image, class centres left out."""
        from faceassay_plugins.recognizers.iresnet.size import multiply_adds

        return multiply_adds(self.blocks, self.width, self.image_size, self.embedding)

    def check(self, image_size: int, identities: int) -> None:
        """Check the size of the images and that there is something to tell apart.

        Raises:
            ValueError: when images have another size than ``image_size``, or there are fewer than two identities.
        """
        if image_size != self.image_size:
            raise ValueError(
                f"iresnet has image_size {self.image_size} and the images are {image_size} px: "
                f"set image_size to {image_size}, or prepare the images at {self.image_size} px"
            )
        if identities < 2:
            raise ValueError(f"iresnet needs at least 2 identities to train on (got {identities})")

    def fit(self, data: FaceDataset, run: StageContext) -> None:
        """Train on ``data`` and write network, class centres, history and configuration into ``run.folder``.

        Raises:
            FaceassayError: when images have another size, there are fewer than two identities, or ``run.world`` > 1.
            DivergenceError: when the loss or a weight is not finite.
        """
        from faceassay_plugins.recognizers.iresnet.training import train

        train(self, data, run)

    def load(self, folder: Path, device: str) -> FittedRecognizer:
        """Load what ``fit`` wrote into ``folder``."""
        from faceassay_plugins.recognizers.iresnet.fitted import FittedIResNet

        return FittedIResNet(self.backbone(), folder, device)

    def backbone(self) -> Backbone:
        """Return the network with unspecified weights; leaves the global random state alone."""
        import torch

        from faceassay_plugins.recognizers.iresnet.network import Backbone

        with torch.random.fork_rng(devices=[]):
            return Backbone(self.blocks, self.width, self.image_size, self.embedding)
