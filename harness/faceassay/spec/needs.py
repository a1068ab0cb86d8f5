"""Own what a spec's parts need of each other: what a row lacks, has in vain or is trained on, what is told twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceassay.contracts import AttributePredictor, Augmentation, Generator
from faceassay.spec.model import MethodEntry, Spec
from faceassay.spec.yaml import Path_

Complaint = tuple[Path_, str]
"""Where something is wrong in a spec, and what."""


def unmet(spec: Spec, i: int, augmentation: Augmentation | None, generator: Generator | None) -> Iterator[Complaint]:
    """Yield what row ``i`` needs and the matrix does not have, and a generator that it has and nothing reads.

    Args:
        spec: the matrix.
        i: index of the row.
        augmentation: its augmentation, None where it has none.
        generator: the generator that it would read, None where there is none.
    """
    row, where = spec.methods[i], ("methods", i, "augmentation")
    search = augmentation.search() if augmentation else None
    needs: frozenset[str] = frozenset().union(*(plugin.needs() for plugin in (augmentation, search) if plugin))
    if row.generator and "generator" not in needs:
        reader = augmentation.name if augmentation else "a row without augmentation"
        yield ("methods", i, "generator"), f"{reader} reads no generator: take 'generator:' out of this row"
    if augmentation is None:
        return
    if "generator" in needs and not (spec.generator or row.generator):
        yield where, f"{augmentation.name} needs a generator: add 'generator:' to the spec"
    if generator and "generator" in needs and not augmentation.conditions_on() <= generator.conditioned_on():
        wanted, taken = (_listed(names) for names in (augmentation.conditions_on(), generator.conditioned_on()))
        is_not = f"generator {generator.name} is conditioned on {taken}"
        remedy = "give the row a 'generator:' of its own, or other parameters"
        yield where, f"{augmentation.name} needs a generator conditioned on {wanted}, {is_not}: {remedy}"
    from_generator = generator.needs() if generator and "generator" in needs else frozenset()
    if "attributes" in needs | from_generator and not spec.attributes:
        whose = f"generator {generator.name}" if generator and "attributes" not in needs else augmentation.name
        remedy = "add 'attributes: [{plugin: NAME}]' to the spec; `faceassay list` shows which there are"
        yield where, f"{whose} needs attributes: {remedy}"


def _listed(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def broken_rule(entry: MethodEntry, train: str) -> str | None:
    """Return the rule about what a row of this group is trained on, where this row breaks it."""
    mixes = sorted({"people", "balance"} & entry.model_fields_set)
    if mixes and entry.group != "FR_mix":
        return f"trains on one set: take {' and '.join(mixes)} out, or make it a row of group FR_mix"
    if entry.group == "FR_real":
        return "has no augmentation" if entry.augmentation is not None else None
    if (entry.augmentation is None) == (entry.data is None):
        return "needs an augmentation or, in its place, data"
    return f"trains on {train!r} and other data" if (entry.group, entry.data) == ("FR_mix", train) else None


def unbalanced(spec: Spec) -> Iterator[str]:
    """Yield what keeps ``seeds`` from using each of several generators equally often."""
    if {"generator_seed", "generator_seeds"} <= spec.model_fields_set and spec.generator_seeds is not None:
        yield "generator_seeds: stands in place of generator_seed: leave one of the two out"
    count, seeds = len(spec.generators), len(spec.seeds)
    if seeds % count:
        more = count * (seeds // count + 1)
        yield (
            f"generator_seeds: {seeds} seeds cannot use {count} generators equally often: give {more} seeds, or as "
            "many generators as divide the seeds"
        )


def told_twice(predictors: Sequence[AttributePredictor | None]) -> Iterator[Complaint]:
    """Yield the attributes that more than one predictor tells: all are columns of one table."""
    teller: dict[str, str] = {}
    for i, predictor in enumerate(predictors):
        for column in predictor.columns() if predictor else ():
            if column.name in teller:
                again = f"{column.name!r} is an attribute that {teller[column.name]} tells already"
                yield ("attributes", i), f"{again}: leave one of the two out, or give one another name"
            elif predictor:
                teller[column.name] = f"entry {i + 1} ({predictor.name})"
