"""Own what names tell of whether two sets hold the same people. Looks at no image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceassay.assessment.overlap import Verdict, by_name
from faceassay.contracts import data_paths
from faceassay.datasets import proper_names
from faceassay.given import DataInput, PackInput
from faceassay.unions import People

NAMED = 5
"""Of many people so many are named."""


@dataclass(frozen=True)
class Shared:
    """Hold the names that two sets have in common.

    Attributes:
        names: of the same people.
        numbers: mere numbers of two sources, which number their people each by itself: they tell nothing.
    """

    names: tuple[str, ...]
    numbers: tuple[str, ...]


def shared_people(first: DataInput, second: DataInput | PackInput) -> Shared:
    """Return the names in both, in the order of ``second``."""
    known = {*first.people}
    both = tuple(person for person in second.people if person in known)
    if _one_source(first, second):
        return Shared(both, ())
    proper = {*proper_names(both)}
    return Shared(tuple(n for n in both if n in proper), tuple(n for n in both if n not in proper))


def same_images(first: DataInput, second: DataInput) -> bool:
    """Tell whether two entries of ``data`` are one set of images."""
    return first.name == second.name or bool(first.fingerprint and first.fingerprint == second.fingerprint)


def named(people: Sequence[str]) -> str:
    """Return the first names of ``people``."""
    return ", ".join(people[:NAMED]) + (", ..." if len(people) > NAMED else "")


def people_of_union(first: DataInput, second: DataInput) -> People:
    """Return who counts as one person where a row does not say: people of one name, unless it is a mere number."""
    shared = shared_people(first, second)
    return "apart" if shared.numbers and not shared.names else "joined"


def overlap_by_name(train: DataInput, benchmark: DataInput | PackInput) -> Verdict:
    """Judge by names whether people who are trained on are in a benchmark."""
    if train.absent or benchmark.absent:
        return Verdict("unknown", f"{'data' if train.absent else 'benchmark'} {_absent(train, benchmark)!r} is absent")
    shared = shared_people(train, benchmark)
    if _one_source(train, benchmark):
        return by_name(len(shared.names), len(benchmark.people), len(train.people))
    return by_name(len(shared.names), len(proper_names(benchmark.people)), len(proper_names(train.people)))


def _absent(train: DataInput, benchmark: DataInput | PackInput) -> str:
    return train.name if train.absent else benchmark.name


def _one_source(first: DataInput, second: DataInput | PackInput) -> bool:
    """Tell whether both read the same files, so that a number is the same person in both."""
    other = second.data if isinstance(second, PackInput) else second
    if other is None:
        return False
    paths, same_kind = data_paths(first.plugin), type(first.plugin) is type(other.plugin)
    return same_kind and (paths == data_paths(other.plugin) if paths else first.plugin == other.plugin)
