"""Own the parameters of the IResNet recognizer and the length of its training. Networks and training are beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from faceassay.contracts import (
    ChoosingRecognizer,
    Chosen,
    FaceDataset,
    FittedRecognizer,
    StageContext,
    Validation,
    parameter,
)
from faceassay_plugins.recognizers.iresnet.presets import PRESETS
from faceassay_plugins.recognizers.iresnet.size import Family, multiply_adds, parameters

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.network import Backbone

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Residual blocks of the four stages by the name of the network (r100 is also called IR101)."""
DEFAULT_EPOCHS = 26

ALIASES = {101: 100, "ir18": 18, "ir34": 34, "ir50": 50, "ir100": 100, "ir101": 100}
"""Other names of the networks; IR101 and r100 are one."""


def _known(depth: Any) -> Any:
    """Return the one name that a network has in keys."""
    return ALIASES.get(depth, depth) if isinstance(depth, int | str) else depth


Depth = Annotated[Literal[18, 34, 50, 100], BeforeValidator(_known)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class IResNet(ChoosingRecognizer):
    """Train a residual network with a margin loss.

    The defaults are the recipe of AdaFace and CVLface for CASIA-WebFace on the network of arcface_torch; the presets
    are recipes as public code has them. The result is the network after the last update, unless the matrix names
    images that choose another.
    """

    name: ClassVar[str] = "iresnet"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "residual network with ArcFace, CosFace or AdaFace, with the papers' augmentations"
    paper: ClassVar[str | None] = "Deng et al. 2019, ArcFace, equation 3; training augmentations of Kim et al. 2022"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    family: Family = parameter(
        "arcface_torch",
        description="whose network: arcface_torch's, or the IR_* of AdaFace, CVLface and TFace (adaface), which differ "
        "in the first shortcut, the last BatchNorm and the initial weights",
    )
    depth: Depth | tuple[Count, Count, Count, Count] = parameter(
        50,
        description="network by name (18, 34, 50, 100; ir18 to ir101 are the same, ir101 is 100) or the blocks of its "
        "four stages",
    )
    width: int = parameter(64, ge=1, unit="channels", description="channels of the first stage; the papers use 64")
    image_size: int = parameter(
        112, ge=16, multiple_of=16, unit="px", description="side of the images; data of another size is refused"
    )
    embedding: int = parameter(512, ge=2, description="length of the embedding")
    dropout: float = parameter(
        0.0, ge=0, lt=1, description="dropout before the linear layer (arcface_torch 0, AdaFace 0.4)"
    )
    loss: Literal["arcface", "cosface", "adaface"] = parameter(
        "arcface", description="where the margin goes: to the angle, the cosine, or as the norm of the embedding says"
    )
    gradient: Literal["exact", "straight_through"] = parameter(
        "exact",
        description="exact is the derivative of the margin (AdaFace, TFace); straight_through takes the margin for a "
        "constant (insightface, CVLface)",
    )
    scale: float = parameter(64.0, gt=0, description="s, the norm that logits are scaled to (64 in all recipes)")
    margin: float = parameter(
        0.5,
        ge=0,
        le=3,
        description="m: radians for arcface (0.5), a cosine for cosface (0.4 in insightface), both for adaface (0.4)",
    )
    norm_concentration: float = parameter(
        0.333, ge=0, description="h of adaface: a norm 1/h standard deviations from the mean is the best or the worst"
    )
    norm_decay: float = parameter(
        0.01, gt=0, le=1, description="weight of a batch in the running mean and deviation of norms (adaface, t_alpha)"
    )
    sample_rate: float = parameter(
        1.0,
        gt=0,
        le=1,
        description="share of the class centres that take part in a step, those of the whole batch among them (Partial "
        "FC); weight decay and momentum still act on the others. All processes hold all centres and take the same "
        "ones; insightface splits them between the processes and draws in each part",
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
    weight_decay: float = parameter(5e-4, ge=0, description="weight decay, class centres included (5e-4 everywhere)")
    decay: Literal["all", "matrices", "not_batchnorm"] = parameter(
        "matrices",
        description="what decays: all weights (insightface), those with two or more axes (CVLface), all but "
        "BatchNorm's (AdaFace)",
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
        0.2, ge=0, le=1, description="probability to crop to a random box (AdaFace scripts 0.2)"
    )
    crop_mode: Literal["black", "stretch"] = parameter(
        "black", description="what becomes of the box: in place on black (AdaFace, CVLface), stretched (ADMIS)"
    )
    low_resolution_probability: float = parameter(
        0.2, ge=0, le=1, description="probability to shrink and enlarge again (AdaFace scripts 0.2)"
    )
    photometric_probability: float = parameter(
        0.2, ge=0, le=1, description="probability to change brightness, contrast and saturation (AdaFace scripts 0.2)"
    )
    flip_probability: float = parameter(0.5, ge=0, le=1, description="probability to mirror left to right")
    precision: Literal["auto", "float32", "bfloat16"] = parameter(
        "auto",
        description="floating-point type inside the network: auto is bfloat16 on a GPU, float32 on a CPU; margin and "
        "loss are float32",
    )

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a network that trains in a fraction of a second on images of 16 px."""
        return cls(depth=(1, 1, 1, 1), width=8, image_size=16, embedding=16, batch_size=8, updates=4, dropout=0.4)

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
        """Return the family, the blocks of the stages and the width."""
        return {"family": self.family, "blocks": list(self.blocks), "width": self.width}

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
        return multiply_adds(self.blocks, self.width, self.image_size, self.embedding, self.family)

    def parameter_count(self) -> int:
        """Return the parameters of the network, class centres left out."""
        return parameters(self.blocks, self.width, self.image_size, self.embedding, self.family)

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

    def check_world(self, world: int) -> None:
        """Check that ``world`` processes can share the training.

        Raises:
            ValueError: when the batches cannot be shared evenly, or a share is too small for BatchNorm.
        """
        if self.batch_size % world or self.batch_size < 2 * world:
            raise ValueError(
                f"{world} processes cannot share batches of {self.batch_size} images evenly, two or more each: "
                f"choose a batch_size that {world} divides, or another world"
            )

    def fit(self, data: FaceDataset, run: StageContext) -> None:
        """Train on ``data`` and write network, class centres, history and configuration into ``run.folder``.

        Raises:
            FaceassayError: when images have another size, there are fewer than two identities, the processes cannot
                share the batches, or the checkpoint is another training's.
            DivergenceError: when the loss or a weight is not finite, or the loss is too high for too long.
        """
        from faceassay_plugins.recognizers.iresnet.training import train

        train(self, data, run)

    def fit_choosing(self, data: FaceDataset, validation: Validation, run: StageContext) -> Chosen | None:
        """Train as ``fit`` does, and write the state with the highest score; ``history.json`` has every score.

        Returns:
            Which state was kept; None in all processes but the first.

        Raises:
            FaceassayError, DivergenceError: as ``fit``.
        """
        from faceassay_plugins.recognizers.iresnet.training import train

        return train(self, data, run, validation)

    def load(self, folder: Path, device: str) -> FittedRecognizer:
        """Load what ``fit`` wrote into ``folder``."""
        from faceassay_plugins.recognizers.iresnet.fitted import FittedIResNet

        return FittedIResNet(self.backbone(), folder, device)

    def backbone(self) -> Backbone:
        """Return the network with unspecified weights; leaves the global random state alone."""
        import torch

        from faceassay_plugins.recognizers.iresnet.network import Backbone

        with torch.random.fork_rng(devices=[]):
            return Backbone(self.blocks, self.width, self.image_size, self.embedding, self.family)
