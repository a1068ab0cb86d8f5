"""Own what a reader of the table must know: populations, methods, benchmarks, data, settings, and what is missing."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from faceassay.contracts import Fact
from faceassay.contracts.evaluation import short_names
from faceassay.people import overlap_by_name
from faceassay.report import intervals
from faceassay.report.checkpoints import checkpoint_of
from faceassay.report.differences import verdict_line
from faceassay.report.settings import generators, settings
from faceassay.report.words import MIXES_UNITS, counted, fact, joined
from faceassay.results import CellResult, Results
from faceassay.spec import MatrixSpec
from faceassay.spec.reader import Benchmark, Method
from faceassay.store import Store
from faceassay.table import Table
from faceassay.unions import Mixture

POPULATION = "population"
"""The note of an evaluation that says what its number is of; it becomes a sentence of its own."""
DIGEST = "sha256"
"""The note with the hash of what a pack was read from; its first 16 digits are shown."""
EVERY = "every method"


@dataclass(frozen=True)
class Section:
    """Hold notes under a heading: (what it is about, text); a sentence that stands for itself is about nothing."""

    heading: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Missing:
    """Hold what has no number and how to get it.

    Attributes:
        headline: how much is missing.
        command: runs what is missing.
        reasons: (methods concerned, reason), each reason once.
    """

    headline: str
    command: str
    reasons: tuple[tuple[str, str], ...]


def sections(results: Results, table: Table) -> list[Section]:
    """Return the notes under the table, without the sections that have nothing to say."""
    notes = [(method.name, method.entry.note) for method in results.matrix.methods if method.entry.note]
    said = [
        Section("How to read it", tuple(("", line) for line in _reading(results, table))),
        Section(intervals.HEADING, tuple(intervals.interval_notes(results, table))),
        Section("Methods", (*notes, *_lengths(results), *_mixed(results))),
        Section("Benchmarks", tuple((b.name, _benchmark(results, b)) for b in results.matrix.benchmarks)),
        Section("People of the benchmarks", tuple(_tested(results))),
        averages_section(results),
        Section("Data and settings", (*_data(results), *settings(results))),
    ]
    return [section for section in said if section.items]


def averages_section(results: Results) -> Section:
    """Return what each average is the mean of."""
    return Section("Averages", tuple(_averages(results)))


def _averages(results: Results) -> Iterator[tuple[str, str]]:
    labels = dict(zip(results.columns(), results.labels(), strict=True))
    for average in results.matrix.averages:
        mixed = f"{MIXES_UNITS} mixes unlike metrics ({', '.join(average.kinds)})" if average.entry.mixes_units else ""
        members = f"mean of {', '.join(labels[member] for member in average.members)}"
        yield average.name, ". ".join(filter(None, (members, mixed, average.entry.note)))


def _lengths(results: Results) -> Iterator[tuple[str, str]]:
    """Yield how long each recognizer was trained, since rows of other lengths differ in more than their images, and
    which of its states was kept.
    """
    for method in results.matrix.methods:
        row = results.graph.rows[method.name]
        stage = row.recognizers[results.matrix.spec.seeds[0]]
        images = row.real_images + row.synthetic_images
        epoch = row.mixture.epoch(row.real_images, row.synthetic_images) if row.mixture else images
        epochs = stage.work / max(1, epoch)
        same = f", as many as '{method.entry.match_updates}'" if method.entry.match_updates else ""
        length = f"trained for {counted(row.updates, 'update')}{same} ({epochs:.3g} epochs)"
        yield method.name, f"{length}; {checkpoint_of(results, row)}"


def _mixed(results: Results) -> Iterator[tuple[str, str]]:
    """Yield who counts as one person where two sets are trained on together, and what an epoch repeats."""
    for method in results.matrix.methods:
        mixture = results.graph.rows[method.name].mixture
        if mixture and (method.synthetic or mixture.people == "apart"):
            yield method.name, _people(results, method, mixture)
        if mixture and mixture.balance == "sources":
            row = results.graph.rows[method.name]
            epoch = counted(mixture.epoch(row.real_images, row.synthetic_images), "image")
            yield (
                method.name,
                f"an epoch is {epoch}, half real and half synthetic: those of the smaller set are repeated in turn",
            )


def _tested(results: Results) -> Iterator[tuple[str, str]]:
    """Yield for each benchmark whether its people are trained on or choose checkpoints, as far as names tell."""
    graph = results.graph
    for benchmark in results.matrix.benchmarks:
        tested = graph.data.get(benchmark.data or "") or graph.packs[benchmark.name]
        verdicts = [(name, overlap_by_name(graph.data[name], tested)) for name in results.matrix.seen_by_recognizers]
        told = "; ".join(f"data '{name}' {verdict.word} ({verdict.reason})" for name, verdict in verdicts)
        yield benchmark.name, f"by name, {told}"
    yield "", "Images and embeddings are compared by `faceassay quality`, those of synthetic sets too."


def _people(results: Results, method: Method, mixture: Mixture) -> str:
    if not method.synthetic:
        return "real and synthetic people of one name are different classes"
    train, other = results.graph.data[results.matrix.spec.train], results.graph.data[method.synthetic]
    shared = len({*train.people} & {*other.people})
    if not shared:
        return f"no name is in data '{other.name}' and in data '{train.name}': every set has classes of its own"
    names = f"{counted(shared, 'name')} of data '{other.name}' and of data '{train.name}' are the same"
    if mixture.people == "joined":
        return f"{names}: each is one class with the images of both"
    why = ", as the row says" if method.entry.people else ": numbers are no names; 'people: joined' would make them one"
    return f"{names}, but every set has classes of its own{why}"


def missing(results: Results) -> Missing | None:
    """Return what could be run and has no number, None when nothing is missing."""
    failures, lost = results.failures(), results.lost_qualities
    if not failures and not lost:
        return None
    reasons = [*_reasons(failures), *(("image quality", reason) for reason in lost)]
    number = f"{len(failures)} of {counted(len(results.cells), 'cell')}"
    headline = f"{number} {'has' if len(failures) == 1 else 'have'} no number"
    command = run_command(results.matrix, results.store)
    return Missing(headline if failures else "Image qualities are missing", command, tuple(reasons))


def absent(results: Results) -> Section | None:
    """Return what has no number since its data is not there, and what to supply; None where all data is there."""
    cells = results.absent()
    if not cells:
        return None
    verb, whose = ("is", "its") if len(cells) == 1 else ("are", "their")
    heading = f"{len(cells)} of {counted(len(results.cells), 'cell')} {verb} absent: {whose} data is not there"
    methods: dict[str, list[str]] = {}
    for result in cells:
        for supply in result.cell.evaluation.absent:
            methods.setdefault(supply, []).append(result.cell.method)
    every = joined(method.name for method in results.matrix.methods)
    concerned = {supply: joined(names) for supply, names in methods.items()}
    return Section(heading, tuple((EVERY if who == every else who, supply) for supply, who in concerned.items()))


def _reasons(cells: Iterable[CellResult]) -> Iterator[tuple[str, str]]:
    """Yield (methods concerned, reason), each reason once."""
    methods: dict[str, list[str]] = {}
    for result in cells:
        methods.setdefault(result.failure or "", []).append(result.cell.method)
    yield from ((joined(names), reason) for reason, names in methods.items())


def run_command(matrix: MatrixSpec, store: Store) -> str:
    """Return the command that runs what is missing of ``matrix`` in ``store``."""
    profile = f" --profile {shlex.quote(matrix.profile)}" if matrix.profile else ""
    return f"faceassay run {shlex.quote(str(matrix.path))}{profile} --store {shlex.quote(str(store.root))}"


def _reading(results: Results, table: Table) -> Iterator[str]:
    yield "Metrics are in percent. " + _spread(results, len(table.seeds))
    yield verdict_line(table)
    aux = "Aux: auxiliary models or data; " if any(method.entry.aux for method in results.matrix.methods) else ""
    yield f"{aux}n_s, n_r: synthetic and real training images; Updates: optimizer steps of the recognizer."
    yield from results.matrix.spec.notes


def _spread(results: Results, seeds: int) -> str:
    if seeds < 2:
        return "One seed: no spread can be given."
    return (
        f"± is the sample standard deviation over {seeds} seeds of recognizer and synthesis"
        f"{_trainings(results, seeds)}; it says nothing about other people or pairs."
    )


def _trainings(results: Results, seeds: int) -> str:
    """Return how many trainings of generators a spread is about; nothing where no row uses one."""
    used, count = generators(results), len(results.matrix.spec.generators)
    if not used:
        return ""
    each = len(used) > count
    if count == 1:
        return f", conditional on one {'training of each ' if each else ''}generator"
    which = f"{count} trainings of each generator" if each else f"{count} generators"
    return f" and over {which}, {counted(seeds // count, 'seed')} each"


def _benchmark(results: Results, benchmark: Benchmark) -> str:
    facts = results.shared_notes(benchmark.name)
    population = facts.pop(POPULATION, None)
    facts.pop(intervals.POPULATION, None)
    counts = ", ".join(f"{name.replace('_', ' ')} {_shown(name, value)}" for name, value in facts.items())
    place = f"data '{benchmark.data}'" if benchmark.data else "its own files"
    sentences = [f"{benchmark.protocol.name} on {place}" + (f": {counts}" if counts else "")]
    sentences += [f"Population: {population}"] if population else []
    pack = results.graph.packs[benchmark.name]
    if benchmark.expect is not None:
        sentences += deviations(benchmark.expect.images, pack.images, "images")
        sentences += deviations(benchmark.expect.image_size, pack.image_size, "px")
    return ". ".join([*sentences, *_remarks(results, benchmark)])


def _shown(name: str, value: Fact) -> str:
    return str(value)[:16] if name == DIGEST else fact(value)


def _remarks(results: Results, benchmark: Benchmark) -> Iterator[str]:
    """Yield warnings and cautions, each text once; of what not all cells say, which methods do."""
    evaluated = results.evaluated(benchmark.name)
    said: dict[tuple[str, str], list[str]] = {}
    for result in evaluated:
        for remark in _remarks_of(result, benchmark):
            said.setdefault(remark, []).append(result.cell.method)
    for (label, text), methods in said.items():
        concerned = "" if len(methods) == len(evaluated) else f" ({joined(methods)})"
        yield f"{label}{concerned}: {text.rstrip('.')}"


def _remarks_of(result: CellResult, benchmark: Benchmark) -> Iterator[tuple[str, str]]:
    """Yield (label, text) of each warning, then of each caution with the metrics that it is about."""
    yield from (("Warning", text) for text in dict.fromkeys(result.warnings))
    metrics = benchmark.protocol.metric_ids()
    about: dict[str, list[str]] = {}
    for metric, name in zip(metrics, short_names(metrics), strict=True):
        if metric in result.cautions:
            about.setdefault(result.cautions[metric], []).append(name)
    yield from ((f"Caution, {', '.join(names)}", text) for text, names in about.items())


def _data(results: Results) -> Iterator[tuple[str, str]]:
    for name, source in results.graph.data.items():
        counts = f"{counted(source.images, 'image')} of {len(source.people):,} people, {source.image_size} px"
        role = " (training)" if name == results.matrix.spec.train else ""
        held = f"sha256 {source.fingerprint[:16]}" if source.fingerprint else "expected, absent"
        remarks = "".join(f"; {remark}" for remark in _deviations(results, name))
        yield f"data '{name}'", f"{source.plugin.name}, {counts}{role}, {held}{remarks}"


def _deviations(results: Results, name: str) -> Iterator[str]:
    """Yield in which counts data is not what was expected."""
    source, expect = results.graph.data[name], results.matrix.data[name].expect
    if expect is not None:
        yield from deviations(expect.images, source.images, "images")
        yield from deviations(expect.identities, len(source.people), "identities")
        yield from deviations(expect.image_size, source.image_size, "px")


def deviations(expected: int, found: int, unit: str) -> Iterator[str]:
    """Yield that a count is not what was expected: ``expected 160,000 images, has 490,623``."""
    if found != expected:
        yield f"expected {expected:,} {unit}, has {found:,}"
