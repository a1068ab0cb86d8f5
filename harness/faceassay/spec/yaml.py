"""Own YAML with places: plain data beside the file, line and column of every value. Knows no spec.

PyYAML reads YAML 1.1, where ``1e-4`` is a text and ``no`` is false; most people expect YAML 1.2, where it is the other
way round. A plain scalar on which the two disagree is refused instead of guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Path_ = tuple[str | int, ...]
"""Where a value is: names and list positions from the root."""

_DECIMAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_YAML_1_1_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})
_OCTAL_OR_BINARY = re.compile(r"[-+]?0[0-9_]+|0o[0-7]+|[-+]?0b[01_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_SCALARS = frozenset({"str", "int", "float", "bool", "null"})
_DEEPEST = 64


@dataclass(frozen=True)
class Place:
    """Point into a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """Say what is wrong at a place."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class Located:
    """Hold plain data (None where the file is not YAML), the place of each value, the problems found while reading."""

    data: Any
    places: dict[Path_, Place]
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path_) -> Place:
        """Return the place of ``path``, or of the nearest enclosing value that has one."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place("?", 1, 1))


def read_yaml(path: Path, name: str | None = None) -> Located:
    """Read a YAML file. Syntax errors become problems, so that they are reported like any other."""
    name = name or str(path)
    start = Place(name, 1, 1)
    located = Located(None, {(): start})
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
        located.data = {} if node is None else _convert(node, (), name, located)
    except yaml.MarkedYAMLError as error:
        located.problems.append(Problem(_marked(name, error.problem_mark), f"not YAML: {error.problem}"))
    except UnicodeDecodeError as error:
        located.problems.append(Problem(start, f"byte {error.start} is no UTF-8 text: save the file as UTF-8"))
    except RecursionError:
        located.problems.append(Problem(start, f"values are nested more than {_DEEPEST} deep"))
    except (yaml.YAMLError, OSError) as error:
        located.problems.append(Problem(start, f"cannot be read: {' '.join(str(error).split())}"))
    return located


def merge(under: Located, over_path: Path_) -> None:
    """Merge the mapping at ``over_path`` over the root, in place: mappings by name, lists of named entries by ``name``.

    Anything else is replaced. The places of replaced values follow them, so errors point at the overriding line.
    """
    over = under.data
    for step in over_path:
        over = over[step]
    if isinstance(over, Mapping):
        under.data = _merged(under, under.data, over, (), over_path)


def _merged(located: Located, low: Any, high: Any, low_path: Path_, high_path: Path_) -> Any:
    if isinstance(low, Mapping) and isinstance(high, Mapping):
        merged = dict(low)
        for name, value in high.items():
            merged[name] = _merged(located, low.get(name), value, (*low_path, name), (*high_path, name))
        return merged
    if _named(low) and _named(high):
        return _merged_lists(located, low, high, low_path, high_path)
    _relocate(located, low_path, high_path)
    return high


def _merged_lists(located: Located, low: list[Any], high: list[Any], low_path: Path_, high_path: Path_) -> list[Any]:
    merged = list(low)
    positions = {entry["name"]: i for i, entry in enumerate(low)}
    for i, entry in enumerate(high):
        at = positions.get(entry["name"], len(merged))
        below = merged[at] if at < len(merged) else None
        value = _merged(located, below, entry, (*low_path, at), (*high_path, i))
        merged[at : at + 1] = [value]
    return merged


def _named(value: Any) -> bool:
    entries = value if isinstance(value, list) else []
    return bool(entries) and all(isinstance(v, Mapping) and isinstance(v.get("name"), str) for v in entries)


def _relocate(located: Located, low_path: Path_, high_path: Path_) -> None:
    moved = {
        (*low_path, *p[len(high_path) :]): at for p, at in located.places.items() if p[: len(high_path)] == high_path
    }
    located.places.update(moved)


def _convert(node: yaml.Node, path: Path_, name: str, located: Located) -> Any:
    located.places[path] = _marked(name, node.start_mark)
    if len(path) > _DEEPEST:
        trouble = f"values are nested more than {_DEEPEST} deep, or an alias contains itself"
        raise yaml.MarkedYAMLError(problem=trouble, problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return dict(_entries(node, path, name, located))
    if isinstance(node, yaml.SequenceNode):
        return [_convert(child, (*path, i), name, located) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, located, name)
    raise TypeError(f"unknown YAML node {node!r}")


def _entries(node: yaml.MappingNode, path: Path_, name: str, located: Located) -> Iterator[tuple[str, Any]]:
    seen: dict[str, Place] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) and _is_text(key_node.value) else None
        place = _marked(name, key_node.start_mark)
        if key is None:
            located.problems.append(Problem(place, "a name must be a plain text"))
        elif key_node.tag.endswith(":merge"):
            located.problems.append(Problem(place, "'<<' is no part of YAML 1.2: write its names and values out"))
        elif key in seen:
            located.problems.append(Problem(place, f"{key!r} is given twice (first at line {seen[key].line})"))
        else:
            seen[key] = place
            yield key, _convert(value_node, (*path, key), name, located)


def _scalar(node: yaml.ScalarNode, located: Located, name: str) -> Any:
    complaint = _ambiguity(node)
    value, complaint = (None, complaint) if complaint else _constructed(node)
    if complaint:
        located.problems.append(Problem(_marked(name, node.start_mark), complaint))
    return value


def _constructed(node: yaml.ScalarNode) -> tuple[Any, str | None]:
    """Return the value of a scalar, or None and what is wrong with it."""
    kind, shown = _kind(node), repr(node.value[:40])
    if kind not in _SCALARS:
        return None, f"{shown} is a {kind} in YAML 1.1: quote it for a text, or leave its tag out"
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (ValueError, LookupError):
        return None, f"{shown} cannot be read as {kind}: quote it for a text, or leave its tag out"
    if repr(value) == "-0.0":
        return None, f"{shown} equals 0 and would give another key: write 0"
    if isinstance(value, str) and not _is_text(value):
        return None, f"{shown} holds half a character: write the character itself"
    return value, None


def _is_text(text: str) -> bool:
    """Tell whether ``text`` is Unicode: escapes can write half of a surrogate pair, which is no character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(node: yaml.Node) -> str:
    return str(node.tag).removeprefix("tag:yaml.org,2002:")


def _ambiguity(node: yaml.ScalarNode) -> str | None:
    text, kind = node.value, _kind(node)
    if node.style is not None:
        return None
    if text.lower() in _YAML_1_1_WORDS:
        return f"{text!r} is true or false in YAML 1.1 and a text in YAML 1.2: write true or false, or quote it"
    other = _OCTAL_OR_BINARY.fullmatch(text) or _SEXAGESIMAL.fullmatch(text)
    if other or (kind in ("int", "float") and "_" in text):
        return f"{text!r} is read as another number in YAML 1.1: write the number plainly, or quote it for a text"
    if kind == "str" and _DECIMAL.fullmatch(text):
        readings = f"{text!r} is a text in YAML 1.1 and a number in YAML 1.2"
        return f"{readings}: write {_with_point(text)}, or quote it for a text"
    if kind == "timestamp":
        return f"{text!r} is a date in YAML 1.1: quote it"
    return None


def _with_point(text: str) -> str:
    """Return the number ``text`` as both versions of YAML read it: with digits before the point, signed exponent."""
    mantissa, _, exponent = text.lower().partition("e")
    mantissa = re.sub(r"(?<![0-9])\.", "0.", mantissa)
    if not exponent:
        return mantissa
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"


def _marked(name: str, mark: yaml.Mark | None) -> Place:
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
