"""Compute a protocol's metrics from embeddings and keep the scores behind them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.contracts import Curve, Evaluation, EvaluationProtocol, FaceassayError, Sources, StageContext


def run(plugin: EvaluationProtocol, sources: Sources, context: StageContext) -> None:
    """Evaluate and write ``evaluation.json`` and ``scores/NAME.npy``.

    Raises:
        FaceassayError: when the metrics are not the ones that the protocol announced, or one is no finite number.
    """
    evaluation = plugin.evaluate(sources.open("data"), sources.features)
    if tuple(evaluation.metrics) != plugin.metric_ids():
        announced = ", ".join(plugin.metric_ids())
        raise FaceassayError(
            f"protocol {plugin.name!r} announced {announced} but computed {', '.join(evaluation.metrics)}"
        )
    undefined = [name for name, value in evaluation.metrics.items() if not math.isfinite(value)]
    if undefined:
        raise FaceassayError(f"protocol {plugin.name!r} computed no finite number for {', '.join(undefined)}")
    curves = {
        name: {**asdict(curve), "x": curve.x.tolist(), "y": curve.y.tolist()}
        for name, curve in evaluation.curves.items()
    }
    document = {"metrics": dict(evaluation.metrics), "notes": dict(evaluation.notes), "curves": curves}
    (context.folder / "evaluation.json").write_text(json.dumps(document, sort_keys=False))
    (context.folder / "scores").mkdir()
    for name, array in evaluation.scores.items():
        np.save(context.folder / "scores" / f"{name}.npy", array)


def load(plugin: EvaluationProtocol, folder: Path, device: str) -> Evaluation:
    """Open a stored evaluation."""
    document: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    scores = {path.stem: np.load(path) for path in sorted((folder / "scores").glob("*.npy"))}
    curves = {name: _curve(curve) for name, curve in document["curves"].items()}
    return Evaluation(document["metrics"], scores, curves, document["notes"])


def _curve(document: dict[str, Any]) -> Curve:
    return Curve(**{**document, "x": np.array(document["x"]), "y": np.array(document["y"])})
