"""Two small matrices that have run, once per process: real plugins on toy images, no generator.

One has two seeds and tests on data. The other has one seed, a pack of its own that is not what its name says and lies
under a hostile name, and a protocol without replicates.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from faceassay.cli import main
from faceassay.cli.matrix import expanded
from faceassay.results import collect
from faceassay.store import Store
from fakes import toy_faces
from miniatures.bins import alternating, photographs, write_bin

SCRIPT = "<script>alert(1)"
IMAGE = '"><img src=x onerror=alert(1)>'
NOTE = "made <b>up</b> | not <script>alert(2)</script> real"
MATRIX = f"""
schema: 1
name: toy
title: "Toy <i>faces</i> | nobody"
notes: [{NOTE!r}]
base_seed: 5
seeds: [0, 7]
threads: 1
data:
  train: {{plugin: folder, path: train, image_size: 16}}
  test: {{plugin: folder, path: test, image_size: 16}}
train: train
recognizer:
  plugin: iresnet
  depth: [1, 1, 1, 1]
  width: 4
  image_size: 16
  embedding: 8
  updates: 3
  batch_size: 8
methods:
  - {{name: Real, group: FR_real}}
  - name: Blend + real
    group: FR_mix
    aux: "none | <u>at all</u>"
    augmentation: &blend {{plugin: blend, pairs: 3, images_per_pair: 5}}
    note: "the <em>control</em>"
  - {{name: "Blend, alone", group: FR_syn, augmentation: *blend}}
benchmarks:
  - {{name: pairs, data: test, protocol: {{plugin: pair-verification, folds: 2}}}}
  - {{name: lowres, data: test, protocol: {{plugin: lowres-identification, probe_size: 6}}}}
profiles:
  longer: {{recognizer: {{updates: 4}}}}
"""
PACK = 'lfw [x](http:) <b>| "><script>alert(3).bin'
PACKED = f"""
schema: 1
name: packed
seeds: [3]
threads: 1
data:
  train: {{plugin: folder, path: train, image_size: 16}}
  test: {{plugin: folder, path: test, image_size: 16}}
train: train
recognizer: {{plugin: iresnet, depth: [1, 1, 1, 1], width: 4, image_size: 16, embedding: 8, updates: 2, batch_size: 8}}
methods:
  - {{name: Real, group: FR_real}}
benchmarks:
  - {{name: pack, protocol: {{plugin: lfw, path: {PACK!r}, image_size: 16, fprs: [0.001], replicates: 50}}}}
  - {{name: bare, data: test, protocol: {{plugin: pair-verification, folds: 2, replicates: 0}}}}
"""
METHODS = ("Real", "Blend + real", "Blend, alone")
SEEDS = (0, 7)
COLUMNS = (
    ("pairs", "accuracy:2fold/grid-0.01/flip-sum"),
    ("pairs", "tar_at_fpr:1e-2/nearest_exact/flip-sum"),
    ("pairs", "auc/flip-sum"),
    ("lowres", "rank:1/cosine/flip-sum"),
    ("lowres", "rank:5/cosine/flip-sum"),
)


@dataclass(frozen=True)
class Finished:
    """A matrix file, the store that its run filled, and the report that the run wrote."""

    folder: Path

    @property
    def matrix(self):
        return self.folder / "matrix.yaml"

    @property
    def store(self):
        return self.folder / "store"

    @property
    def out(self):
        return self.folder / "out"

    @cached_property
    def expanded(self):
        return expanded(self.matrix, None)[1:]

    @property
    def graph(self):
        return self.expanded[1]

    def results(self, store=None):
        return collect(*self.expanded, Store.open(store or self.store))

    def copy_of_store(self, folder):
        return Path(shutil.copytree(self.store, folder))

    def stage(self, title):
        return next(stage for stage in self.graph.stages.values() if stage.title == title)


def finished_matrix(tmp_path_factory):
    """Return the one finished matrix of this process; tests change copies of its store."""
    return _finished(tmp_path_factory.getbasetemp() / "finished", MATRIX)


def finished_packed(tmp_path_factory):
    """Return the one finished matrix of this process that has one seed and a pack of its own."""
    return _finished(tmp_path_factory.getbasetemp() / "packed", PACKED)


@lru_cache
def _finished(folder, text):
    folder.mkdir()
    (folder / "matrix.yaml").write_text(text)
    write_bin(folder / PACK, photographs(80), alternating(40))
    write_people(folder / "train", [SCRIPT, IMAGE, "ada", "bo"], seed=0)
    write_people(folder / "test", ["cy", "dee", "eve", "fay", "gus", "hal"], seed=1)
    found = Finished(folder)
    ran = command("run", found.matrix, "--store", found.store, "--out", found.out, "--no-mlflow", "--quiet")
    assert ran.exit_code == 0, ran.output
    return found


def write_people(folder, names, seed):
    """Write six toy images of each name as PNG files."""
    faces = toy_faces(len(names), 6, 16, seed, noise=70)
    for row, (label, pixels) in enumerate(zip(faces.labels, faces.pixels, strict=True)):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{row}.png")


def command(*words):
    """Run ``faceassay WORDS`` in this process."""
    return CliRunner().invoke(main, list(map(str, words)))


def forget(stage, store):
    """Remove the artifact of ``stage`` from the store at ``store``."""
    shutil.rmtree(Store.open(store).folder(stage.kind, stage.digest))


def break_stage(stage, store, reason):
    """Leave the store as if ``stage`` had failed for ``reason``."""
    forget(stage, store)
    Store.open(store).fail(stage.digest, {"title": stage.title, "kind": stage.kind, "reason": reason})
