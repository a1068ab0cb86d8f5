"""Small stand-ins shared by the tests: a dataset in memory, a stage context in a temporary folder."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from faceassay.checkpoints import FolderCheckpoints
from faceassay.contracts import PairSample, Sources, StageContext


@dataclass
class ArrayDataset:
    """A FaceDataset over arrays: pixels uint8 [N, S, S, 3], labels int64 [N]."""

    pixels: np.ndarray
    labels: np.ndarray
    identities: tuple[str, ...]
    item_ids: tuple[str, ...] = ()

    def __post_init__(self):
        self.item_ids = self.item_ids or tuple(f"item{i}" for i in range(len(self.labels)))

    def __len__(self):
        return len(self.labels)

    @property
    def image_size(self):
        return self.pixels.shape[1]

    @property
    def fingerprint(self):
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()

    def images(self, index):
        return self.pixels[np.asarray(index)]

    def encoded(self, i):
        stream = io.BytesIO()
        Image.fromarray(self.pixels[i]).save(stream, "PNG")
        return stream.getvalue()


def toy_faces(identities=4, per_identity=6, size=16, seed=0, noise=12.0):
    """Return a dataset in which each identity is a smooth random pattern seen with a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(30, 225, (identities, 4, 4, 3))
    patterns = coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    labels = np.repeat(np.arange(identities), per_identity)
    pixels = patterns[labels] + rng.normal(0, noise, (len(labels), size, size, 3))
    names = tuple(f"s{i + 1}" for i in range(identities))
    return ArrayDataset(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), names)


@dataclass
class WholePack:
    """A pack of all images of a dataset; its pairs are neighbours."""

    source: ArrayDataset
    notes: dict = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self):
        return len(self.source)

    @property
    def image_size(self):
        return self.source.image_size

    @property
    def fingerprint(self):
        return self.source.fingerprint

    def images(self, index):
        return self.source.images(index)

    @property
    def names(self):
        return self.source.item_ids

    @property
    def people(self):
        return self.source.identities

    def sample_pairs(self, count):
        first = np.arange(len(self) - 1)[:count]
        return PairSample(first, first + 1, self.source.labels[first] == self.source.labels[first + 1])


@dataclass
class Log:
    """Collect what a stage reports."""

    lines: list = field(default_factory=list)
    progress: list = field(default_factory=list)
    evaluations: int = 0
    passes: Counter = field(default_factory=Counter)

    def count(self, n):
        self.evaluations += n


def stage_context(folder: Path, seed=7, threads=1, interval=1e9, log: Log | None = None) -> StageContext:
    """Return a context that writes into ``folder``/work and keeps checkpoints beside it."""
    log = log or Log()
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    return StageContext(
        folder=work,
        scratch=folder,
        seed=seed,
        threads=threads,
        checkpoints=FolderCheckpoints(folder / "checkpoints", interval),
        progress=lambda done, total: log.progress.append((done, total)),
        log=log.lines.append,
        count_evaluations=log.count,
        count_passes=log.passes.update,
    )


def sources(**inputs) -> Sources:
    """Return sources that hold ready objects."""
    return Sources({name: (lambda value=value: value) for name, value in inputs.items()})
