"""Own which images may choose the checkpoints of recognizers, and why some are refused. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from faceassay.contracts import ChoosingRecognizer, FaceassayError, Recognizer
from faceassay.given import DataInput, PackInput
from faceassay.people import named, same_images, shared_people
from faceassay.spec import MatrixSpec
from faceassay.spec.yaml import Place, Problem

NEEDED = 2
"""People with so many images each that a validation set has at least."""


def validating_problems(
    matrix: MatrixSpec, data: Mapping[str, DataInput], packs: Mapping[str, PackInput]
) -> list[Problem]:
    """Return why the validation set of a matrix, where it names one, may not choose checkpoints, or what cannot."""
    entry = matrix.spec.validation
    if entry is None:
        return []
    source, place = data[entry.data], matrix.located.place(("validation", "data"))
    texts = [*_tested(matrix, source, data, packs), *_trained(matrix, source, data), *_unfit(matrix, source, data)]
    return [Problem(place, f"validation: {text}") for text in texts] + list(_without_choice(matrix))


def _tested(
    matrix: MatrixSpec, source: DataInput, data: Mapping[str, DataInput], packs: Mapping[str, PackInput]
) -> Iterator[str]:
    """Yield which benchmarks would be chosen on."""
    for benchmark in matrix.benchmarks:
        tested = data[benchmark.data] if benchmark.data else packs.get(benchmark.name)
        if tested is None:
            continue
        if isinstance(tested, DataInput) and same_images(source, tested):
            what = f"data {source.name!r} is what benchmark {benchmark.name!r} tests"
        elif shared := shared_people(source, tested).names:
            of = f"{len(shared)} identities ({named(shared)})"
            what = f"data {source.name!r} shares {of} with benchmark {benchmark.name!r}"
        else:
            continue
        yield f"{what}: a checkpoint chosen on them flatters the row; name people that no benchmark tests"


def _trained(matrix: MatrixSpec, source: DataInput, data: Mapping[str, DataInput]) -> Iterator[str]:
    """Yield which people are trained on."""
    for name in matrix.trained_on:
        shared = shared_people(data[name], source).names
        if same_images(source, data[name]) or shared:
            of = f"{len(shared)} identities ({named(shared)})" if shared else "all images"
            remedy = f"name other people, or give people who are not those of data {name!r} other names"
            yield f"data {source.name!r} shares {of} with data {name!r}, which is trained on: {remedy}"


def _unfit(matrix: MatrixSpec, source: DataInput, data: Mapping[str, DataInput]) -> Iterator[str]:
    """Yield what the images lack."""
    size = data[matrix.spec.train].image_size
    if source.image_size != size:
        yield f"data {source.name!r} has images of {source.image_size} px, the training images {size} px: give both one"
    if source.absent:
        return
    try:
        found = int((np.bincount(source.open().labels) >= NEEDED).sum())
    except FaceassayError as error:
        yield str(error)
        return
    if found < NEEDED:
        people = f"people with {NEEDED} images or more"
        yield f"data {source.name!r} has too few {people} ({found}): name a set with {NEEDED} such people at least"


def _without_choice(matrix: MatrixSpec) -> Iterator[Problem]:
    """Yield the recognizers that keep their last state whatever is measured."""
    for place, plugin in _recognizers(matrix):
        if not isinstance(plugin, ChoosingRecognizer):
            remedy = "take 'validation' out of the spec, or name a recognizer that chooses its checkpoint"
            yield Problem(place, f"{plugin.name} keeps its last checkpoint and cannot choose one: {remedy}")


def _recognizers(matrix: MatrixSpec) -> Iterator[tuple[Place, Recognizer]]:
    yield matrix.located.place(("recognizer",)), matrix.recognizer
    for i, method in enumerate(matrix.methods):
        if method.entry.recognizer:
            yield matrix.located.place(("methods", i, "recognizer")), method.recognizer
