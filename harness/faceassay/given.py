"""Own the inputs of stages that no stage makes: datasets and the packs of benchmarks, opened where they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from faceassay import keys
from faceassay.contracts import DataError, DatasetPlugin, FaceDataset, Pack, PackReader, Plugin
from faceassay.datasets import identity_range, select_identities
from faceassay.sourcecode import closure, digest_of
from faceassay.validation import IMAGES_OF_PAIRS, PairValidation


class Given(Protocol):
    """Be an input that is there before the first stage; picklable, since stages run in other processes too."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of its content."""

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for it."""

    @property
    def absent(self) -> str:
        """What to supply where its files are not there; empty where they are."""

    def open(self, device: str = "cpu", threads: int = 1) -> Any:
        """Open it for a stage that computes on ``device`` with ``threads`` CPU threads; data has no use for them.

        Raises:
            FaceassayError: when it cannot be used or is not what it was.
        """


@dataclass(frozen=True)
class DataInput:
    """Name a dataset as an input of a stage.

    Attributes:
        name: the name that the spec gives it.
        plugin: the dataset plugin.
        identities: range, names, or None for all.
        fingerprint: of the selected images.
        images, people: counts.
        absent: what to supply, where its files are not there: then counts are those expected of it, and nothing can be
            opened.
    """

    name: str
    plugin: DatasetPlugin
    identities: str | tuple[str, ...] | None
    fingerprint: str
    images: int
    people: tuple[str, ...]
    image_size: int
    absent: str = ""

    @classmethod
    def expected(
        cls, name: str, plugin: DatasetPlugin, images: int, identities: int, image_size: int, absent: str
    ) -> DataInput:
        """Stand for data whose files are not there: enough to plan and price what needs it."""
        people = tuple(f"{name}:{number}" for number in range(identities))
        return cls(name, plugin, None, "", images, people, image_size, absent)

    @classmethod
    def of(cls, name: str, plugin: DatasetPlugin, identities: str | tuple[str, ...] | None) -> DataInput:
        """Open the data once to learn its fingerprint and counts.

        Raises:
            DataError: when the data cannot be used.
        """
        data = _opened(plugin, identities)
        people = tuple(data.identities)
        return cls(name, plugin, identities, data.fingerprint, len(data), people, data.image_size)

    def open(self, device: str = "cpu", threads: int = 1) -> FaceDataset:
        """Open the data.

        Raises:
            DataError: when it is absent, or changed since the graph was made.
        """
        _require_present(self.absent)
        data = _opened(self.plugin, self.identities)
        _require_unchanged(f"data {self.name!r}", data.fingerprint, self.fingerprint)
        return data

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for this data; that of absent data is like no other's."""
        if self.absent:
            return {"absent": {"data": self.name, "expected": [self.images, len(self.people), self.image_size]}}
        plugin = keys.plugin_document(self.plugin, plugin_digest(type(self.plugin)))
        return {"data": {"plugin": plugin, "identities": list(self.people), "fingerprint": self.fingerprint}}


@dataclass(frozen=True)
class ValidationInput:
    """Name the images on which states of a training are measured, and how, as an input of a stage.

    Attributes:
        data: the images.
        checks, pairs: see ``PairValidation``.
    """

    data: DataInput
    checks: int
    pairs: int

    @property
    def name(self) -> str:
        """Name of the data."""
        return self.data.name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the data."""
        return self.data.fingerprint

    @property
    def absent(self) -> str:
        """What to supply where the data is not there."""
        return self.data.absent

    @property
    def passes(self) -> int:
        """How many images are embedded for one training, at most."""
        return self.checks * min(self.data.images, IMAGES_OF_PAIRS * self.pairs)

    def open(self, device: str = "cpu", threads: int = 1) -> PairValidation:
        """Open the data.

        Raises:
            DataError: when it is absent, or changed since the graph was made.
        """
        return PairValidation(self.data.open(), self.checks, self.pairs)

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for what is measured."""
        counts = {"checks": self.checks, "pairs": self.pairs}
        return {"validation": {"data": self.data.document, **counts, "core": _measuring_digest()}}


