"""Own what sets two stages apart, in words, down to parameter and file; the first cause before what follows from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faceassay.provenance.known import SHOWN, Find, Known, text_of
from faceassay.sourcecode import module_file

NAMED = 5
"""Names of a list that are shown."""
CODE = ("source", "core", "code")
"""The names under which a key holds digests of code."""
Place = tuple[str, ...]


@dataclass(frozen=True)
class Cause:
    """Hold what sets two stages apart; ``lines`` say it."""

    first: Known
    second: Known
    lines: Sequence[str]


class _Nothing:
    """Stand for what is in one document only."""


NOTHING = _Nothing()


@dataclass
class Comparison:
    """Compare stages with each other and their inputs in turn; what was said once is not said again.

    Attributes:
        first, second: how the inputs of the first and of the second stage are looked up.
    """

    first: Find
    second: Find
    _told: set[tuple[str, str]] = field(default_factory=set)

    def causes(self, first: Known, second: Known) -> Iterator[Cause]:
        """Yield why ``second`` has another key than ``first``; the causes among the inputs come first."""
        self._told.add((first.digest, second.digest))
        lines = own_differences(first, second)
        for name in sorted({*first.inputs, *second.inputs}):
            one, other = first.inputs.get(name, {}).get("stage"), second.inputs.get(name, {}).get("stage")
            if one and other and one != other:
                yield from self._of_inputs(one, other)
                lines.append(f"input {name}: {one[:SHOWN]} -> {other[:SHOWN]}, {self._said(one, other)}")
        if lines:
            yield Cause(first, second, lines)

    def _of_inputs(self, one: str, other: str) -> Iterator[Cause]:
        earlier, later = self.first(one), self.second(other)
        if earlier and later and (one, other) not in self._told:
            yield from self.causes(earlier, later)

    def _said(self, one: str, other: str) -> str:
        if (one, other) in self._told:
            return "as said above"
        gone = [digest[:SHOWN] for digest, find in ((one, self.first), (other, self.second)) if find(digest) is None]
        return f"of which {' and '.join(gone)} cannot be found in the store: what differs in them cannot be told"


def own_differences(first: Known, second: Known) -> list[str]:
    """Return in words what differs in two keys, inputs that are stages left out where both have them."""
    lines, files = [], defaultdict(list)
    for place, old, new in _leaves(first.document, second.document, _told_otherwise(first, second)):
        if _is_code(place, old, new):
            before, after = first.code.get(old), second.code.get(new)
            if before is None or after is None:
                which = " and ".join(name for name, held in (("first", before), ("second", after)) if held is None)
                told = f"the modules of the {which} were not recorded, so the file cannot be named"
                lines.append(f"{_subject(place)}: {old[:SHOWN]} -> {new[:SHOWN]}; {told}")
            else:
                for said in _files(before, after):
                    files[said].append(_subject(place))
        else:
            lines.append(_worded(place, old, new))
    return lines + [f"{' and '.join(dict.fromkeys(whose))}: {said}" for said, whose in files.items()]


def places_apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """Return in how many places two key documents differ."""
    return sum(1 for _ in _leaves(old, new, ()))


def file_of(module: str) -> str:
    """Return the file of a module below the folder that its package is in."""
    path, parts = module_file(module), module.split(".")
    if path is None:
        return "/".join(parts) + ".py"
    return "/".join([*parts, path.name] if path.name == "__init__.py" else [*parts[:-1], path.name])


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for module in sorted({*before, *after}):
        if module not in before or module not in after:
            yield f"{file_of(module)} only in the {'second' if module not in before else 'first'}"
        elif before[module] != after[module]:
            yield f"{file_of(module)} differs"


def _told_otherwise(first: Known, second: Known) -> set[Place]:
    """Return the places that follow from others that are told: a derived seed, what another plugin brings."""
    places: set[Place] = {("inputs", name, "stage") for name in first.inputs.keys() & second.inputs.keys()}
    if any(first.document[name] != second.document[name] for name in ("axes", "kind")):
        places.add(("seed",))
    if first.document["plugin"]["name"] != second.document["plugin"]["name"]:
        places |= {("plugin", "parameters"), ("plugin", "source"), ("plugin", "version")}
    return places


def _leaves(
    old: Mapping[str, Any], new: Mapping[str, Any], left_out: Collection[Place], at: Place = ()
) -> Iterator[tuple[Place, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        place, one, other = (*at, name), old.get(name, NOTHING), new.get(name, NOTHING)
        if place in left_out:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _leaves(one, other, left_out, place)
        elif one != other or type(one) is not type(other):
            yield place, one, other


def _is_code(place: Place, old: Any, new: Any) -> bool:
    return place[-1] in CODE and "parameters" not in place and isinstance(old, str) and isinstance(new, str)


def _subject(place: Place) -> str:
    """Name whose code a digest is of."""
    if place[0] == "inputs":
        return f"code that opens input {place[1]}"
    return "code of the core" if place == ("core",) else "code of the plugin"


def _worded(place: Place, old: Any, new: Any) -> str:
    subject = _place(place)
    if old is NOTHING or new is NOTHING:
        there = new if old is NOTHING else old
        said = "" if isinstance(there, Mapping) else f" ({text_of(there)})"
        return f"{subject}: only in the {'second' if old is NOTHING else 'first'}{said}"
    if place[-1] == "identities" and isinstance(old, list) and isinstance(new, list):
        return f"{subject}: {len(old)} -> {len(new)}{_names(', without', old, new)}{_names(', with', new, old)}"
    return f"{subject}: {text_of(old)} -> {text_of(new)}"


def _place(place: Place) -> str:
    """Return a place in a key as people call it."""
    match place:
        case ("plugin", "parameters", *names):
            return f"parameter {'.'.join(names)}"
        case ("plugin", *names):
            return f"plugin {'.'.join(names)}"
        case ("axes", name):
            return f"seed axis {name}"
        case ("seed",):
            return "seed, derived from another base seed"
        case ("inputs", name, "data" | "pack", "plugin" | "reader", *names):
            return f"input {name}, opened by {'.'.join(names)}"
        case ("inputs", name, *names):
            return f"input {name}{''.join(f', {part}' for part in names)}"
    return ".".join(place)


def _names(word: str, some: list[str], others: list[str]) -> str:
    alone = sorted(set(some) - set(others))
    more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
    return f"{word} {', '.join(alone[:NAMED])}{more}" if alone else ""
