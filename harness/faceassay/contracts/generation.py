"""Own the contracts of generators, denoisers and augmentations. Sampling is in ``faceassay.sampling``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts.faces import FloatArray, ImageBatch, IntArray
from faceassay.contracts.plugin import Plugin, Trainable

if TYPE_CHECKING:
    from torch import Tensor

    from faceassay.contracts.running import Sources, StageContext

Role = Literal["main", "guide"]


@dataclass(frozen=True)
class LabelMix:
    """Condition each image on a weighted mix of classes.

    Attributes:
        indices: class indices of the generator's label space, int64 [B, k].
        weights: their weights, float64 [B, k]; a plain class is one index with weight 1.
    """

    indices: IntArray
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.indices.ndim != 2 or self.indices.shape != self.weights.shape:
            raise ValueError(
                f"indices {self.indices.shape} and weights {self.weights.shape} must both be [B, k]: "
                "one weight for each class of each image"
            )


Condition = LabelMix | Mapping[str, Any]
"""What a denoiser is conditioned on: a mix of classes, or named tensors [B, ...] (an embedding, attributes)."""


class Denoiser(Protocol):
    """Map a noisy image to the denoised one; any plain callable of this signature is a denoiser.

    A denoiser with the attributes ``network`` and ``condition`` (see ``faceassay.sampling.NetworkDenoiser``) shares
    a forward pass with others over the same network.
    """

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise ``x`` ([B, C, H, W], data range [-1, 1]) at noise level ``sigma`` ([B], above 0)."""


class FittedGenerator(Protocol):
    """Serve a trained conditional denoiser: of the size and the identities of the images that it was trained on."""

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""

    @property
    def identities(self) -> Sequence[str]:
        """Names of the classes that the generator was trained on, in the order of their indices."""

    @property
    def device(self) -> str:
        """Torch device name of the networks."""

    @property
    def evaluations(self) -> int:
        """Network evaluations made so far: one for each image that passes through one network."""

    def denoiser(self, condition: Condition, *, role: Role = "main") -> Denoiser:
        """Return the denoiser under ``condition``; ``guide`` is the lesser model of autoguidance.

        An image is denoised alike in every batch, but for the rounding of floats. Conditions of another kind, and
        classes that the generator does not know, are refused.

        Raises:
            ValueError: when the condition is not of the kind that the generator takes, or out of its range.
        """

    def condition_vectors(self) -> FloatArray | None:
        """Return the learned condition vectors C, float32 [L, d_C] (ScoreMix, section 4.3), or None."""


class Generator(Trainable):
    """Train a conditional denoiser on real images."""

    def conditioned_on(self) -> frozenset[str]:
        """Name what its denoisers take, as parameters demand: ``classes``, a ``LabelMix``, or what named tensors tell.

        A row whose augmentation asks for more is refused before anything is trained.
        """
        return frozenset({"classes"})

    def needs(self) -> frozenset[str]:
        """Name the inputs beside the real images, as the parameters demand: any of ``recognizer``, ``attributes``.

        They are exactly what ``fit`` reads.
        """
        return frozenset()

    def needs_gradient(self) -> bool:
        """Return whether a gradient through the recognizer is needed, see ``faceassay.identity.differentiable``."""
        return False

    @abstractmethod
    def work(self, images: int) -> int:
        """Return how many training images ``fit`` will process on a set of ``images``; for estimates only.

        It is the total of the progress that ``fit`` tells.
        """

    def passes_for(self, images: int) -> Mapping[str, int]:
        """Return the other passes of ``fit`` on a set of ``images``, by the names of ``PASSES``; for estimates only.

        They are those that ``fit`` makes.
        """
        return {}

    def multiply_adds(self, image_size: int, identities: int, role: Role = "main") -> int | None:
        """Return the multiply-adds of one evaluation of the network ``role`` on one image; for estimates only.

        Args:
            image_size: side of the square images in pixels.
            identities: number of classes.
            role: the main network, or the lesser one of autoguidance.

        Returns:
            The number, or None where it is unknown.
        """
        return None

    @abstractmethod
    def fit(self, sources: Sources, run: StageContext) -> None:
        """Train on ``sources.real`` and write the result into ``run.folder``.

        The same inputs and seed write the same bytes, however often the training was killed and went on from a
        checkpoint.
        """

    @abstractmethod
    def load(self, folder: Path, device: str) -> FittedGenerator:
        """Load what ``fit`` wrote into ``folder``. Loaded again it gives the same output."""


