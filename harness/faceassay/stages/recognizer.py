"""Train a recognizer on real images, synthetic ones, or the union of both."""

from __future__ import annotations

from pathlib import Path

from faceassay.contracts import FaceDataset, FittedRecognizer, Recognizer, Sources, StageContext
from faceassay.unions import Mixture


def run(plugin: Recognizer, sources: Sources, context: StageContext) -> None:
    """Train and write the recognizer."""
    plugin.fit(_training_set(sources), context)


def load(plugin: Recognizer, folder: Path, device: str) -> FittedRecognizer:
    """Open a trained recognizer."""
    return plugin.load(folder, device)


def _training_set(sources: Sources) -> FaceDataset:
    if "synthesis" not in sources:
        return sources.real
    if "real" not in sources:
        return sources.synthesis
    mixture: Mixture = sources.open("mixture")
    return mixture.of(sources.real, sources.synthesis)
