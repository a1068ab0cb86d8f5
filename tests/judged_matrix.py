"""A matrix of the tiny plugins with a judge, held-out people, attributes and a row that asks for identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tiny_plugins
from faceassay.contracts import (
    Attribute,
    AttributePredictor,
    DataError,
    DataPath,
    DatasetPlugin,
    Search,
    SynthesisPlan,
    parameter,
)
from faceassay.progress import ProgressDisplay
from faceassay.registry import Origin, Registry
from faceassay.serial import SerialExecutor
from faceassay.spec import read_matrix
from tiny_matrix import PLUGINS

MATRIX = """
schema: 1
name: judged
seeds: [0, 1]
threads: 1
data:
  train: {plugin: tiny-faces, prefix: a, people: 5}
  test: {plugin: tiny-faces, prefix: b, seed: 1}
  leaky: {plugin: tiny-faces, prefix: x, people: 5}
  others: {plugin: tiny-faces, prefix: c, seed: 2}
  strangers: {plugin: tiny-faces, prefix: d, seed: 3, people: 17}
  copied: {plugin: tiny-faces, prefix: z, people: 5}
train: train
attributes: [{plugin: brightness}, {plugin: listed}]
recognizer: {plugin: tiny-recognizer}
judge: {plugin: tiny-recognizer, updates: 5, data: others}
held_out: strangers
methods:
  - {name: Real, group: FR_real}
  - {name: Blend + real, group: FR_mix, augmentation: {plugin: tiny-blend}}
  - {name: Blend, group: FR_syn, augmentation: {plugin: tiny-blend}}
  - {name: Asked W=0, group: FR_syn, augmentation: {plugin: asking}}
  - {name: Asked W=1, group: FR_syn, augmentation: {plugin: asking, weight: 1.0}}
  - {name: Copies, group: FR_syn, data: copied}
benchmarks:
  - {name: near, data: test, protocol: {plugin: tiny-protocol}}
  - {name: leak, data: leaky, protocol: {plugin: tiny-protocol}}
"""
"""Data ``leaky`` and ``copied`` have the pixels of the training images and other names."""
SYNTHETIC = ("Blend + real; Blend", "Asked W=0", "Asked W=1")


class Deep(tiny_plugins.TinyRecognizer):
    name = "deep"
    depth: int = parameter(1, description="of the network", ge=1)

    def architecture(self):
        return {"depth": self.depth}


class Brightness(AttributePredictor):
    name = "brightness"
    version = "1"
    summary = "mean grey level"

    def columns(self):
        return (Attribute("brightness", "grey levels", 0, 255),)

    def predict(self, images, item_ids):
        return images.mean(axis=(1, 2, 3), dtype=np.float64)[:, None].astype(np.float32)


class Listed(AttributePredictor):
    """Know the images of the tiny datasets by name, and no others."""

    name = "listed"
    version = "1"
    summary = "read from a list"

    def columns(self):
        return (Attribute("age", "years", 0, 100),)

    def check_items(self, item_ids):
        if not all(item.startswith("item") for item in item_ids):
            raise DataError(f"not in the list: {item_ids[0]}")

    def predict(self, images, item_ids):
        return np.array([[float(item.removeprefix("item"))] for item in item_ids], np.float32)


class Fussy(Brightness):
    """Tell attributes of the real images only, and fail on others."""

    name = "fussy"

    def columns(self):
        return (Attribute("fuss", "grey levels", 0, 255),)

    def predict(self, images, item_ids):
        return super().predict(images, item_ids) if item_ids[0].startswith("item") else None


class Reversed(tiny_plugins.TinyFaces):
    """Give the images of other people in another order: the same pixels, another fingerprint."""

    name = "reversed"

    def open(self):
        faces = super().open()
        faces.pixels = faces.pixels[::-1].copy()
        return faces


class Lost(DatasetPlugin):
    name = "lost"
    version = "1"
    summary = "files that are not there"

    path: DataPath = parameter(description="where they should be")

    def open(self):
        raise DataError("not there")


class Placed(Search):
    name = "placed"
    version = "1"
    summary = "two anchors"

    def needs(self):
        return frozenset({"recognizer"})

    def work(self, identities):
        return 1

    def run(self, sources, run):
        vectors = sources.recognizer.embed(sources.real.images(np.array([0, 6, 12])))
        return {"anchors": vectors, "largest_cosine": 0.25, "rounds": 3}


class Asking(tiny_plugins.TinyBlend):
    """Ask for identities of real images; the weight brings the images nearer to them."""

    name = "asking"
    weight: float = parameter(0.0, description="how much of the image asked for is in it", ge=0)

    def needs(self):
        return frozenset({"recognizer"})

    def search(self):
        return Placed()

    def plan(self, sources, run):
        plan = super().plan(sources, run)
        asked = np.repeat(sources.recognizer.embed(sources.real.images(np.array([0, 6]))), 6, axis=0)
        labels = np.repeat([0, 1], 6)
        return SynthesisPlan(plan.identities, labels, plan.sources, plan.weights, 2, {"identity": asked})

    def render(self, sources, block, noise):
        images = super().render(sources, block, noise).astype(np.float64)
        target = sources.real.images(block.labels * 6)
        return ((images + self.weight * target) / (1 + self.weight)).astype(np.uint8)


def registry():
    """Return the tiny plugins and those of this module as if a distribution had brought them."""
    classes = {(kind, cls.name): cls for kind, cls in PLUGINS.items()}
    mine = (
        ("recognizer", Deep),
        ("dataset", Lost),
        ("dataset", Reversed),
        ("attribute", Fussy),
        ("attribute", Brightness),
        ("attribute", Listed),
        ("augmentation", Asking),
    )
    rim = (("executor", SerialExecutor), ("observer", ProgressDisplay))
    classes |= {(kind, cls.name): cls for kind, cls in (*mine, *rim)}
    return Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))


def read(folder, text=MATRIX) -> Path:
    """Return the matrix written into ``folder`` and read."""
    path = Path(folder) / "matrix.yaml"
    path.write_text(text)
    return read_matrix(path, registry())
