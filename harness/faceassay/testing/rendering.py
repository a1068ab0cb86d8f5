"""Own how the checks run an augmentation: searched, planned and rendered block by block, everything written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from faceassay.contracts import Augmentation, FloatArray, ImageBatch, PlanBlock, Search, SynthesisPlan
from faceassay.seeds import noise_keys, row_noise
from faceassay.stages import plan as plan_stage
from faceassay.stages import search as search_stage
from faceassay.stages.plan import StoredPlan
from faceassay.testing.disturbance import Disturbance, watched
from faceassay.testing.faces import FaceArrays, faces
from faceassay.testing.inputs import SEED, Handed, KeptCheckpoints, RecordedSources, Told, context
from faceassay.testing.reference import ReferenceGenerator, ReferenceRecognizer, reference_attributes
from faceassay.testing.subject import Subject


class Inputs:
    """Make what one stage reads, anew, and count what passes through the networks."""

    def __init__(self, data: FaceArrays, is_frozen: bool = False) -> None:
        self.handed = Handed(is_frozen)
        self.data = replace(
            data,
            labels=self.handed.over("labels of the real images", data.labels),
            pixels=self.handed.over("pixels of the real images", data.pixels),
        )
        self.generator, self.recognizer = ReferenceGenerator(data), ReferenceRecognizer(data)
        told = reference_attributes(data)
        attributes = replace(told, values=self.handed.over("attributes", told.values))
        self.recognizer.centres = self.handed.over("class centres", self.recognizer.centres)
        self._openers: dict[str, Callable[[], Any]] = {
            "real": lambda: self.data,
            "generator": lambda: self.generator,
            "recognizer": lambda: self.recognizer,
            "attributes": lambda: attributes,
        }

    def sources(self, declared: frozenset[str], **more: Any) -> RecordedSources:
        """Return sources with the real images and what is declared; what else there is can be read and is told."""
        mine = {"real", *declared} & self._openers.keys()
        own = {name: (lambda value=value: value) for name, value in more.items()}
        return RecordedSources(
            {**{name: self._openers[name] for name in mine}, **own},
            others={name: opener for name, opener in self._openers.items() if name not in mine},
        )

    def evaluations(self) -> int:
        """Return the network evaluations that were made."""
        return self.generator.seen["evaluations"]

    def passes(self) -> Counter[str]:
        """Return the other passes that were made."""
        return +(self.recognizer.seen + Counter({"denoiser_backward": self.generator.seen["denoiser_backward"]}))


@dataclass
class Searched:
    """Hold what a search found and how: what it read, what it did and what it told of it."""

    found: Mapping[str, Any]
    read: set[str]
    undeclared: list[str]
    made: tuple[int, Counter[str]]
    told: tuple[int, Counter[str]]
    disturbance: Disturbance
    changed: list[str]
    checkpoints: KeptCheckpoints


def search(subject: Subject, plugin: Search, data: FaceArrays, start: Any = None, is_frozen: bool = False) -> Searched:
    """Run a search as its stage does, perhaps from a checkpoint on, and open what the stage wrote."""
    inputs, told, checkpoints = Inputs(data, is_frozen), Told(), KeptCheckpoints(start)
    run, sources = context(subject.folder(), told, checkpoints), inputs.sources(plugin.needs())
    with watched(1) as disturbance:
        search_stage.run(plugin, sources, run)
    return Searched(
        found=search_stage.load(plugin, run.folder, "cpu"),
        read=sources.read - {"real"},
        undeclared=sources.undeclared,
        made=(inputs.evaluations(), inputs.passes()),
        told=(told.evaluations, +(told.passes + sources.passes)),
        disturbance=disturbance,
        changed=inputs.handed.changed(),
        checkpoints=checkpoints,
    )


@dataclass
class Rendered:
    """Hold a synthesis and how it came about.

    Attributes:
        plan: the plan.
        images: of each block, by its number.
        read: inputs beside the real images that were read.
        undeclared: those that needs() does not name.
        made: network evaluations and other passes of plan and blocks, counted by the reference networks.
        told: the same as the plugin and the generator count them.
        rendering: evaluations and passes of the blocks alone, counted by the reference networks.
        planning: network evaluations of plan(), made and as it told them.
        disturbances: what was disturbed, by plan() and render().
        changed: what was written into of what was handed over.
    """

    plan: SynthesisPlan
    images: dict[int, ImageBatch] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    undeclared: list[str] = field(default_factory=list)
    made: tuple[int, Counter[str]] = (0, Counter())
    told: tuple[int, Counter[str]] = (0, Counter())
    rendering: tuple[int, Counter[str]] = (0, Counter())
    planning: tuple[int, int] = (0, 0)
    disturbances: list[Disturbance] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def whole(self) -> ImageBatch:
        """Return all images in the order of the plan."""
        return np.concatenate([np.asarray(self.images[index]) for index in sorted(self.images)])


@dataclass(frozen=True)
class Course:
    """Say how a synthesis is made.

    Attributes:
        seed: of plan and noise.
        is_reversed: whether the last block comes first.
        is_fresh: whether every block gets a plugin and sources of its own, as in another process.
        global_seed: what Python's, NumPy's and torch's own random states are seeded with.
        is_frozen: whether arrays are handed over read-only.
        most_blocks: blocks that are rendered at most.
    """

    seed: int = SEED
    is_reversed: bool = False
    is_fresh: bool = False
    global_seed: int = 1
    is_frozen: bool = False
    most_blocks: int = 3


def found_for(subject: Subject, data: FaceArrays) -> Mapping[str, Any]:
    """Return what plan() reads as ``search``: nothing where there is no search; one search serves every seed."""
    plugin: Augmentation = subject.plugin
    searching = plugin.search()
    if searching is None:
        return {}
    key = f"the search on the images {data.fingerprint}"
    return {"search": subject.once(key, lambda: search(subject, searching, data)).found}


def render(subject: Subject, course: Course = Course(), data: FaceArrays | None = None) -> Rendered:
    """Plan and render as the stages do."""
    plugin: Augmentation = fresh(subject.plugin)
    data = data or faces()
    inputs, told, searched = Inputs(data, course.is_frozen), Told(), found_for(subject, data)
    planning = inputs.sources(plugin.needs(), **searched)
    run = context(subject.folder(), told, seed=course.seed)
    with watched(course.global_seed) as disturbance:
        plan = plugin.plan(planning, run)
    rendered = Rendered(plan, disturbances=[disturbance])
    before = inputs.evaluations(), inputs.passes()
    rendering = inputs.sources(plugin.needs(), plan=StoredPlan(plan, noise_keys(course.seed, 0, len(plan))))
    read, undeclared, passes = planning.read, planning.undeclared, +planning.passes
    for index in _order(plan.blocks, course):
        if course.is_fresh:
            plugin, rendering = fresh(subject.plugin), inputs.sources(subject.plugin.needs())
        block, noise = handed_block(plan.block(index), inputs.handed, course.seed, data.image_size)
        with watched(course.global_seed + index) as disturbance:
            rendered.images[index] = plugin.render(rendering, block, noise)
        rendered.disturbances.append(disturbance)
        read, undeclared = read | rendering.read, [*undeclared, *rendering.undeclared]
    rendered.read, rendered.undeclared = read - {"real", "search", "plan"}, sorted({*undeclared})
    rendered.made = inputs.evaluations(), inputs.passes()
    rendered.told = inputs.generator.evaluations, +(told.passes + passes + rendering.passes)
    rendered.rendering = inputs.evaluations() - before[0], inputs.passes() - before[1]
    rendered.planning = before[0], told.evaluations
    rendered.changed = inputs.handed.changed()
    return rendered


def fresh(plugin: Augmentation) -> Augmentation:
    """Return another plugin with the same parameters, as another process has it."""
    return type(plugin).model_validate(plugin.model_dump())


def handed_block(block: PlanBlock, handed: Handed, seed: int, size: int) -> tuple[PlanBlock, FloatArray]:
    """Return copies of a block's arrays and its noise, to be compared afterwards."""
    over = {name: handed.over(f"{name} of a block", getattr(block, name)) for name in ROW_ARRAYS}
    columns = {name: handed.over(f"column {name} of a block", a) for name, a in block.columns.items()}
    noise = handed.over("noise of a block", row_noise(noise_keys(seed, block.start, len(block)), size))
    return PlanBlock(block.index, block.start, over["labels"], over["sources"], over["weights"], columns), noise


ROW_ARRAYS = ("labels", "sources", "weights")


def stored_plan(subject: Subject, data: FaceArrays | None = None) -> SynthesisPlan:
    """Return the plan as its stage makes, writes and opens it."""
    plugin: Augmentation = fresh(subject.plugin)
    data = data or faces()
    run = context(subject.folder(), Told())
    with watched(1):
        plan_stage.run(plugin, Inputs(data).sources(plugin.needs(), **found_for(subject, data)), run)
    return plan_stage.load(plugin, run.folder, "cpu").plan


def _order(blocks: int, course: Course) -> Sequence[int]:
    chosen = range(min(blocks, course.most_blocks))
    return chosen[::-1] if course.is_reversed else chosen
