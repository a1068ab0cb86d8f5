"""Own the facts on the cards: where every image set of a matrix is from and what it cost. Renders nothing.

What nobody stated is said to be not stated: a card makes no claim about rights or consent of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faceassay import keys
from faceassay.contracts import DatasetCard, Plugin
from faceassay.given import DataInput, Given, ValidationInput, plugin_digest
from faceassay.graph import Row, Stage
from faceassay.report.words import joined
from faceassay.results import Results
from faceassay.spec.reader import Benchmark, TrainedJudge
from faceassay.store import Record

NOT_STATED = "not stated"
SHOWN_DIGITS = 16


@dataclass(frozen=True)
class StageCost:
    """Hold what one stage took; the last three are None where the store has no record of it.

    Attributes:
        title, kind, key: which stage it is.
        work, unit: how much it has to do.
        seconds: of all attempts.
        evaluations: network evaluations.
        passes: other passes by name.
    """

    title: str
    kind: str
    key: str
    work: int
    unit: str
    seconds: float | None = None
    evaluations: int | None = None
    passes: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Card:
    """Hold the facts about one image set.

    Attributes:
        title: which set.
        kind: data, benchmark or synthetic.
        uses: what of the matrix uses it.
        stated: source, licence, consent and note, as they are or that they are not.
        provenance: what opens or makes it, from what, with which parameters.
        auxiliary: models and data that were used beside the real images.
        images, identities, image_size: counts, None where unknown.
        content: sha256 (hex) by what it is of; empty where nothing is there.
        costs: of every stage that made it, each once; empty for what no stage made.
    """

    title: str
    kind: str
    uses: tuple[str, ...]
    stated: Mapping[str, str]
    provenance: tuple[str, ...]
    auxiliary: tuple[str, ...]
    images: int
    identities: int | None
    image_size: int
    content: Mapping[str, str] = field(default_factory=dict)
    costs: tuple[StageCost, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the costs of all stages are known."""
        return all(cost.seconds is not None for cost in self.costs)

    def total(self) -> StageCost:
        """Return the sum of the costs that are known."""
        passes: Counter[str] = Counter()
        for cost in self.costs:
            passes.update(cost.passes or {})
        seconds = round(sum(cost.seconds or 0.0 for cost in self.costs), 3)
        evaluations = sum(cost.evaluations or 0 for cost in self.costs)
        return StageCost("total", "total", "", len(self.costs), "stages", seconds, evaluations, dict(passes))


def cards(results: Results) -> list[Card]:
    """Return a card for every image set of the matrix: data, benchmarks with files of their own, synthetic sets."""
    own = [benchmark for benchmark in results.matrix.benchmarks if benchmark.data is None]
    return [
        *(_of_data(results, name) for name in results.graph.data),
        *(_of_benchmark(results, benchmark) for benchmark in own),
        *(_of_synthesis(results, row, methods) for row, methods in _synthetic_sets(results)),
    ]


def _of_data(results: Results, name: str) -> Card:
    source, choice = results.graph.data[name], results.matrix.data[name]
    rows = [method for method in results.matrix.methods if method.synthetic == name]
    return Card(
        f"data '{name}'", "data", tuple(_uses(results, name)),
        _stated(choice.card),
        provenance=tuple(_opened_by(source.plugin, source)),
        auxiliary=tuple(dict.fromkeys(row.entry.aux for row in rows if row.entry.aux)) or (NOT_STATED,),
        images=source.images, identities=len(source.people), image_size=source.image_size,
        content={"images": source.fingerprint} if source.fingerprint else {},
    )  # fmt: skip


def _of_benchmark(results: Results, benchmark: Benchmark) -> Card:
    pack = results.graph.packs[benchmark.name]
    return Card(
        f"benchmark '{benchmark.name}'", "benchmark", (f"benchmark '{benchmark.name}'",),
        _stated(benchmark.card),
        provenance=tuple(_opened_by(benchmark.protocol, pack)),
        auxiliary=(NOT_STATED,),
        images=pack.images, identities=len(pack.people) or None, image_size=pack.image_size,
        content={"pack": pack.fingerprint} if pack.fingerprint else {},
    )  # fmt: skip


def _of_synthesis(results: Results, row: Row, methods: Sequence[str]) -> Card:
    train = results.graph.data[results.matrix.spec.train]
    syntheses = list(row.syntheses.values())
    made_by = _made_by(results, syntheses)
    see, seed = f"{NOT_STATED}; made from data '{train.name}', see its card", results.matrix.spec.seeds[0]
    images = results.synthetic_images(row, seed)
    stated = [m.entry.aux for m in results.matrix.methods if m.name in methods and m.entry.aux]
    records = {f"seed {seed}": _record(results, stage) for seed, stage in row.syntheses.items()}
    return Card(
        f"synthetic images of {joined(methods)}", "synthetic",
        tuple(f"trained on by row '{method}'" for method in methods),
        {"source": f"made by faceassay from data '{train.name}'", "licence": see, "consent": see, "note": ""},
        provenance=(*_synthesised_by(made_by), f"real images: data '{train.name}'"),
        auxiliary=tuple(dict.fromkeys([*_looked_through(made_by), *stated])) or ("none",),
        images=row.synthetic_images, identities=len(images.identities) if images else None,
        image_size=train.image_size,
        content={seed: str(record["content"]) for seed, record in records.items() if record},
        costs=tuple(_cost(results, stage) for stage in made_by),
    )  # fmt: skip