@dataclass(frozen=True)
class PackInput:
    """Name the pack of a benchmark as an input of a stage.

    Attributes:
        name: name of the benchmark.
        reader: what opens the pack.
        data: the dataset it is made from, None where the pack has files of its own.
        fingerprint: of the pack.
        images: their number.
        people: names of the identities, empty where the pack carries none.
        image_size: side of the images in pixels.
        warnings: what deviates from the pack that the field knows.
        absent: what to supply, where its files are not there: then counts are those expected of it.
    """

    name: str
    reader: PackReader
    data: DataInput | None
    fingerprint: str
    images: int
    people: tuple[str, ...]
    image_size: int
    warnings: tuple[str, ...]
    absent: str = ""

    @classmethod
    def expected(cls, name: str, reader: PackReader, images: int, image_size: int, absent: str) -> PackInput:
        """Stand for a pack whose files are not there: enough to plan and price what needs it."""
        return cls(name, reader, None, "", images, (), image_size, (), absent)

    @classmethod
    def of(cls, name: str, reader: PackReader, data: DataInput | None) -> PackInput:
        """Open the pack once to learn its fingerprint and counts.

        Raises:
            DataError: when the pack cannot be used.
        """
        pack = reader.open(data.open() if data else None)
        people, warnings = tuple(pack.people), tuple(pack.warnings)
        return cls(name, reader, data, pack.fingerprint, len(pack), people, pack.image_size, warnings)

    def open(self, device: str = "cpu", threads: int = 1) -> Pack:
        """Open the pack.

        Raises:
            DataError: when it is absent, or changed since the graph was made.
        """
        _require_present(self.absent)
        pack = self.reader.open(self.data.open() if self.data else None)
        _require_unchanged(f"benchmark {self.name!r}", pack.fingerprint, self.fingerprint)
        return pack

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for this pack; the name of the benchmark is not in it, unless it is absent."""
        if self.absent:
            return {"absent": {"pack": self.name, "expected": [self.images, self.image_size]}}
        reader = keys.plugin_document(self.reader, plugin_digest(type(self.reader)))
        data = self.data.document if self.data else None
        return {"pack": {"reader": reader, "data": data, "fingerprint": self.fingerprint}}


def code_of(source: Given) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each digest of code in the document of data, packs and validation sets, and the modules it is of."""
    if isinstance(source, DataInput):
        yield plugin_code(type(source.plugin))
    elif isinstance(source, ValidationInput):
        yield _measuring_digest(), _measuring_modules()
        yield from code_of(source.data)
    elif isinstance(source, PackInput):
        yield plugin_code(type(source.reader))
        if source.data:
            yield from code_of(source.data)


def plugin_code(cls: type[Plugin]) -> tuple[str, frozenset[str]]:
    """Return the digest of a plugin's code as keys have it, and the modules it is of."""
    return plugin_digest(cls), keys.code_modules(cls)


@lru_cache
def plugin_digest(cls: type[Plugin]) -> str:
    """Return the digest of a plugin's code, taken once in a process: hundreds of stages ask for it."""
    return keys.code_digest(cls)


@lru_cache
def _measuring_digest() -> str:
    """Return the digest of the code that measures."""
    return digest_of(_measuring_modules())


def _measuring_modules() -> frozenset[str]:
    return closure("faceassay.validation", packages=("faceassay",))


def _opened(plugin: DatasetPlugin, identities: str | tuple[str, ...] | None) -> FaceDataset:
    data = plugin.open()
    if identities is None:
        return data
    names = identity_range(data.identities, identities) if isinstance(identities, str) else identities
    return select_identities(data, names)


def _require_present(absent: str) -> None:
    if absent:
        raise DataError(absent)


def _require_unchanged(what: str, now: str, before: str) -> None:
    if now != before:
        raise DataError(f"{what} changed meanwhile: run again")
