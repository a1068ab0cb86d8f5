"""Own the words about intervals, the same in Markdown and HTML: what varies within them. Computes none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from faceassay.contracts import Interval
from faceassay.contracts.evaluation import short_names
from faceassay.report.words import basis, joined
from faceassay.results import Results
from faceassay.spec.reader import Benchmark
from faceassay.table import AVERAGE, Table

HEADING = "Intervals"
POPULATION = "interval_population"
"""The note of an evaluation that says in more words what varies within its intervals."""
_NONE = "A number without limits comes from a protocol that keeps no replicates and gives no interval."


def interval_notes(results: Results, table: Table) -> Iterator[tuple[str, str]]:
    """Yield what the limits of the table cover, then (benchmarks, what varies within theirs)."""
    numbers = [cell for row in table.rows for cell in row.cells if cell.summary is not None]
    if any(cell.interval for cell in numbers):
        yield "", _coverage(len(table.seeds))
    said: dict[str, list[str]] = {}
    for benchmark in results.matrix.benchmarks:
        said.setdefault(_varying(results, table, benchmark), []).append(benchmark.name)
    for average in results.matrix.averages:
        for text in _bases(_shown(table, (AVERAGE, average.name)), ""):
            said.setdefault(text, []).append(average.name)
    yield from ((joined(names), text) for text, names in said.items() if text)
    if not all(cell.interval for cell in numbers):
        yield "", _NONE


def _coverage(seeds: int) -> str:
    around = "each number" if seeds < 2 else f"the mean over {seeds} seeds, resampled with the same draws for all"
    return f"Limits around {around}: they cover other test people, or what else is named here, and no other seeds."


def _varying(results: Results, table: Table, benchmark: Benchmark) -> str:
    """Say what varies within the limits of a benchmark, by metric where they differ."""
    metrics = benchmark.protocol.metric_ids()
    wording = str(results.shared_notes(benchmark.name).get(POPULATION, ""))
    said: dict[str, list[str]] = {}
    for metric, name in zip(metrics, short_names(metrics), strict=True):
        for text in _bases(_shown(table, (benchmark.name, metric)), wording):
            said.setdefault(text, []).append(name)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in said.items())


def _shown(table: Table, column: tuple[str, str]) -> list[Interval]:
    place = table.columns.index(column)
    shown = [row.cells[place].interval for row in table.rows]
    return [interval for interval in shown if interval is not None]


def _bases(intervals: Sequence[Interval], wording: str) -> Iterator[str]:
    """Yield what intervals are of, once for each population and level; of their methods, what they have in common."""
    groups: dict[tuple[str, float], list[Interval]] = {}
    for interval in intervals:
        groups.setdefault((interval.population, interval.level), []).append(interval)
    for (population, _), alike in groups.items():
        said = wording if wording.startswith(population) else population
        yield basis(replace(alike[0], population=said, method=_common([interval.method for interval in alike])))


def _common(methods: Sequence[str]) -> str:
    """Return the leading parts that all methods share; each method where they share none."""
    parts = zip(*(method.split(", ") for method in methods), strict=False)
    shared = [of_all[0] for of_all in takewhile(lambda of_all: len(set(of_all)) == 1, parts)]
    return ", ".join(shared) or " or ".join(dict.fromkeys(methods))
