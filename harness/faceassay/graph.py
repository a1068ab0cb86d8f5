"""Own the stage graph: a matrix expanded into stages with keys, equal keys merged. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from faceassay import keys, seeds
from faceassay.contracts import Plugin
from faceassay.given import DataInput, Given, PackInput, code_of, plugin_code, plugin_digest
from faceassay.sourcecode import closure, digest_of, module_digests, total_digest
from faceassay.unions import Mixture

THREADED_KINDS = frozenset(
    {
        *("attributes", "generator", "recognizer", "search", "plan", "synthesis", "preprocessing", "features"),
        *("figure", "embedding", "agreement"),
    }
)
"""Kinds that compute with torch: the number of threads is part of their keys."""
ASSESSING_KINDS = frozenset({"classes", "neighbours", "distribution", "agreement", "overlap"})
"""Kinds that measure image sets for the dataset quality report."""
SHARED_KINDS = frozenset({"generator", "recognizer"})
"""Kinds whose training the processes of the spec's ``world`` share."""
REPORTED_KINDS = frozenset({"evaluation", "quality", "preprocessing", "figure"}) | ASSESSING_KINDS
"""Kinds whose artifacts a report reads; the others are made for them."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One computation whose result is an artifact.

    Attributes:
        kind: the name of the module of ``faceassay.stages`` that runs it: attributes, generator, recognizer, search,
            plan, synthesis, quality, preprocessing, features, evaluation, figure, embedding, or one that assesses.
        plugin: the plugin that does the work.
        inputs: what it reads, by the names that plugins use.
        axes: the seed axes that it varies on, with their values.
        seed: derived from the base seed, the kind and the axes.
        threads: CPU threads, in each process.
        world: processes that compute it together.
        title: what it makes, for people.
        work: expected amount, in ``unit``; for estimates only.
    """

    kind: str
    plugin: Plugin
    inputs: Mapping[str, Stage | Given]
    axes: Mapping[str, int]
    seed: int
    threads: int
    title: str
    work: int
    unit: str
    world: int = 1

    @cached_property
    def key(self) -> keys.Key:
        """The key: everything that changes the bytes of the artifact."""
        document: dict[str, Any] = {
            "schema": keys.SCHEMA,
            "kind": self.kind,
            "plugin": keys.plugin_document(self.plugin, plugin_digest(type(self.plugin))),
            "core": core_digest(self.kind),
            "inputs": {name: _input_document(source) for name, source in self.inputs.items()},
            "axes": dict(self.axes),
            "seed": self.seed,
        }
        if self.kind in THREADED_KINDS:
            document |= {"threads": self.threads, "world": self.world}
        return keys.Key(document)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the key."""
        return self.key.digest

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """What to supply of the data that this stage needs and that is not there; with any, it cannot run."""
        of_inputs = (s.absent if isinstance(s, Stage) else (s.absent,) for s in self.inputs.values())
        return tuple(dict.fromkeys(text for texts in of_inputs for text in texts if text))

    def stages(self) -> dict[str, Stage]:
        """Return the inputs that are stages."""
        return {name: source for name, source in self.inputs.items() if isinstance(source, Stage)}


@dataclass(frozen=True)
class Cell:
    """One (method, benchmark, seed) and the stage that evaluates it."""

    method: str
    benchmark: str
    seed: int
    evaluation: Stage


@dataclass(frozen=True)
class Row:
    """The facts of one method that are known before anything runs, and its stages by seed.

    ``mixture`` says how one training set is made of two; it is None where the method trains on one.
    """

    method: str
    real_images: int
    synthetic_images: int
    updates: int
    recognizers: Mapping[int, Stage]
    syntheses: Mapping[int, Stage]
    qualities: Mapping[int, Stage]
    mixture: Mixture | None = None


@dataclass
class Graph:
    """All stages of a matrix, each once, inputs before what needs them.

    Attributes:
        data, packs: the opened datasets and packs of benchmarks by the names that the spec gives them.
        stages: by digest.
        cells, rows: what the table shows.
    """

    data: dict[str, DataInput] = field(default_factory=dict)
    packs: dict[str, PackInput] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, stage: Stage) -> Stage:
        """Return the stage of equal key that is there already, or add this one."""
        return self.stages.setdefault(stage.digest, stage)

    def targets(self) -> list[Stage]:
        """Return the stages that a report reads."""
        return [stage for stage in self.stages.values() if stage.kind in REPORTED_KINDS]

    def ancestors(self, stage: Stage) -> Iterator[Stage]:
        """Yield every stage that ``stage`` needs, itself left out."""
        for source in stage.stages().values():
            yield source
            yield from self.ancestors(source)


@lru_cache
def core_digest(kind: str) -> str:
    """Return the digest of the core code that a stage of ``kind`` reaches."""
    return digest_of(_core_modules(kind))


def code_table(stage: Stage) -> dict[str, dict[str, str]]:
    """Return, for each digest of code in the key of ``stage``, the digests of the modules that it is of.

    A digest is left out when the code on disk is another by now: no module list of other code stands under it.
    """
    given = [source for source in stage.inputs.values() if not isinstance(source, Stage)]
    reached = dict(code for source in given for code in code_of(source))
    reached |= dict([plugin_code(type(stage.plugin)), (core_digest(stage.kind), _core_modules(stage.kind))])
    table = {total: module_digests(modules) for total, modules in reached.items()}
    return {total: modules for total, modules in table.items() if total_digest(modules) == total}


def _core_modules(kind: str) -> frozenset[str]:
    modules = closure(f"faceassay.stages.{kind}", packages=("faceassay",))
    return modules | closure("faceassay.torching", packages=("faceassay",)) if kind in THREADED_KINDS else modules


def stage_seed(base_seed: int, kind: str, axes: Mapping[str, int]) -> int:
    """Return the seed of a stage of ``kind`` on ``axes``."""
    return seeds.derive(base_seed, kind, axes)


def _input_document(source: Stage | Given) -> dict[str, Any]:
    return {"stage": source.digest} if isinstance(source, Stage) else source.document
