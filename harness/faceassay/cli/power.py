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
from faceassay.inference import FEWEST_SEEDS, Effect, detectable, too_few
from faceassay.paired import Pairing, column_name
from faceassay.report.words import counted, reach
from faceassay.results import Results, collect
from faceassay.spec import MatrixSpec
from faceassay.spec.averages import column_labels
from faceassay.standings import LEVEL, POWER
from faceassay.store import Store

TEST = f"{100 * POWER:g} % power, two-sided {100 * LEVEL:g} %"
VARIANCES = ("people variance", "seeds variance", "generators variance")
UNKNOWN = "unknown until two seeds of it have run"


@dataclass(frozen=True)
class Variances:
    """Hold what an earlier run says of the variance of one difference; see `inference.Effect`."""

    people: float
    seeds: float
    generators: float
    seeds_used: int

    def detectable(self, seeds: int) -> float:
        """Return what ``seeds`` can detect: more of them leave the variance over people as it is."""
        variance = self.people + self.seeds * self.seeds_used / seeds + self.generators
        return detectable(math.sqrt(variance), seeds - 1, level=LEVEL, power=POWER)


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
    enough = f"{seeds} seeds, Student's t with {seeds - 1} degrees of freedom"
    allowed = enough if seeds >= FEWEST_SEEDS else too_few(seeds)
    yield f"statistics: {allowed}; the signs of {counted(seeds, 'paired difference')} alone reach p = {_least(seeds)}"
    if seeds < 2:
        return
    known, source = _tabled(differences), str(differences)
    if not known:
        known, source = _stored(spec, graph, store), "the store"
    if known:
        yield f"detectable from '{spec.baseline}' ({TEST}; median over rows; variances of {source}):"
        yield from (f"  {label}: {_found(known.get(column, ()), seeds)}" for column, label in _columns(spec).items())
    else:
        alone = detectable(1 / math.sqrt(seeds), seeds - 1, level=LEVEL, power=POWER)
        yield (
            f"detectable from '{spec.baseline}' ({TEST}): {UNKNOWN}; over seeds alone it is {alone:.2f} standard "
            "deviations of the paired differences"
        )


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


def _found(variances: Sequence[Variances], seeds: int) -> str:
    if not variances:
        return UNKNOWN
    return f"{reach(median(one.detectable(seeds) for one in variances))} points"


def _tabled(path: Path) -> dict[str, list[Variances]]:
    """Return the variances of a table by column; a damaged line is left out, a plan is no reason to stop."""
    found: dict[str, list[Variances]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.DictReader(file):
                variances = _variances(row)
                if variances:
                    found.setdefault(row["column"], []).append(variances)
    return found


def _variances(row: Mapping[str, str | None]) -> Variances | None:
    try:
        people, seeds, generators = parts = [float(row[name] or "nan") for name in VARIANCES]
        found = Variances(people, seeds, generators, int(row["seeds"] or 0))
    except (KeyError, ValueError):
        return None
    usable = all(math.isfinite(part) and part >= 0 for part in parts)
    return found if usable and found.seeds_used > 1 and row.get("column") else None


def _stored(spec: MatrixSpec, graph: Graph, store: Store) -> dict[str, list[Variances]]:
    """Return the variances of the seeds that have run, where all rows have."""
    results = collect(spec, graph, store)
    lost = {result.cell.seed for result in results.cells if result.failure is not None and not result.absent}
    seeds = tuple(seed for seed in spec.spec.seeds if seed not in lost)
    if len(seeds) < 2:
        return {}
    of_seeds = replace(results, matrix=replace(spec, spec=spec.spec.model_copy(update={"seeds": seeds})))
    return {column: list(of_column) for column, of_column in _estimated(of_seeds)}


def _estimated(results: Results) -> Iterator[tuple[str, Iterator[Variances]]]:
    matrix, pairing = results.matrix, Pairing((results,))
    members = [*([column] for column in results.columns()), *(average.members for average in matrix.averages)]
    rows = [method.name for method in matrix.methods if method.name != matrix.baseline]
    for column in members:
        estimates = [pairing.difference(row, matrix.baseline, column).estimate for row in rows]
        yield column_name(column), (_kept(estimate) for estimate in estimates if estimate)


def _kept(estimate: Effect) -> Variances:
    return Variances(estimate.people, estimate.seeds, estimate.generators, estimate.seeds_used)
