"""Small runnable matrices of the bundled plugins: their text, their images, and where in a text something stands."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from fakes import toy_faces

SIZE = 16

MATRIX = """\
schema: 1
name: tiny
seeds: [0]
threads: 1
data:
  train: {plugin: folder, path: train, image_size: 16}
  test: {plugin: folder, path: test, image_size: 16}
train: train
generator:
  plugin: edm2
  channels: 8
  channel_multipliers: [1, 1]
  blocks: 1
  attention_resolutions: [8]
  images: 16
  batch_size: 8
  learning_rate: 0.01
recognizer:
  plugin: iresnet
  depth: [1, 1, 1, 1]
  width: 4
  embedding: 16
  image_size: 16
  updates: 2
  batch_size: 8
methods:
  - name: Real
    group: FR_real
  - name: Blend + real
    group: FR_mix
    augmentation: {plugin: blend, pairs: 3, images_per_pair: 2}
  - name: ScoreMix
    group: FR_syn
    augmentation: {plugin: scoremix, pairs: 3, images_per_pair: 2, steps: 2}
benchmarks:
  - name: pairs
    data: test
    protocol: {plugin: pair-verification, folds: 2}
"""
"""Every kind of stage, in about a second once torch is imported."""


def changed(*changes: tuple[str, str], text: str = MATRIX) -> str:
    """Return ``text`` after replacements, each of which must find its fragment exactly once."""
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} occurs {text.count(old)} times")
        text = text.replace(old, new)
    return text


def position(text: str, fragment: str, occurrence: int = 1) -> tuple[int, int]:
    """Return line and column, counted from 1, of a fragment of ``text``."""
    start = -1
    for _ in range(occurrence):
        start = text.index(fragment, start + 1)
    before = text[:start]
    return before.count("\n") + 1, start - before.rfind("\n")


def write_faces(folder: Path, identities: int = 12, per_identity: int = 3, training: int = 6) -> None:
    """Write s1, s2, ... into ``folder``/train and the rest into ``folder``/test: smooth random patterns as PNG."""
    faces = toy_faces(identities, per_identity, SIZE)
    for i, (pixels, label) in enumerate(zip(faces.pixels, faces.labels, strict=True)):
        part = folder / ("train" if label < training else "test") / faces.identities[label]
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(part / f"{i % per_identity}.png")
