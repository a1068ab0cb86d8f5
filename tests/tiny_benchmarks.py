"""A benchmark with a file of its own, and recognizers and embeddings in memory: what `faceassay.assay` needs, in NumPy.

The file is an ``.npz`` of uint8 ``pixels`` [N, S, S, 3] and int64 ``labels`` [N].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceassay.contracts import (
    DataError,
    DataPath,
    Evaluation,
    EvaluationProtocol,
    Features,
    Interval,
    PackReader,
    parameter,
)
from faceassay.fingerprints import path_fingerprint
from fakes import ArrayDataset, WholePack, toy_faces

METRICS = ("size:1/one/plain", "size:1/two/plain")


def write_pack(path, seed=0, people=4):
    """Write the file of a pack and return its path."""
    faces = toy_faces(people, 6, 16, seed)
    np.savez(path, pixels=faces.pixels, labels=faces.labels)
    return path


class TinyFiles(PackReader):
    name = "tiny-files"
    version = "1"
    summary = "all images of a file"

    path: DataPath = parameter(description="the file")
    every: int = parameter(1, description="images that are taken", ge=1)

    def open(self, data):
        with np.load(self.path) as file:
            faces = ArrayDataset(file["pixels"][:: self.every], file["labels"][:: self.every], ("s1", "s2"))
        sha256 = path_fingerprint(self.path)
        return OwnPack(faces, {"sha256": sha256}, ("it is small",), sha256)


@dataclass
class OwnPack(WholePack):
    content: str = ""

    @property
    def fingerprint(self):
        return self.content


class TinySize(EvaluationProtocol):
    name = "tiny-size"
    version = "1"
    summary = "mean absolute embedding"

    path: DataPath = parameter(description="the file")
    more: DataPath | None = parameter(None, description="another file, which nobody reads")
    every: int = parameter(1, description="images that are taken", ge=1)
    mode: str = parameter("right", description="what becomes of the evaluation")

    def metric_ids(self):
        return METRICS

    def reader(self):
        return TinyFiles(path=self.path, every=self.every)

    def evaluate(self, pack, features):
        value = float(np.abs(features.embeddings).mean())
        if self.mode == "refuse":
            raise DataError("image item3: it is NaN")
        interval = Interval(value, np.nan if self.mode == "no limit" else value, "images", "by hand")
        return Evaluation(
            dict.fromkeys(METRICS, value),
            {},
            notes={"spread": np.inf if self.mode == "no fact" else 1.0},
            intervals={METRICS[0]: [interval]},
            cautions={METRICS[1]: "it is a toy"},
            warnings=["it was a toy"],
        )


class TinyConventions(TinySize):
    name = "tiny-conventions"

    conventions: tuple[str, ...] = parameter(("one",), description="whose")


@dataclass(frozen=True)
class Scale:
    """A recognizer whose embedding is the mean colour times ``factor``; ``images`` are counted in ``seen``."""

    factor: float
    image_size: int
    seen: list[int]

    def embed(self, images):
        self.seen.append(len(images))
        return (self.factor * images.mean(axis=(1, 2)) / 255).astype(np.float32)

    def class_centres(self):
        return None


@dataclass(frozen=True)
class GivenScale:
    """Name such a recognizer as an input; it cannot be opened where ``fault`` says why."""

    factor: float = 1.0
    fault: str = ""
    image_size: int = 16
    seen: list[int] = field(default_factory=list, compare=False)
    name: str = "scale"
    absent: str = ""

    @property
    def fingerprint(self) -> str:
        return f"{self.factor:064}"

    @property
    def document(self) -> dict[str, Any]:
        return {"brought": {"kind": "scale", "fingerprint": self.fingerprint}}

    def open(self, device="cpu", threads=1):
        if self.fault:
            raise DataError(self.fault)
        return Scale(self.factor, self.image_size, self.seen)


@dataclass(frozen=True)
class GivenFeatures:
    """Name ready embeddings as an input."""

    value: float
    name: str = "ready.npy"
    fingerprint: str = "0" * 64
    absent: str = ""

    @property
    def document(self) -> dict[str, Any]:
        return {"brought": {"kind": "embeddings", "value": self.value}}

    def open(self, device="cpu", threads=1):
        return Features(np.full((24, 3), self.value, np.float32), None)
