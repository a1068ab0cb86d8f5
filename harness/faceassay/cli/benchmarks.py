"""Own what stands behind ``--benchmark``: a text with a name, a path and parameters, and the protocol that it means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from faceassay.cli.parameters import made, pairs

if TYPE_CHECKING:
    from faceassay.assay import Column
    from faceassay.contracts import EvaluationProtocol
    from faceassay.registry import Registry

Item = TypeVar("Item")
Made = TypeVar("Made")
PARAMETER = re.compile(r",(?=[a-z_]+=)")
"""Where the parameters of a benchmark begin; a comma in a path is none."""


def named_protocols(benchmarks: Sequence[str], conventions: Sequence[str]) -> list[tuple[str, EvaluationProtocol]]:
    """Return the protocols in texts NAME=PATH[,PARAMETER=VALUE...]; a second one of a name is called NAME#2.

    No pack is opened yet.

    Args:
        benchmarks: the texts; the values of a list are written with a plus between them.
        conventions: of every benchmark that does not name its own; empty for the defaults.

    Raises:
        FaceassayError: with what is wrong with each of them.
    """
    from faceassay.registry import load_plugins

    registry, seen = load_plugins(), Counter[str]()
    named = list[tuple[str, tuple[str, str]]]()
    for name, _, files in (text.partition("=") for text in benchmarks):
        seen[name] += 1
        named.append((f"{name}#{seen[name]}" if seen[name] > 1 else name, (name, files)))
    return each(named, lambda shown, said: (shown, _protocol(registry, *said, conventions)))


def opened_columns(protocols: Sequence[tuple[str, EvaluationProtocol]]) -> list[Column]:
    """Open the packs.

    Raises:
        FaceassayError: with what is wrong with each of them.
    """
    from faceassay.assay import Column

    return each(protocols, Column.of)


def each(benchmarks: Iterable[tuple[str, Item]], make: Callable[[str, Item], Made]) -> list[Made]:
    """Return what ``make`` makes of each benchmark, or raise one error with the faults of all."""
    from faceassay.contracts import FaceassayError

    made, faults = [], []
    for name, item in benchmarks:
        try:
            made.append(make(name, item))
        except FaceassayError as error:
            faults.append(f"--benchmark {name}: {error}")
    if faults:
        raise FaceassayError("\n".join(faults))
    return made


def _protocol(registry: Registry, name: str, text: str, conventions: Sequence[str]) -> EvaluationProtocol:
    from faceassay.contracts import FaceassayError

    cls: Any = registry.get("protocol", name)
    if "path" not in cls.model_fields:
        raise FaceassayError("this protocol is made from a dataset: use it in a matrix, see faceassay run --help")
    path, *rest = PARAMETER.split(text)
    if not path:
        raise FaceassayError("give its files as NAME=PATH")
    values: dict[str, Any] = pairs([f"path={Path(path).expanduser()}", *rest])
    if conventions:
        if "conventions" not in cls.model_fields:
            raise FaceassayError("this protocol has no conventions: leave out --convention")
        values.setdefault("conventions", list(conventions))
    protocol: EvaluationProtocol = made(cls, values)
    return protocol
