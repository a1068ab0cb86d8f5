"""Own what ``faceassay plan`` says of the statistics: what the seeds allow, and what they could detect. Runs nothing.

Power is that of the t test that the report will make (`faceassay.inference`): exact for few seeds, and without SciPy.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from faceassay.graph import Graph
from faceassay.inference import FEWEST_SEEDS, Effect, degrees_of_freedom, detectable, too_few
from faceassay.paired import Pairing, column_name, generators_read
from faceassay.report.words import counted, reach
from faceassay.results import Results, collect
from faceassay.spec import MatrixSpec
from faceassay.spec.averages import column_labels
from faceassay.standings import LEVEL, POWER
from faceassay.store import Store

TEST = f"{100 * POWER:g} % power, two-sided {100 * LEVEL:g} %"
VARIANCES = ("people variance", "seeds variance", "generators variance")
UNKNOWN = "unknown until two seeds of it have run"
UNKNOWN_GENERATORS = "unknown until rows that read a generator have run with two of them"


@dataclass(frozen=True)
class Variances:
    """Hold what an earlier run says of the variance of one difference; see `inference.Effect`."""

    people: float
    seeds: float
    generators: float
    seeds_used: int
    generators_used: int

    def detectable(self, seeds: int, generators: int) -> float | None:
        """Return what ``seeds`` that read ``generators`` can detect: more leave the variance over people as it is.

        None where several generators are read and the earlier run had one, which does not tell how they vary. With one
        seed for each it did not tell seeds from generators, so that only more generators lessen both.
        """
        if generators > 1 and self.generators_used == 1:
            return None
        together = generators > 1 and self.generators_used == self.seeds_used
        over_seeds = self.seeds * self.seeds_used / (generators if together else seeds)
        over_generators = self.generators * self.generators_used / generators if generators > 1 else 0.0
        error = math.sqrt(self.people + over_seeds + over_generators)
        return detectable(error, degrees_of_freedom(seeds, generators), level=LEVEL, power=POWER)


Known = Mapping[str, Sequence[tuple[str, Variances]]]
"""Of each column the rows with their variances."""


def power_lines(spec: MatrixSpec, graph: Graph, store: Store, differences: Path) -> Iterator[str]:
    """Yield what the seeds of a matrix allow, nothing where there is no row to compare.

    Args:
        spec, graph: the matrix.
        store: asked for earlier results where there is no table.
        differences: ``differences.csv`` of an earlier run, may be missing.
    """
    seeds = len(spec.spec.seeds)
    if len(spec.methods) < 2:
        return
    read = _generators(spec, graph)
    allowed = _degrees(seeds, max(read.values())) if seeds >= FEWEST_SEEDS else too_few(seeds)
    yield f"statistics: {allowed}; the signs of {counted(seeds, 'paired difference')} alone reach p = {_least(seeds)}"
    if seeds < 2:
        return
    known, source = _tabled(spec, differences), str(differences)
    if not known:
        known, source = _stored(spec, graph, store), "the store"
    if known:
        yield f"detectable from '{spec.baseline}' ({TEST}; median over rows; variances of {source}):"
        for column, label in _columns(spec).items():
            yield f"  {label}: {_found(known.get(column, ()), seeds, read)}"
    else:
        alone = detectable(1 / math.sqrt(seeds), seeds - 1, level=LEVEL, power=POWER)
        yield (
            f"detectable from '{spec.baseline}' ({TEST}): {UNKNOWN}; over seeds alone it is {alone:.2f} standard "
            "deviations of the paired differences"
        )


def _generators(spec: MatrixSpec, graph: Graph) -> dict[str, int]:
    """Return of each row but the baseline how many generators its difference reads, 1 where it reads none."""
    rows = [method.name for method in spec.methods if method.name != spec.baseline]
    return {row: len({*(generators_read(spec, graph, row, spec.baseline) or (0,))}) for row in rows}


def _degrees(seeds: int, generators: int) -> str:
    enough, fewer = (
        f"{seeds} seeds, Student's t with {seeds - 1} degrees of freedom",
        degrees_of_freedom(seeds, generators),
    )
    return enough if fewer == seeds - 1 else f"{enough}, {fewer} where {generators} generators are read"


def _least(seeds: int) -> str:
    """Return the smallest two-sided p of a sign test."""
    return f"{min(1.0, 2 / 2**seeds):.2g} at best"


def _columns(spec: MatrixSpec) -> Mapping[str, str]:
    """Return the heading of each column, by the name that differences give it."""
    named: dict[str, str] = {}
    for benchmark in spec.benchmarks:
        metrics = benchmark.protocol.metric_ids()
        for metric, label in zip(metrics, column_labels(benchmark.name, metrics), strict=True):
            named[column_name([(benchmark.name, metric)])] = label
    return named | {column_name(average.members): average.name for average in spec.averages}


def _found(of_rows: Sequence[tuple[str, Variances]], seeds: int, read: Mapping[str, int]) -> str:
    if not of_rows:
        return UNKNOWN
    found = [variances.detectable(seeds, read[row]) for row, variances in of_rows]
    known = [one for one in found if one is not None]
    return f"{reach(median(known))} points" if known else UNKNOWN_GENERATORS


def _tabled(spec: MatrixSpec, path: Path) -> Known:
    """Return the variances of a table by column, of differences that the matrix has too.

    A damaged line is left out, a plan is no reason to stop.
    """
    rows = {method.name for method in spec.methods if method.name != spec.baseline}
    found: dict[str, list[tuple[str, Variances]]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.DictReader(file):
                variances = _variances(row)
                if variances and row["against"] == spec.baseline and row["method"] in rows:
                    found.setdefault(row["column"], []).append((row["method"], variances))
    return found


def _variances(row: Mapping[str, str | None]) -> Variances | None:
    try:
        people, seeds, generators = parts = [float(row[name] or "nan") for name in VARIANCES]
        found = Variances(people, seeds, generators, *(int(row[name] or 0) for name in ("seeds", "generators")))
    except (KeyError, ValueError):
        return None
    usable = all(math.isfinite(part) and part >= 0 for part in parts) and found.generators_used > 0
    return found if usable and found.seeds_used > 1 and all(map(row.get, ("column", "method", "against"))) else None


def _stored(spec: MatrixSpec, graph: Graph, store: Store) -> Known:
    """Return the variances of the seeds that have run, where all rows have: of each generator equally many."""
    results = collect(spec, graph, store)
    lost = {result.cell.seed for result in results.cells if result.failure is not None and not result.absent}
    run = [seed for seed in spec.spec.seeds if seed not in lost]
    of_generators = ([seed for seed in run if spec.generator_seed_of(seed) == one] for one in spec.spec.generators)
    # In rounds of all generators, since a seed's place among the seeds says which generator it reads.
    seeds = tuple(seed for of_each in zip(*of_generators, strict=False) for seed in of_each)
    if len(seeds) < 2:
        return {}
    of_seeds = replace(results, matrix=replace(spec, spec=spec.spec.model_copy(update={"seeds": seeds})))
    return {column: list(of_column) for column, of_column in _estimated(of_seeds)}


def _estimated(results: Results) -> Iterator[tuple[str, Iterator[tuple[str, Variances]]]]:
    matrix, pairing = results.matrix, Pairing((results,))
    members = [*([column] for column in results.columns()), *(average.members for average in matrix.averages)]
    rows = [method.name for method in matrix.methods if method.name != matrix.baseline]
    for column in members:
        estimates = [(row, pairing.difference(row, matrix.baseline, column).estimate) for row in rows]
        yield column_name(column), ((row, _kept(estimate)) for row, estimate in estimates if estimate)


def _kept(one: Effect) -> Variances:
    return Variances(one.people, one.seeds, one.generators, one.seeds_used, one.generators_used)
