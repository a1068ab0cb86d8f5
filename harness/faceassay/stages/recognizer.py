"""Train a recognizer on real images, synthetic ones, or the union of both; where asked to, keep its best state."""

from __future__ import annotations

import json
from pathlib import Path

from faceassay.contracts import (
    ChoosingRecognizer,
    Chosen,
    FaceassayError,
    FaceDataset,
    FittedRecognizer,
    Recognizer,
    Sources,
    StageContext,
    Validation,
)
from faceassay.unions import Mixture

CHECKPOINT = "checkpoint.json"


def run(plugin: Recognizer, sources: Sources, context: StageContext) -> None:
    """Train and write the recognizer, and of a chosen state what it was chosen from.

    Raises:
        FaceassayError: when the plugin cannot choose a state, or chose another one than the scores say.
    """
    data = _training_set(sources)
    if "validation" in sources:
        _choose(plugin, data, sources.open("validation"), context)
    else:
        plugin.fit(data, context)


def load(plugin: Recognizer, folder: Path, device: str) -> FittedRecognizer:
    """Open a trained recognizer."""
    return plugin.load(folder, device)


def chosen_in(folder: Path) -> Chosen | None:
    """Return which state of its training the recognizer in ``folder`` is, None where it is the last one."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return Chosen(document["update"], tuple((updates, score) for updates, score in document["scores"]))


def _choose(plugin: Recognizer, data: FaceDataset, validation: Validation, context: StageContext) -> None:
    if not isinstance(plugin, ChoosingRecognizer):
        raise FaceassayError(f"{plugin.name} cannot choose a checkpoint: take 'validation' out of the spec")
    chosen = plugin.fit_choosing(data, validation, context)
    if context.rank:
        return
    points = list(validation.points(plugin.updates_for(len(data))))
    if chosen is None or [update for update, _ in chosen.scores] != points or Chosen.best_of(chosen.scores) != chosen:
        raise FaceassayError(
            f"{plugin.name} did not keep the best of the states after {points} updates, but {chosen}: "
            "its fit_choosing must"
        )
    document = {"update": chosen.update, "scores": chosen.scores}
    (context.folder / CHECKPOINT).write_text(json.dumps(document, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    context.count_passes({"recognizer_forward": len(points) * validation.images})


def _training_set(sources: Sources) -> FaceDataset:
    if "synthesis" not in sources:
        return sources.real
    if "real" not in sources:
        return sources.synthesis
    mixture: Mixture = sources.open("mixture")
    return mixture.of(sources.real, sources.synthesis)
