"""Train a generator on the real images."""

from __future__ import annotations

from pathlib import Path

from faceassay.contracts import FittedGenerator, Generator, Sources, StageContext


def run(plugin: Generator, sources: Sources, context: StageContext) -> None:
    """Train and write the generator."""
    plugin.fit(sources, context)


def load(plugin: Generator, folder: Path, device: str) -> FittedGenerator:
    """Open a trained generator."""
    return plugin.load(folder, device)
