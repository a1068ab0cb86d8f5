"""Own which profiles of a matrix are cross-fitted parts of it. Reads no store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from faceassay.contracts import FaceassayError
from faceassay.graph import Graph
from faceassay.spec import MatrixSpec

Part = tuple[MatrixSpec, Graph]


def require_cross_fitted(parts: Sequence[Part]) -> None:
    """Refuse profiles that are not parts of one matrix, each tested on people of its own.

    Raises:
        FaceassayError: when rows, baseline, seeds, generators or columns differ, or two share evaluations, packs of
            benchmarks or tested people by name.
    """
    wrong = next((fault for pair in combinations(parts, 2) for fault in _faults(*pair)), None)
    if wrong:
        raise FaceassayError(f"{wrong}: give profiles of the same rows, seeds and columns, each tested on other people")


def _faults(one: Part, other: Part) -> Iterator[str]:
    names = f"profiles {one[0].profile!r} and {other[0].profile!r}"
    wanted, found = _shape(one), _shape(other)
    for what, ours in wanted.items():
        theirs = found[what]
        if ours != theirs:
            differing = [
                str(name[0] if isinstance(name, tuple) else name)
                for name in (*ours, *theirs)
                if (name in ours) != (name in theirs)
            ]
            yield f"{names} have other {what}" + (f" ({', '.join(differing)})" if differing else ", or another order")
    if shared := _evaluations(one) & _evaluations(other):
        yield f"{names} share {len(shared)} evaluations"
    if packs := [name for name, pack in _packs(one).items() if pack in _packs(other).values()]:
        yield f"{names} are tested on one pack ({', '.join(packs)})"
    if people := sorted(_people(one) & _people(other)):
        yield f"{names} are both tested on {', '.join(people[:3])}" + (" and others" if len(people) > 3 else "")


def _shape(part: Part) -> dict[str, tuple[object, ...]]:
    matrix, _ = part
    averages = tuple((average.name, average.members) for average in matrix.averages)
    return {
        "rows": tuple((row.name, row.entry.group) for row in matrix.methods),
        "baselines": (matrix.baseline,),
        "columns that claims are judged on": matrix.claims.stand_ins if matrix.claims else (),
        "seeds": tuple(matrix.spec.seeds),
        "numbers of generators": (len(matrix.spec.generators),),
        "columns": (*((b.name, b.protocol.metric_ids()) for b in matrix.benchmarks), *averages),
    }


def _evaluations(part: Part) -> frozenset[str]:
    return frozenset(cell.evaluation.digest for cell in part[1].cells if not cell.evaluation.absent)


def _packs(part: Part) -> dict[str, dict[str, Any]]:
    """Return what stands for the images and pairs of each benchmark, which may name nobody."""
    return {name: pack.document for name, pack in part[1].packs.items() if not pack.absent}


def _people(part: Part) -> frozenset[str]:
    return frozenset(person for pack in part[1].packs.values() if not pack.absent for person in pack.people)