@dataclass(frozen=True)
class PlanBlock:
    """Hold the rows of a plan that are rendered together; a row fully determines its image.

    Attributes:
        index: number of the block within the plan.
        start: row number of the block's first row.
        labels: index into the plan's identities, int64 [B].
        sources: class indices each image is made from, int64 [B, k]; empty (k = 0) where there are none.
        weights: weights of the sources, float64 [B, k].
        columns: the plan's own columns for these rows, each [B, ...].
    """

    index: int
    start: int
    labels: IntArray
    sources: IntArray
    weights: NDArray[np.float64]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class SynthesisPlan:
    """List the images to generate, one row per image, in fixed blocks.

    An identity whose name is also the name of a real identity joins that identity when the synthetic images are
    mixed with real ones; any other name is a new class. Where a row that joins a real identity has sources, that
    identity is among them. No identity is without a row, and weights are finite.

    Attributes:
        identities: names of the synthetic identities; one that has the name of a real identity is that person, and in
            a row that mixes both its images are of the same class.
        labels: index into ``identities``, int64 [N].
        sources: class indices of the real identities each image is made from, int64 [N, k].
        weights: their weights, float64 [N, k].
        block_size: rows rendered together; part of the plan because the bytes of a batch depend on its size.
        columns: whatever else the augmentation needs to know of a row, each array [N, ...], by name.
    """

    identities: tuple[str, ...]
    labels: IntArray
    sources: IntArray
    weights: NDArray[np.float64]
    block_size: int
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.labels)
        if self.sources.shape != self.weights.shape or len(self.sources) != rows or self.sources.ndim != 2:
            raise ValueError(
                f"{rows} labels, sources {self.sources.shape}, weights {self.weights.shape}: "
                "sources and weights must both be [N, k] with one row per label"
            )
        if any(len(column) != rows for column in self.columns.values()):
            raise ValueError(f"every column of a plan must have one entry for each of its {rows} rows")
        if len(set(self.identities)) != len(self.identities):
            raise ValueError("a plan names the same identity twice")
        if rows and not 0 <= self.labels.min() <= self.labels.max() < len(self.identities):
            raise ValueError(f"labels must lie in 0..{len(self.identities) - 1}")
        if self.block_size < 1:
            raise ValueError(f"block_size must be at least 1 (got {self.block_size})")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-len(self) // self.block_size)

    def block(self, index: int) -> PlanBlock:
        """Return block ``index``."""
        start = index * self.block_size
        rows = slice(start, start + self.block_size)
        columns = {name: column[rows] for name, column in self.columns.items()}
        return PlanBlock(index, start, self.labels[rows], self.sources[rows], self.weights[rows], columns)


class Search(Plugin):
    """Look for parameters of an augmentation by sampling and judging, as a stage of its own.

    Its fields are what the search depends on, and no more: nothing else about the augmentation makes it run again. One
    search serves every seed of a matrix, as the generator does. The same inputs and seed find the same, however often
    the search was killed and went on from a checkpoint.
    """

    def needs(self) -> frozenset[str]:
        """Name the inputs beside the real images: any of ``generator``, ``recognizer``.

        They are exactly what is read.
        """
        return frozenset({"generator", "recognizer"})

    @abstractmethod
    def work(self, identities: int) -> int:
        """Return how many images the search samples for ``identities`` real identities."""

    def evaluations_per_image(self) -> int:
        """Return the expected network evaluations per image; for estimates only, the record counts them."""
        return 0

    def passes_per_image(self) -> Mapping[str, int]:
        """Return the expected other passes per image, by the names of ``PASSES``; for estimates only."""
        return {}

    @abstractmethod
    def run(self, sources: Sources, run: StageContext) -> Mapping[str, Any]:
        """Search, and return what was found: values that JSON can hold, every number finite, and numpy arrays.

        What is worth resuming goes into ``run.checkpoints``; the stage writes what was found.
        """


class Augmentation(Trainable):
    """Turn real images (and a generator, and a recognizer, as needed) into a synthetic set: a plan, then images.

    Nothing is left over between two calls: blocks are rendered in any order, by any number of processes.
    """

    def conditions_on(self) -> frozenset[str]:
        """Name what a generator that it reads must be conditioned on, see ``Generator.conditioned_on``."""
        return frozenset({"classes"})

    def needs(self) -> frozenset[str]:
        """Name the inputs beside the real images: any of ``generator``, ``recognizer``, ``attributes``.

        They are exactly what ``plan`` and ``render`` read: what is read without being named is missing from the key,
        what is named without being read is trained in vain.
        """
        return frozenset()

    def needs_gradient(self) -> bool:
        """Return whether a gradient through the recognizer is needed, see ``faceassay.identity.differentiable``."""
        return False

    @abstractmethod
    def planned_images(self, identities: int) -> int:
        """Return how many images the plan will list for ``identities`` real identities."""

    def evaluations_per_image(self) -> int:
        """Return the expected network evaluations per image; for estimates only, the record counts them.

        The images of a plan take so many each, on average.
        """
        return 0

    def passes_per_image(self) -> Mapping[str, int]:
        """Return the expected other passes per image, by the names of ``PASSES``; for estimates only.

        The images of a plan take so many each, on average.
        """
        return {}

    def search(self) -> Search | None:
        """Return the search whose document ``plan`` reads as ``sources.search``, None where nothing is searched for."""
        return None

    @abstractmethod
    def plan(self, sources: Sources, run: StageContext) -> SynthesisPlan:
        """List the images to generate.

        The same inputs and seed give the same plan. Who is real is told by name alone, never by position.
        """

    @abstractmethod
    def render(self, sources: Sources, block: PlanBlock, noise: FloatArray) -> ImageBatch:
        """Make the images of one block.

        The same block and noise give the same bytes. An image depends on its own row and noise alone, but for the last
        bit of a float: not on the other rows of the block. Colours keep their order, red first.

        Args:
            sources: the opened inputs.
            block: the rows to render.
            noise: standard normal noise of each row, float32 [B, 3, H, W]; row k's noise is the same for all methods.

        Returns:
            uint8 [B, H, W, 3] RGB, of the size of the real images.
        """
