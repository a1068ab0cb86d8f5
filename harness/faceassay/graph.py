"""Own the stage graph: a matrix expanded into stages with keys, equal keys merged. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from faceassay import keys, seeds
from faceassay.contracts import DataError, DatasetPlugin, FaceDataset, Plugin
from faceassay.datasets import identity_range, select_identities
from faceassay.sourcecode import closure, digest_of

THREADED_KINDS = frozenset({"generator", "recognizer", "synthesis", "features"})
"""Kinds that compute with torch: the number of threads is part of their keys."""


@dataclass(frozen=True)
class DataInput:
    """Name a dataset as an input of a stage; it is opened anew wherever the stage runs.

    Attributes:
        name: the name that the spec gives it.
        plugin: the dataset plugin.
        identities: range, names, or None for all.
        fingerprint: of the selected images.
        images, people: counts.
    """

    name: str
    plugin: DatasetPlugin
    identities: str | tuple[str, ...] | None
    fingerprint: str
    images: int
    people: tuple[str, ...]
    image_size: int

    @classmethod
    def of(cls, name: str, plugin: DatasetPlugin, identities: str | tuple[str, ...] | None) -> DataInput:
        """Open the data once to learn its fingerprint and counts.

        Raises:
            DataError: when the data cannot be used.
        """
        data = _opened(plugin, identities)
        people = tuple(data.identities)
        return cls(name, plugin, identities, data.fingerprint, len(data), people, data.image_size)

    def open(self) -> FaceDataset:
        """Open the data.

        Raises:
            DataError: when it changed since the graph was made.
        """
        data = _opened(self.plugin, self.identities)
        if data.fingerprint != self.fingerprint:
            raise DataError(f"data {self.name!r} changed while the matrix was running: run again")
        return data

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for this data."""
        plugin = keys.plugin_document(self.plugin, plugin_digest(type(self.plugin)))
        return {"data": {"plugin": plugin, "identities": list(self.people), "fingerprint": self.fingerprint}}


def _opened(plugin: DatasetPlugin, identities: str | tuple[str, ...] | None) -> FaceDataset:
    data = plugin.open()
    if identities is None:
        return data
    names = identity_range(data.identities, identities) if isinstance(identities, str) else identities
    return select_identities(data, names)


@dataclass(frozen=True, eq=False)
class Stage:
    """One computation whose result is an artifact.

    Attributes:
        kind: generator, recognizer, plan, synthesis, quality, features or evaluation.
        plugin: the plugin that does the work.
        inputs: what it reads, by the names that plugins use.
        axes: the seed axes that it varies on, with their values.
        seed: derived from the base seed, the kind and the axes.
        threads: CPU threads.
        title: what it makes, for people.
        work: expected amount, in ``unit``; for estimates only.
    """

    kind: str
    plugin: Plugin
    inputs: Mapping[str, Stage | DataInput]
    axes: Mapping[str, int]
    seed: int
    threads: int
    title: str
    work: int
    unit: str

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
            document |= {"threads": self.threads, "world": 1}
        return keys.Key(document)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the key."""
        return self.key.digest

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
    """The facts of one method that are known before anything runs, and its stages by seed."""

    method: str
    real_images: int
    synthetic_images: int
    updates: int
    recognizers: Mapping[int, Stage]
    syntheses: Mapping[int, Stage]
    qualities: Mapping[int, Stage]


@dataclass
class Graph:
    """All stages of a matrix, each once, inputs before what needs them.

    Attributes:
        data: the opened datasets by the names that the spec gives them.
        stages: by digest.
        cells, rows: what the table shows.
    """

    data: dict[str, DataInput] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, stage: Stage) -> Stage:
        """Return the stage of equal key that is there already, or add this one."""
        return self.stages.setdefault(stage.digest, stage)

    def targets(self) -> list[Stage]:
        """Return the stages that a report reads: evaluations and image qualities."""
        return [stage for stage in self.stages.values() if stage.kind in ("evaluation", "quality")]

    def ancestors(self, stage: Stage) -> Iterator[Stage]:
        """Yield every stage that ``stage`` needs, itself left out."""
        for source in stage.stages().values():
            yield source
            yield from self.ancestors(source)


@lru_cache
def core_digest(kind: str) -> str:
    """Return the digest of the core code that a stage of ``kind`` reaches."""
    modules = closure(f"faceassay.stages.{kind}", packages=("faceassay",))
    if kind in THREADED_KINDS:
        modules |= closure("faceassay.torching", packages=("faceassay",))
    return digest_of(modules)


@lru_cache
def plugin_digest(cls: type[Plugin]) -> str:
    """Return the digest of a plugin's code, taken once in a process: hundreds of stages ask for it."""
    return keys.code_digest(cls)


def stage_seed(base_seed: int, kind: str, axes: Mapping[str, int]) -> int:
    """Return the seed of a stage of ``kind`` on ``axes``."""
    return seeds.derive(base_seed, kind, axes)


def _input_document(source: Stage | DataInput) -> dict[str, Any]:
    return source.document if isinstance(source, DataInput) else {"stage": source.digest}
