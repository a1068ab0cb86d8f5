"""Own the words around the numbers, the same in Markdown and HTML: formats, footnotes, the population of a spread."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from faceassay.graph import Row
from faceassay.results import Results
from faceassay.statistics import wilson_interval
from faceassay.table import Table, TableCell


def title(results: Results) -> str:
    """Return the report's title."""
    spec = results.matrix.spec
    profile = f" (profile {results.matrix.profile})" if results.matrix.profile else ""
    return (spec.title or spec.name) + profile


def percent(value: float) -> str:
    """Return a fraction as percent with two decimals."""
    return f"{100 * value:.2f}"


def shown(cell: TableCell) -> str:
    """Return what the table shows for a cell: percent, mean and spread, or that it failed."""
    if cell.summary is None:
        return "not run" if cell.failure == "not run" else "failed"
    spread = "" if cell.summary.sd is None else f" ± {percent(cell.summary.sd)}"
    return percent(cell.summary.mean) + spread + (" (incomplete)" if cell.failure else "")


def rerun_command(results: Results) -> str:
    """Return the command that runs what is missing."""
    profile = f" --profile {shlex.quote(results.matrix.profile)}" if results.matrix.profile else ""
    return f"faceassay run {shlex.quote(str(results.matrix.path))}{profile}"


def footnotes(results: Results, table: Table) -> list[str]:
    """Return everything a reader of the table must know, one line each."""
    lines = [_spread_line(table), *results.matrix.spec.notes]
    lines += [f"{method.name}: {method.entry.note}" for method in results.matrix.methods if method.entry.note]
    lines += _benchmark_lines(results)
    lines += _data_lines(results)
    lines += _failure_lines(results)
    return lines


def quality_rows(results: Results) -> list[list[str]]:
    """Return what was measured on the synthetic images, one row per distinct synthesis."""
    rows, seen = [], set()
    for method, row in results.graph.rows.items():
        for seed, stage in row.qualities.items():
            if stage.digest not in seen:
                seen.add(stage.digest)
                rows += list(_quality_row(results, method, row, seed))
    return rows


def _quality_row(results: Results, method: str, row: Row, seed: int) -> Iterator[list[str]]:
    measured = results.quality(row, seed)
    if measured is not None:
        synthetic, real = measured["nearest_training"], measured["nearest_among_real"]
        yield [
            method,
            str(seed),
            str(measured["images"]),
            _share(measured["faces"], measured["images"]),
            _share(measured["faces_real"], measured["real_images"]),
            f"{synthetic['median']:.1f} ({synthetic['q05']:.1f})",
            f"{real['median']:.1f} ({real['q05']:.1f})",
        ]


def _share(found: int | None, total: int) -> str:
    if found is None:
        return "not measured"
    low, high = wilson_interval(found, total)
    return f"{percent(found / total)} [{percent(low)}, {percent(high)}]"


def _spread_line(table: Table) -> str:
    if len(table.seeds) < 2:
        return "Percent. One seed: no spread can be given."
    return (
        f"Percent. ± is the sample standard deviation over {len(table.seeds)} seeds of recognizer and synthesis, "
        "conditional on one generator; it says nothing about other people or pairs. No winner is marked."
    )


def _benchmark_lines(results: Results) -> Iterator[str]:
    for benchmark in results.matrix.benchmarks:
        cells = [r for r in results.cells if r.cell.benchmark == benchmark.name and r.failure is None]
        facts = ", ".join(f"{name}: {value}" for name, value in cells[0].notes.items()) if cells else "not run"
        yield f"{benchmark.name}: {benchmark.protocol.name} on data {benchmark.data!r} ({facts})"


def _data_lines(results: Results) -> Iterator[str]:
    for name, source in results.graph.data.items():
        counts = f"{source.images} images of {len(source.people)} people"
        yield f"data {name!r}: {source.plugin.name}, {counts}, {source.image_size} px, sha256 {source.fingerprint[:16]}"


def _failure_lines(results: Results) -> Iterator[str]:
    failures = results.failures()
    if failures:
        yield f"{len(failures)} of {len(results.cells)} cells have no number; to run them: `{rerun_command(results)}`"
    yield from dict.fromkeys(result.failure for result in failures if result.failure)
