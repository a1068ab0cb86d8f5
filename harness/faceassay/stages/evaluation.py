"""Compute a protocol's metrics from embeddings and keep the scores behind them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.contracts import Curve, Evaluation, EvaluationProtocol, FaceassayError, Interval, Sources, StageContext


def run(plugin: EvaluationProtocol, sources: Sources, context: StageContext) -> None:
    """Evaluate and write ``evaluation.json`` and ``scores/NAME.npy``.

    Raises:
        FaceassayError: when the metrics are not the ones that the protocol announced, the replicates have another
            number of columns, or a metric, a limit of its intervals or a fact is no finite number.
    """
    pack = sources.open("benchmark")
    evaluation = plugin.evaluate(pack, sources.features)
    if tuple(evaluation.metrics) != plugin.metric_ids():
        announced = ", ".join(plugin.metric_ids())
        raise FaceassayError(
            f"protocol {plugin.name!r} announced {announced} but computed {', '.join(evaluation.metrics)}"
        )
    replicates = evaluation.scores.get("replicates", np.empty((0, len(evaluation.metrics))))
    if replicates.shape[1:] != (len(evaluation.metrics),):
        wanted = f"[R, {len(evaluation.metrics)}], a column for each metric"
        raise FaceassayError(f"protocol {plugin.name!r} keeps replicates {list(replicates.shape)}, not {wanted}")
    undefined = list(dict.fromkeys(name for name, number in _numbers(evaluation) if not math.isfinite(number)))
    if undefined:
        raise FaceassayError(f"protocol {plugin.name!r} computed no finite number for {', '.join(undefined)}")
    curves = {
        name: {**asdict(curve), "x": curve.x.tolist(), "y": curve.y.tolist()}
        for name, curve in evaluation.curves.items()
    }
    document = {
        "metrics": dict(evaluation.metrics),
        "notes": {**pack.notes, **evaluation.notes},
        "curves": curves,
        "intervals": {name: [asdict(one) for one in several] for name, several in evaluation.intervals.items()},
        "cautions": dict(evaluation.cautions),
        "warnings": [*pack.warnings, *evaluation.warnings],
    }
    (context.folder / "evaluation.json").write_text(json.dumps(document, sort_keys=False))
    (context.folder / "scores").mkdir()
    for name, array in evaluation.scores.items():
        np.save(context.folder / "scores" / f"{name}.npy", array)


def _numbers(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    """Yield what a reader of the evaluation is shown, by the name that an error gives it."""
    yield from evaluation.metrics.items()
    for name, intervals in evaluation.intervals.items():
        yield from ((f"{name} (interval)", limit) for one in intervals for limit in (one.low, one.high))
    yield from ((name, fact) for name, fact in evaluation.notes.items() if not isinstance(fact, str))


def load(plugin: EvaluationProtocol, folder: Path, device: str) -> Evaluation:
    """Open a stored evaluation."""
    document: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    scores = {path.stem: np.load(path, mmap_mode="r") for path in sorted((folder / "scores").glob("*.npy"))}
    curves = {name: _curve(curve) for name, curve in document["curves"].items()}
    intervals = {name: [Interval(**one) for one in several] for name, several in document["intervals"].items()}
    about = {name: document[name] for name in ("notes", "cautions", "warnings")}
    return Evaluation(document["metrics"], scores, curves, intervals=intervals, **about)


def _curve(document: dict[str, Any]) -> Curve:
    return Curve(**{**document, "x": np.array(document["x"]), "y": np.array(document["y"])})
