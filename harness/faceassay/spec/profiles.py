"""Own profiles: named overrides of a matrix, and what is left of its lists where a profile keeps ``only`` some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faceassay.spec.near import near
from faceassay.spec.yaml import Located, Path_, Problem, merge

SECTIONS = ("data", "methods", "benchmarks", "averages")
"""The parts of a matrix of which a profile may keep some entries only."""

Dropped = Mapping[str, frozenset[str]]


def apply_profile(located: Located, profile: str | None) -> Dropped:
    """Merge a profile into a matrix, in place, then keep what it says to keep.

    Under ``only`` a profile names, for any of data, methods, benchmarks and averages, the entries that are left of it
    after merging; they keep their order. What is not named there stays whole.

    Returns:
        For each of these parts the names of the entries that are gone. What is wrong becomes a problem of ``located``.
    """
    matrix = located.data if isinstance(located.data, dict) else {}
    if profile is None:
        return {}
    said: Any = matrix.get("profiles")
    profiles: dict[str, Any] = said if isinstance(said, dict) else {}
    if profile not in profiles:
        message = f"no profile is called {profile!r}{near(profile, profiles)}"
        located.problems.append(Problem(located.place(("profiles",)), message))
        return {}
    merge(located, ("profiles", profile))
    only, where = located.data.pop("only", {}), ("profiles", profile, "only")
    if not isinstance(only, dict):
        _complain(located, where, "is a mapping: names of entries to keep by part of the matrix")
        return {}
    return {section: _kept(located, section, names, (*where, section)) for section, names in only.items()}


def _kept(located: Located, section: str, names: Any, where: Path_) -> frozenset[str]:
    """Keep the entries ``names`` of a part of the matrix; return the names of the others."""
    if section not in SECTIONS:
        _complain(located, where, f"nothing can be left out of {section!r}{near(section, SECTIONS)}")
        return frozenset()
    entries = located.data.get(section) or []
    named = list(entries) if isinstance(entries, dict) else [_name(entry) for entry in entries]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        _complain(located, where, "is a list of names")
        return frozenset()
    for i, name in enumerate(names):
        if name not in named:
            known = near(name, filter(None, named))
            _complain(located, (*where, i), f"no entry of {section} is called {name!r}{known}")
    if isinstance(entries, dict):
        located.data[section] = {name: entry for name, entry in entries.items() if name in names}
    else:
        _keep(located, section, lambda entry: _name(entry) in names)
    return frozenset(filter(None, named)) - {*names}


def _keep(located: Located, section: str, kept: Callable[[Any], bool]) -> None:
    """Keep the entries of a list for which ``kept``; their places follow them."""
    old = [i for i, entry in enumerate(located.data.get(section) or []) if kept(entry)]
    moved = {
        (section, new, *path[2:]): place
        for new, i in enumerate(old)
        for path, place in located.places.items()
        if path[:2] == (section, i)
    }
    located.places = {path: place for path, place in located.places.items() if len(path) < 2 or path[0] != section}
    located.places.update(moved)
    located.data[section] = [located.data[section][i] for i in old]


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, Mapping) else None


def _complain(located: Located, where: Path_, message: str) -> None:
    located.problems.append(Problem(located.place(where), f"{'.'.join(map(str, where[2:]))}: {message}"))
