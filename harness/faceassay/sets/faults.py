"""Own the search for all that is wrong with a set of images: what cannot be decoded, who is alone, what is double."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from faceassay.contracts import FaceassayError, FaceDataset, IntArray
from faceassay.datasets import damaged_images
from faceassay.sets.contents import across, repeated

Fault = tuple[str, str]
"""What is wrong, in words that count (``damaged images``), and where."""


def faults(data: FaceDataset, advance: Callable[[int], None]) -> Iterator[Fault]:
    """Yield everything that is wrong with ``data``; every image is decoded.

    ``advance`` is told how many more images were looked at: twice the number of images in all.
    """
    yield from _wrong_labels(data)
    yield from (("damaged images", said) for said in damaged_images(data, advance))
    yield from _duplicates(data, advance)


def _wrong_labels(data: FaceDataset) -> Iterator[Fault]:
    labels, people = np.asarray(data.labels), len(data.identities)
    outside = np.flatnonzero((labels < 0) | (labels >= people))
    for row in outside.tolist():
        yield "labels of no identity", f"{data.item_ids[row]}: {labels[row]} of {people} identities"
    counts = np.bincount(np.delete(labels, outside), minlength=people)
    for label in np.flatnonzero(counts == 0).tolist():
        yield "identities without an image", data.identities[label]
    for label in np.flatnonzero(counts == 1).tolist():
        yield "identities with a single image", data.identities[label]
    for text in _twice(data.identities):
        yield "names of two identities", text
    for text in _twice(data.item_ids):
        yield "names of two images", text


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)


def _duplicates(data: FaceDataset, advance: Callable[[int], None]) -> Iterator[Fault]:
    digests, rows = [], []
    for row in range(len(data)):
        advance(1)
        try:
            digests.append(hashlib.sha256(data.encoded(row)).digest())
        except FaceassayError:  # told by the decoding already
            continue
        rows.append(row)
    several, single = across(repeated(digests, np.array(rows, dtype=np.int64)), np.asarray(data.labels))
    yield from (("images of two or more identities", _named(data, group)) for group in several)
    yield from (("images that one identity has twice", _named(data, group)) for group in single)


def _named(data: FaceDataset, group: IntArray) -> str:
    return " = ".join(f"{data.item_ids[row]} ({_who(data, int(data.labels[row]))})" for row in group.tolist())


def _who(data: FaceDataset, label: int) -> str:
    return data.identities[label] if 0 <= label < len(data.identities) else f"label {label}"
