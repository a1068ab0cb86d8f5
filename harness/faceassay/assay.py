"""Own the evaluation of one brought recognizer, or of embeddings, outside a matrix: its graph and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from faceassay import keys
from faceassay.contracts import Evaluation, EvaluationProtocol, data_paths
from faceassay.given import Given, PackInput, plugin_digest
from faceassay.graph import Graph, Stage, stage_seed
from faceassay.inputs import open_artifact
from faceassay.store import Store

SCHEMA = 1
"""Version of the results document."""


@dataclass(frozen=True)
class Column:
    """Hold one benchmark: a protocol with its opened pack."""

    name: str
    protocol: EvaluationProtocol
    pack: PackInput

    @classmethod
    def of(cls, name: str, protocol: EvaluationProtocol) -> Column:
        """Open the pack of ``protocol``, which must have files of its own.

        Raises:
            DataError: when the pack cannot be used.
        """
        return cls(name, protocol, PackInput.of(name, protocol.reader(), None))


@dataclass(frozen=True)
class Assayed:
    """Hold the stages of one benchmark.

    Attributes:
        column: the benchmark.
        source: the recognizer, or the embeddings.
        evaluation: gives the numbers.
        check: tries other preprocessings; None where there is nothing to try.
    """

    column: Column
    source: Given
    evaluation: Stage
    check: Stage | None


class AssayPlan:
    """Collect the stages that evaluate one recognizer, or embeddings, on several benchmarks.

    Args:
        threads: CPU threads of every stage; part of the keys.
    """

    def __init__(self, threads: int) -> None:
        self.graph = Graph()
        self.parts: list[Assayed] = []
        self.threads = threads

    def embed(self, column: Column, recognizer: Given, *, check: bool) -> None:
        """Add a benchmark whose images ``recognizer`` embeds; ``check`` tries other preprocessings on a sample."""
        inputs = {"recognizer": recognizer, "benchmark": column.pack}
        features = self._stage("features", column, inputs, column.pack.images)
        checked = self._stage("preprocessing", column, inputs, 1) if check else None
        self.parts.append(Assayed(column, recognizer, self._evaluation(column, features), checked))

    def score(self, column: Column, embeddings: Given) -> None:
        """Add a benchmark whose images were embedded elsewhere."""
        self.parts.append(Assayed(column, embeddings, self._evaluation(column, embeddings), None))

    def _evaluation(self, column: Column, features: Stage | Given) -> Stage:
        inputs = {"features": features, "benchmark": column.pack}
        return self._stage("evaluation", column, inputs, column.pack.images)

    def _stage(self, kind: str, column: Column, inputs: Mapping[str, Stage | Given], work: int) -> Stage:
        plugin = column.protocol if kind == "evaluation" else column.pack.reader
        seed, title = stage_seed(0, kind, {}), f"{kind} {column.name}"
        return self.graph.add(Stage(kind, plugin, inputs, {}, seed, self.threads, title, work, "images"))


def results_document(parts: Sequence[Assayed], store: Store, failures: Mapping[str, str]) -> dict[str, Any]:
    """Return the results as JSON: by benchmark the metrics with intervals, the pack, the warnings.

    Args:
        parts: what was run.
        store: where it is.
        failures: digest of a failed stage -> reason.
    """
    benchmarks = {part.column.name: _benchmark(part, store, failures) for part in parts}
    return {"schema": SCHEMA, "faceassay": version("faceassay"), "benchmarks": benchmarks}


def _benchmark(part: Assayed, store: Store, failures: Mapping[str, str]) -> dict[str, Any]:
    column = part.column
    about = {
        "embedded_by": {"name": part.source.name, **part.source.document},
        "protocol": keys.plugin_document(column.protocol, plugin_digest(type(column.protocol))),
        "conventions": list(getattr(column.protocol, "conventions", ())),
        "files": _files(column),
        "key": part.evaluation.digest,
    }
    failed = [failures[stage.digest] for stage in _needed(part.evaluation) if stage.digest in failures]
    if failed:
        return {**about, "failure": failed[0], "warnings": list(column.pack.warnings)}
    evaluation: Evaluation = open_artifact(part.evaluation, store)
    return {
        **about,
        "pack": dict(evaluation.notes),
        "metrics": {name: _metric(name, evaluation) for name in evaluation.metrics},
        "warnings": [*_warnings(column.pack, evaluation), *_suspicions(part, store, failures)],
    }


def _warnings(pack: PackInput, evaluation: Evaluation) -> list[str]:
    """Return the warnings of the pack where it is now, then the evaluation's own: stored ones name the old place."""
    return [*pack.warnings, *evaluation.warnings[len(pack.warnings) :]]


def _needed(stage: Stage) -> Iterator[Stage]:
    """Yield the stages that ``stage`` needs, then itself: the first that failed says why."""
    for source in stage.stages().values():
        yield from _needed(source)
    yield stage


def _files(column: Column) -> dict[str, str]:
    return {name: str(path) for name, path in data_paths(column.protocol).items() if path is not None}


def _metric(name: str, evaluation: Evaluation) -> dict[str, Any]:
    intervals = [vars(interval) for interval in evaluation.intervals.get(name, ())]
    return {
        "value": evaluation.metrics[name],
        "intervals": intervals,
        "caution": evaluation.cautions.get(name, ""),
    }


def _suspicions(part: Assayed, store: Store, failures: Mapping[str, str]) -> Iterator[str]:
    if part.check is None:
        return
    if part.check.digest in failures:
        yield f"the check of colour order and scaling failed: {failures[part.check.digest]}"
    else:
        yield from open_artifact(part.check, store)["suspicions"]
