"""Own the contract of recognizers: images to embeddings. Margins and networks belong to plugins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from faceassay.contracts.faces import FaceDataset, FloatArray, ImageBatch
from faceassay.contracts.plugin import Trainable

if TYPE_CHECKING:
    from torch import Tensor

    from faceassay.contracts.running import StageContext


class FittedRecognizer(Protocol):
    """Serve a trained recognizer."""

    @property
    def image_size(self) -> int:
        """Side in pixels of the images that it takes."""

    def embed(self, images: ImageBatch) -> FloatArray:
        """Return raw (not normalised) embeddings, float32 [B, d], of uint8 [B, H, W, 3] RGB images.

        An image is embedded alike in every batch, but for the rounding of floats.
        """

    def class_centres(self) -> FloatArray | None:
        """Return the rows of the margin head's weight E, float32 [L, d] (ScoreMix, section 4.3), or None."""


@runtime_checkable
class DifferentiableRecognizer(Protocol):
    """Serve a recognizer through which gradients reach the image; ``faceassay.identity`` tells which does."""

    @property
    def image_size(self) -> int:
        """Side in pixels of the images that it takes."""

    def features(self, x: Tensor) -> Tensor:
        """Return raw embeddings [B, d] of images ``x`` [B, 3, S, S] in [-1, 1]; no weight gets a gradient.

        They are those that ``embed`` returns of the same images, red first.
        """


class Recognizer(Trainable):
    """Train a network that maps a face image to an embedding."""

    def architecture(self) -> Mapping[str, Any]:
        """Return what the network is, apart from how it is trained: plain values by name.

        Two recognizers of one plugin that agree in it are one network trained twice: neither can judge what the other
        was used for, unless they saw different images.
        """
        return {}

    def check_world(self, world: int) -> None:
        """Check that ``world`` processes can train it together; only a plugin that says how trains in more than one.

        Raises:
            ValueError: when they cannot, with the remedy.
        """
        if world > 1:
            raise ValueError(f"this recognizer trains in one process (world is {world}): set world to 1")

    @abstractmethod
    def updates_for(self, images: int) -> int:
        """Return the optimizer steps that ``fit`` makes on a set of ``images``: one or more."""

    @abstractmethod
    def trained_for(self, updates: int) -> Self:
        """Return this recognizer with a training of exactly ``updates`` optimizer steps (matched controls)."""

    @abstractmethod
    def work(self, images: int) -> int:
        """Return how many training images ``fit`` will process on a set of ``images``; for estimates only.

        It is the total of the progress that ``fit`` tells.
        """

    def multiply_adds(self) -> int | None:
        """Return the multiply-adds of one forward pass of one image, class centres left out; for estimates only.

        Returns:
            The number, or None where it is unknown.
        """
        return None

    @abstractmethod
    def fit(self, data: FaceDataset, run: StageContext) -> None:
        """Train on ``data`` and write the result into ``run.folder``.

        The same images and seed write the same bytes, however often the training was killed and went on from a
        checkpoint.
        """

    @abstractmethod
    def load(self, folder: Path, device: str) -> FittedRecognizer:
        """Load what ``fit`` wrote into ``folder``. Loaded again it gives the same output."""


@dataclass(frozen=True)
class Chosen:
    """Say which state of a training was kept.

    Attributes:
        update: optimizer steps that had been made.
        scores: (optimizer steps, score) of every state that it was chosen from, in their order.
    """

    update: int
    scores: tuple[tuple[int, float], ...]

    @classmethod
    def best_of(cls, scores: Sequence[tuple[int, float]]) -> Chosen:
        """Return the choice of the highest of ``scores``, of equal ones the earliest."""
        return cls(max(scores, key=lambda scored: (scored[1], -scored[0]))[0], tuple(scores))

    @property
    def score(self) -> float:
        """Score of the kept state."""
        return dict(self.scores)[self.update]


class Validation(Protocol):
    """Measure states of a training on images of people that nothing is trained on."""

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the images and of all that decides a score."""

    @property
    def images(self) -> int:
        """How many images ``score`` embeds."""

    def points(self, updates: int) -> Sequence[int]:
        """Return after which of ``updates`` optimizer steps a state is measured, rising; the last is among them."""

    def score(self, embed: Callable[[ImageBatch], FloatArray]) -> float:
        """Return the score of a state, higher is better, by what ``FittedRecognizer.embed`` would return of it.

        Raises:
            FaceassayError: when an embedding is not finite.
        """


class ChoosingRecognizer(Recognizer):
    """Train as a recognizer does, and keep the best of several states where a matrix names a validation set.

    Any other recognizer keeps the last state; a matrix with a validation set refuses it.
    """

    @abstractmethod
    def fit_choosing(self, data: FaceDataset, validation: Validation, run: StageContext) -> Chosen | None:
        """Train on ``data`` as ``fit`` does, and write the state with the highest score into ``run.folder``.

        Of equal scores the earliest state is kept. The training itself must not depend on the validation.

        Returns:
            Which state was kept; None in all processes but the first.
        """
