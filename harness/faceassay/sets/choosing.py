"""Own the rules by which a part of a training set is chosen. How the choice is kept is known to ``subset``.

A choice depends on names of identities, contents of images and the seed, never on the order in which a set is stored,
the form it is stored in, or how images are called there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from faceassay.contracts import DataError, FaceDataset, IntArray
from faceassay.datasets import identity_range, require_known

_Ranked = tuple[bytes, int]
"""An image: where it stands in the draw, and its row."""


@dataclass(frozen=True)
class Rule:
    """Say which identities and images are chosen.

    1. Eligible are the identities in ``identities`` that have at least ``low`` images.
    2. Of these, ``count`` are drawn: the first in the order of sha256(seed, "identity", name).
    3. The images of an identity are ranked by sha256(seed, "image", name, sha256 of the stored bytes). The first
       ``low`` are kept; those ranked behind ``high`` are not.
    4. Of all images ranked from ``low`` + 1 to ``high``, all are kept, or, where ``images`` says a total, those that
       come first in the order of the same sha256, so many that the total is exact.

    So images are drawn at one rate from everybody, but no fewer than ``low`` and no more than ``high`` of each.

    Attributes:
        low, high: fewest and most images of an identity; no limit where ``high`` is None.
        count: number of identities, None for all that are eligible.
        images: number of images in all, None where it may come out as it does.
        seed: another seed, another draw.
        identities: ``FIRST..LAST`` in the order of the set, names, or None for all.
    """

    low: int = 1
    high: int | None = None
    count: int | None = None
    images: int | None = None
    seed: int = 0
    identities: str | tuple[str, ...] | None = None


NAMED_RULES: Mapping[str, Rule] = {"webface160k": Rule(low=11, high=24, count=10_000, images=160_000)}
"""``webface160k``: the size of the subset of WebFace4M that AugGen and ScoreMix train on (ScoreMix, section 4.1).

About 10,000 identities of 11 to 24 images, 160K images in all. Its list was not published, nor how it was drawn: this
rule is ours, and its images are others than the papers'. It needs 10,000 identities of 11 images or more which have 16
on average when more than 24 of one count as 24.
"""


def choose(data: FaceDataset, rule: Rule, advance: Callable[[int], None]) -> dict[str, tuple[str, ...]]:
    """Return the item ids of the chosen images of each chosen identity, in the order of ``data``.

    Images are read where the rule leaves some of an identity out; ``advance`` is told how many more were.

    Raises:
        DataError: when the set does not hold enough identities or images for the rule, or an image cannot be read.
    """
    sure: list[int] = []
    spare: list[_Ranked] = []
    for label, rows in _drawn(data, rule):
        if _keeps_all(len(rows), rule):
            sure += rows
            continue
        ranked = sorted((_image_hash(data, label, row, rule.seed), row) for row in rows)
        advance(len(rows))
        sure += [row for _, row in ranked[: rule.low]]
        spare += ranked[rule.low : rule.high]
    kept = sorted([*sure, *(row for _, row in sorted(spare)[: _to_add(rule, len(sure), len(spare))])])
    items: dict[str, list[str]] = {}
    for row in kept:
        items.setdefault(data.identities[data.labels[row]], []).append(data.item_ids[row])
    return {name: tuple(own) for name, own in items.items()}


def _drawn(data: FaceDataset, rule: Rule) -> list[tuple[int, list[int]]]:
    """Return the drawn identities with the rows of their images."""
    pool = _pool(data, rule.identities)
    counts = np.bincount(data.labels, minlength=len(data.identities))
    eligible = pool[counts[pool] >= max(rule.low, 1)].tolist()
    if len(eligible) < (rule.count or 1):
        raise DataError(
            f"{len(eligible):,} of {len(pool):,} identities have at least {rule.low} images, fewer than the "
            f"{rule.count or 1:,} to draw: choose fewer identities, or fewer images of each"
        )
    ordered = sorted(eligible, key=lambda label: _hash(rule.seed, "identity", data.identities[label]))
    order = np.argsort(data.labels, kind="stable")
    ends = np.cumsum(counts)
    return [(label, order[ends[label] - counts[label] : ends[label]].tolist()) for label in ordered[: rule.count]]


def _pool(data: FaceDataset, said: str | tuple[str, ...] | None) -> IntArray:
    if said is None:
        return np.arange(len(data.identities), dtype=np.int64)
    names = set(identity_range(data.identities, said) if isinstance(said, str) else said)
    require_known(data.identities, names)
    return np.array([label for label, name in enumerate(data.identities) if name in names], dtype=np.int64)


def _keeps_all(images: int, rule: Rule) -> bool:
    return images <= rule.low or (rule.images is None and (rule.high is None or images <= rule.high))


def _to_add(rule: Rule, sure: int, spare: int) -> int:
    """Return how many of the ``spare`` images are kept beside those that are ``sure``."""
    if rule.images is None:
        return spare
    if not sure <= rule.images <= sure + spare:
        raise DataError(
            f"the drawn identities give {sure:,} to {sure + spare:,} images, the rule wants {rule.images:,}: "
            "change the number of identities, or of images of each"
        )
    return rule.images - sure


def _image_hash(data: FaceDataset, label: int, row: int, seed: int) -> bytes:
    content = hashlib.sha256(data.encoded(row)).hexdigest()
    return _hash(seed, "image", data.identities[label], content)


def _hash(*parts: int | str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
