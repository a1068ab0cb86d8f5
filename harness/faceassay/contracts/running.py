"""Own what a running stage sees of its surroundings: folder, seed, progress, checkpoints, inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from faceassay.contracts.attributes import AttributeTable
from faceassay.contracts.errors import FaceassayError
from faceassay.contracts.evaluation import Features
from faceassay.contracts.faces import FaceDataset
from faceassay.contracts.generation import FittedGenerator
from faceassay.contracts.recognition import FittedRecognizer


class Checkpoints(Protocol):
    """Keep the newest state of a stage so that a killed stage goes on where it was."""

    def due(self) -> bool:
        """Tell whether the interval between two checkpoints has passed."""

    def save(self, step: int, tensors: Mapping[str, Any], document: Mapping[str, Any] | None = None) -> None:
        """Store ``tensors`` (name -> torch.Tensor) and a JSON ``document`` as the state after ``step`` steps."""

    def load(self) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
        """Return (step, tensors, document) of the newest intact checkpoint, or None."""


ATTRIBUTES = "attributes"
"""How the names of the inputs begin that hold attributes, one input for each predictor."""


PASSES = ("recognizer_forward", "recognizer_backward", "denoiser_backward")
"""Names of the passes through networks that are no evaluations of the generator's, see ``Sources.passes``."""


def _no_progress(done: int, total: int) -> None:
    """Ignore progress."""


def _ignore(value: Any) -> None:
    """Ignore a message or a count."""


@dataclass(frozen=True)
class StageContext:
    """Say where and how a stage runs.

    Attributes:
        folder: where the stage writes its result; every file in it becomes part of the artifact.
        scratch: where the stage keeps what it needs to go on after a kill; dropped once the stage is done.
        seed: derived from the base seed and the names of the axes this stage varies on, 0 to 2**63 - 1.
        checkpoints: the stage's own checkpoints.
        threads: CPU threads that torch uses; fixed, since gradients change bytes with it.
        device: a torch device name.
        rank, world: index and number of the processes that share this stage.
        progress: call with (done, total) in the stage's own unit of work.
        log: keep a line in the artifact's record.
        count_evaluations: add to the count of network evaluations (one network on one image is one evaluation).
        count_passes: add to the counts of other passes, by name, see ``Sources.passes``.
    """

    folder: Path
    scratch: Path
    seed: int
    checkpoints: Checkpoints
    threads: int = 2
    device: str = "cpu"
    rank: int = 0
    world: int = 1
    progress: Callable[[int, int], None] = _no_progress
    log: Callable[[str], None] = _ignore
    count_evaluations: Callable[[int], None] = _ignore
    count_passes: Callable[[Mapping[str, int]], None] = _ignore


@dataclass
class Sources:
    """Open the inputs of a stage lazily, each at most once.

    ``openers`` maps the name of an input to the function that opens it. Reading an input that the plugin did not
    declare in ``needs()`` is an error: an undeclared input is missing from the key.

    Attributes:
        openers: see above.
        passes: passes through networks that are no evaluations of the generator's, one for each image and network:
            whoever looks through a recognizer or backwards through a denoiser adds to those that ``PASSES`` names.
            When the stage ends they become part of its cost; what was told to ``StageContext.count_passes`` is not
            added here as well.
    """

    openers: Mapping[str, Callable[[], Any]]
    passes: Counter[str] = field(default_factory=Counter)
    _opened: dict[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.openers

    def open(self, name: str) -> Any:
        """Return the input ``name``.

        Raises:
            FaceassayError: when the stage has no such input.
        """
        if name not in self.openers:
            raise FaceassayError(
                f"this stage has no input {name!r} (it has: {', '.join(self.openers) or 'none'}): "
                f"the plugin's needs() must name {name!r}"
            )
        if name not in self._opened:
            self._opened[name] = self.openers[name]()
        return self._opened[name]

    @property
    def real(self) -> FaceDataset:
        """The real training images."""
        dataset: FaceDataset = self.open("real")
        return dataset

    @property
    def synthesis(self) -> FaceDataset:
        """The synthetic images of the row."""
        dataset: FaceDataset = self.open("synthesis")
        return dataset

    @property
    def generator(self) -> FittedGenerator:
        """The trained generator."""
        generator: FittedGenerator = self.open("generator")
        return generator

    @property
    def recognizer(self) -> FittedRecognizer:
        """The trained recognizer; for an augmentation the one trained on the real images (M_orig)."""
        recognizer: FittedRecognizer = self.open("recognizer")
        return recognizer

    @property
    def attributes(self) -> AttributeTable:
        """The attributes of the real images, those of all predictors of the matrix side by side."""
        names = [name for name in self.openers if name.startswith(ATTRIBUTES)]
        return AttributeTable.joined([self.open(name) for name in names or [ATTRIBUTES]])

    @property
    def search(self) -> Mapping[str, Any]:
        """What the augmentation's search found: numbers, and arrays (memory-mapped)."""
        document: Mapping[str, Any] = self.open("search")
        return document

    @property
    def features(self) -> Features:
        """The embeddings of a benchmark's images."""
        features: Features = self.open("features")
        return features
