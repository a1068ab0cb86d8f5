"""Figures drawn from fakes; only those that are compared in bytes are saved."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceassay.seeds import noise_keys
from faceassay.stages import figure
from fakes import ArrayDataset, sources, stage_context, toy_faces
from gaussians import SIZE


@dataclass
class Drawn:
    """A figure in memory, and the folder of what lies beside it."""

    folder: Path
    drawing: Any

    @property
    def text(self):
        """Everything that is written in it."""
        from matplotlib.text import Text

        return " ".join(" ".join(text.get_text() for text in self.drawing.findobj(Text)).split())


@pytest.fixture
def contexts(tmp_path):
    """Return what makes contexts, each in a folder of its own."""
    numbers = itertools.count()
    return lambda: stage_context(tmp_path / f"drawing{next(numbers)}")


@pytest.fixture
def draw(contexts):
    """Return what draws a figure."""

    def drawn(plugin, **inputs):
        context = contexts()
        return Drawn(context.folder, plugin.draw(sources(**inputs), context))

    return drawn


@pytest.fixture
def saved(contexts):
    """Return what draws and saves a figure, as the bytes of its files by name."""

    def files(plugin, **inputs):
        context = contexts()
        figure.run(plugin, sources(**inputs), context)
        found = [path for path in context.folder.rglob("*") if path.is_file()]
        return {path.relative_to(context.folder).as_posix(): path.read_bytes() for path in found}

    return files


@pytest.fixture
def real():
    return toy_faces(identities=4, per_identity=3, size=SIZE)


@pytest.fixture
def synthesis():
    """Return 12 random images."""
    pixels = np.random.default_rng(4).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    return ArrayDataset(pixels, np.zeros(12, np.int64), ("new",))


@pytest.fixture
def noise():
    """Return the keys of its noise."""
    return noise_keys(3, 0, 12)