def _synthetic_sets(results: Results) -> Iterator[tuple[Row, list[str]]]:
    """Yield each distinct synthetic set, its seeds together, with the names of the rows that train on it."""
    found: dict[tuple[str, ...], tuple[Row, list[str]]] = {}
    for method, row in results.graph.rows.items():
        made = tuple(stage.digest for stage in row.syntheses.values())
        if made:
            found.setdefault(made, (row, []))[1].append(method)
    yield from found.values()


def _made_by(results: Results, syntheses: Sequence[Stage]) -> list[Stage]:
    """Return the stages that made sets and these themselves, each once, inputs before what needs them."""
    needed = {stage.digest for made in syntheses for stage in (*results.graph.ancestors(made), made)}
    return [stage for digest, stage in results.graph.stages.items() if digest in needed]


def _uses(results: Results, name: str) -> Iterator[str]:
    matrix, spec = results.matrix, results.matrix.spec
    if name == spec.train:
        yield "real training images; synthetic sets are made from it"
    real = [row.name for row in matrix.methods if row.uses_real and (row.real or spec.train) == name]
    for rows, how in ((real, "real"), ([row.name for row in matrix.methods if row.synthetic == name], "synthetic")):
        if rows:
            yield f"trained on as {how} images by {joined(rows)}"
    yield from (f"benchmark '{benchmark.name}'" for benchmark in matrix.benchmarks if benchmark.data == name)
    if isinstance(matrix.judge, TrainedJudge) and matrix.judge.data == name:
        yield "the judge of `faceassay quality` is trained on it"
    if spec.validation and spec.validation.data == name:
        yield "it chooses the checkpoints of recognizers"
    if spec.held_out == name:
        yield "held-out people of `faceassay quality`"


def _stated(card: DatasetCard) -> dict[str, str]:
    words = card.model_dump()
    return {name: words[name] or NOT_STATED for name in ("source", "licence", "consent")} | {"note": card.note}


def _opened_by(plugin: Plugin, source: Given) -> Iterator[str]:
    yield _described(plugin)
    if plugin.paper:
        yield f"paper: {plugin.paper}"
    if isinstance(source, DataInput) and source.identities is not None:
        chosen = source.identities
        which = f"its identities {chosen}" if isinstance(chosen, str) else f"{len(chosen):,} of its identities"
        yield f"a choice: {which}"
    if source.absent:
        yield f"its files are not there, counts are those expected; {source.absent}"


def _synthesised_by(made_by: Sequence[Stage]) -> Iterator[str]:
    """Yield what made a set, augmentation first: plugin, parameters and keys."""
    kinds = {"synthesis": "augmentation", "search": "search", "generator": "generator"}
    for kind, what in kinds.items():
        stages = [stage for stage in made_by if stage.kind == kind]
        for described in dict.fromkeys(_described(stage.plugin) for stage in stages):
            of = [stage.digest[:SHOWN_DIGITS] for stage in stages if _described(stage.plugin) == described]
            yield f"{what} {described}; key{'s' if len(of) > 1 else ''} {', '.join(of)}"


def _looked_through(made_by: Sequence[Stage]) -> Iterator[str]:
    """Yield recognizers and attribute predictors that methods look through, those in generators and searches too."""
    for stage in made_by:
        if stage.kind == "recognizer":
            on = ", ".join(f"data '{s.name}'" for s in stage.inputs.values() if isinstance(s, DataInput))
            by = stage.inputs.get("validation")
            chosen = f"; checkpoint chosen by data '{by.name}'" if isinstance(by, ValidationInput) else ""
            yield f"recognizer {_described(stage.plugin)}; trained on {on}{chosen}; key {stage.digest[:SHOWN_DIGITS]}"
        elif stage.kind == "attributes":
            yield f"attributes {_described(stage.plugin)}; {stage.plugin.summary}"
        brought = stage.inputs.get("recognizer")
        if brought is not None and not isinstance(brought, Stage):
            yield f"recognizer {brought.name}, brought; sha256 {brought.fingerprint[:SHOWN_DIGITS]}"


def _described(plugin: Plugin) -> str:
    """Return name, version and parameters as they stand in keys: a path by the fingerprint of what it holds."""
    parameters = keys.plugin_document(plugin, plugin_digest(type(plugin)))["parameters"]
    return f"{plugin.name}, version {plugin.version}, {json.dumps(parameters, ensure_ascii=False, sort_keys=True)}"


def _cost(results: Results, stage: Stage) -> StageCost:
    record = _record(results, stage)
    of = stage.title, stage.kind, stage.digest, stage.work, stage.unit
    if record is None:
        return StageCost(*of)
    cost = record["cost"]
    return StageCost(*of, cost["seconds"], cost["network_evaluations"], cost.get("passes", {}))


def _record(results: Results, stage: Stage) -> Record | None:
    return results.record(stage) if stage.digest in results.settled else None
