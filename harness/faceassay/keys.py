"""Own keys: the explicit, versioned document that says exactly what made an artifact, and its digest.

Host, path and time are never part of a key; they are recorded beside the artifact.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from faceassay.contracts import DatasetPlugin, EvaluationProtocol, FaceassayError, PackReader, Plugin, data_paths
from faceassay.fingerprints import path_fingerprint
from faceassay.sourcecode import closure, source_digest

SCHEMA = 1
"""Version of the key document; a change of its meaning raises it and makes every stored artifact a stranger."""


class KeyDocumentError(FaceassayError, ValueError):
    """Report a value that has no single text and so cannot be part of a key, with its place."""


def canonical(document: Any) -> str:
    """Return the one JSON text of ``document``: sorted names, no spaces, ASCII.

    Raises:
        KeyDocumentError: for NaN, infinity or -0.0, which have no single text, or a value that is no JSON.
    """
    _refuse_ambiguous(document, "key")
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(document: Any) -> str:
    """Return sha256 (hex) of the canonical text of ``document``."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


@dataclass(frozen=True)
class Key:
    """Identify an artifact by the document of everything that changes its bytes."""

    document: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of the canonical document."""
        return digest(self.document)


def plugin_document(plugin: Plugin, source: str | None = None) -> dict[str, Any]:
    """Return the part of a key that stands for a plugin: name, version, source digest and parameters.

    ``source`` is the digest of its code where that is known already.

    Every data path among the parameters is replaced by the fingerprint of what it holds; those of datasets and packs
    are left out, since the fingerprint of what was opened stands beside their document and says more.
    """
    parameters = plugin.model_dump(mode="json")
    for name in type(plugin).model_fields:
        if isinstance(getattr(plugin, name), set | frozenset):  # their order changes from process to process
            parameters[name] = sorted(parameters[name], key=canonical)
    opened = _paths_opened(plugin)
    for name, held in data_paths(plugin).items():
        if name in opened:
            del parameters[name]
        else:
            parameters[name] = _fingerprints(held)
    code = source or code_digest(type(plugin))
    return {"name": plugin.name, "version": plugin.version, "source": code, "parameters": parameters}


def _paths_opened(plugin: Plugin) -> Collection[str]:
    """Return the data paths whose content enters the key as the fingerprint of an opened dataset or pack."""
    opener = plugin.reader() if isinstance(plugin, EvaluationProtocol) else plugin
    return data_paths(opener) if isinstance(opener, DatasetPlugin | PackReader) else ()


def code_digest(cls: type[Plugin]) -> str:
    """Return the source digest of a plugin's code."""
    return source_digest(cls.__module__, packages=_packages(cls))


def code_modules(cls: type[Plugin]) -> frozenset[str]:
    """Return the modules of a plugin's code."""
    return closure(cls.__module__, packages=_packages(cls))


def _packages(cls: type[Plugin]) -> set[str]:
    """Return the packages to stay in; a base class in another package brings that package with it."""
    return {base.__module__.partition(".")[0] for base in cls.__mro__ if issubclass(base, Plugin)}


def difference(first: Mapping[str, Any], second: Mapping[str, Any], path: str = "") -> list[str]:
    """Return what differs between two key documents, one line per place, in words."""
    lines: list[str] = []
    for name in sorted({*first, *second}):
        place = f"{path}.{name}" if path else name
        if name not in first or name not in second:
            lines.append(f"{place}: only in the {'second' if name not in first else 'first'}")
        elif isinstance(first[name], Mapping) and isinstance(second[name], Mapping):
            lines += difference(first[name], second[name], place)
        elif canonical(first[name]) != canonical(second[name]):
            lines.append(f"{place}: {first[name]!r} in the first, {second[name]!r} in the second")
    return lines


def _fingerprints(held: Any) -> Any:
    if isinstance(held, Path):
        return {"fingerprint": path_fingerprint(held)}
    if isinstance(held, Mapping):
        return {name: _fingerprints(inner) for name, inner in held.items()}
    return [_fingerprints(inner) for inner in held] if isinstance(held, list | tuple) else held


def _refuse_ambiguous(value: Any, place: str) -> None:
    if isinstance(value, float) and (not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)):
        raise KeyDocumentError(f"{place}: {value!r} cannot be part of a key; write a finite number, and 0 for -0.0")
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise KeyDocumentError(f"{place}: the name {name!r} cannot be part of a key; names are texts")
            _refuse_ambiguous(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            _refuse_ambiguous(inner, f"{place}[{i}]")
    elif not isinstance(value, str | int | float | None):
        raise KeyDocumentError(f"{place}: {value!r} is no JSON value and cannot be part of a key")
