"""Own how the checks train a generator or a recognizer: as its stage does, everything written down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import SkipTest

from faceassay.contracts import Generator
from faceassay.stages import generator as generator_stage
from faceassay.stages import recognizer as recognizer_stage
from faceassay.testing.checks import require
from faceassay.testing.disturbance import Disturbance, watched
from faceassay.testing.faces import FaceArrays, faces
from faceassay.testing.inputs import SEED, KeptCheckpoints, Told, context, files
from faceassay.testing.manners import Conduct
from faceassay.testing.rendering import Inputs
from faceassay.testing.subject import Subject

ROUNDING = 2**-6
"""Share of the largest number that an output may differ by with the batch it was computed in.

Four roundings of bfloat16 (2**-8), the coarsest type in use; what mixes the images of a batch moves an output by about
as much as the images are apart.
"""


@dataclass
class Fitted:
    """Hold a training and how it came about.

    Attributes:
        folder: what it wrote.
        read, undeclared: inputs beside the real images, as in ``rendering.Rendered``.
        made, told: passes through the recognizer that is handed over, as counted by it and by the plugin.
        progress: what was told last.
        saved: its checkpoints.
        disturbance, changed: see ``manners.Conduct``.
    """

    folder: Path
    read: set[str]
    undeclared: list[str]
    made: Counter[str]
    told: Counter[str]
    progress: tuple[int, int] | None
    saved: list[Any]
    disturbance: Disturbance
    changed: list[str]

    @property
    def files(self) -> dict[str, str]:
        """sha256 of every file by its name."""
        return files(self.folder)


@dataclass(frozen=True)
class Attempt:
    """Say how a plugin is trained.

    Attributes:
        seed: of the stage.
        start: the checkpoint to go on from.
        global_seed: what Python's, NumPy's and torch's own random states are seeded with.
        is_frozen: whether arrays are handed over read-only.
    """

    seed: int = SEED
    start: Any = None
    global_seed: int = 1
    is_frozen: bool = False


def fit(subject: Subject, attempt: Attempt = Attempt(), data: FaceArrays | None = None) -> Fitted:
    """Train the plugin on the drawn faces."""
    plugin = subject.plugin
    inputs, told = Inputs(data or faces(), attempt.is_frozen), Told()
    checkpoints = KeptCheckpoints(attempt.start)
    run = context(subject.folder(), told, checkpoints, attempt.seed)
    needs = plugin.needs() if isinstance(plugin, Generator) else frozenset()
    sources, stage = inputs.sources(needs), generator_stage if isinstance(plugin, Generator) else recognizer_stage
    with watched(attempt.global_seed) as disturbance:
        stage.run(plugin, sources, run)
    return Fitted(
        folder=run.folder,
        read=sources.read - {"real"},
        undeclared=sources.undeclared,
        made=inputs.passes(),
        told=+(told.passes + sources.passes),
        progress=told.progress[-1] if told.progress else None,
        saved=checkpoints.saved,
        disturbance=disturbance,
        changed=inputs.handed.changed(),
    )


def first(subject: Subject) -> Fitted:
    """Return the training that others are compared with."""
    return subject.once("a first training", lambda: fit(subject))


def loaded(subject: Subject) -> Any:
    """Return what was trained, opened by a plugin of its own."""
    return subject.once("loading what was trained", lambda: load(subject))


def load(subject: Subject) -> Any:
    """Open what was trained anew."""
    plugin = type(subject.plugin).model_validate(subject.plugin.model_dump())
    with watched(1):
        return plugin.load(first(subject).folder, "cpu")


def require_repeats(subject: Subject) -> None:
    """Train again under other global random states, then from a checkpoint on, and compare the bytes."""
    whole = first(subject)
    require(bool(whole.files), "fit() wrote no file into run.folder")
    _require_same(whole, fit(subject, Attempt(global_seed=99)), "trained a second time")
    if whole.saved:
        resumed = fit(subject, Attempt(start=whole.saved[len(whole.saved) // 2]))
        _require_same(whole, resumed, "trained on from a checkpoint")


def require_other_seed_tells(subject: Subject, seed: int) -> None:
    """Train with another seed, and compare the bytes as ``seeded`` says."""
    whole = first(subject).files
    same = whole == fit(subject, Attempt(seed=seed)).files
    if subject.plugin.seeded:
        require(not same, f"seeds {SEED} and {seed} write the same files")
    else:
        require(same, "seeded is False, and another seed writes other files")


def require_work(subject: Subject) -> None:
    """Compare what work() foretells with the total of the progress, and see that the progress arrives there."""
    told, progress = subject.plugin.work(len(faces())), first(subject).progress
    require(isinstance(told, int) and told >= 0, f"work() returns {told!r}, no count")
    if progress is None:
        raise SkipTest("fit() tells no progress: call run.progress(done, total)")
    require(progress == (told, told), f"work() foretells {told}, the progress ends at {progress[0]} of {progress[1]}")


def require_one_identity(subject: Subject) -> None:
    """Ask whether one real identity will do; where it will, train.

    Raises:
        SkipTest: where it will not.
    """
    first(subject)
    alone = faces(people=1)
    try:
        subject.plugin.check(alone.image_size, 1)
    except ValueError as error:
        raise SkipTest(f"it refuses a single identity: {' '.join(str(error).split())}") from error
    fit(subject, data=alone)


def conduct(subject: Subject) -> Conduct:
    """Return what the first training left otherwise."""
    return Conduct({"fit()": [first(subject).disturbance]}, first(subject).changed)


def fit_frozen(subject: Subject) -> Fitted:
    """Train on arrays that cannot be written into."""
    return fit(subject, Attempt(is_frozen=True))


def _require_same(one: Fitted, other: Fitted, how: str) -> None:
    names = sorted({*one.files, *other.files})
    differing = [name for name in names if one.files.get(name) != other.files.get(name)]
    require(not differing, f"{how}, other bytes are in {', '.join(differing)}")
