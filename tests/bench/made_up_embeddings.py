"""Embeddings and lists of the sizes of the real benchmarks, made up: unrelated people, images spread around each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 512
IMAGES, TEMPLATES, SUBJECTS, LARGEST_ID = 469_375, 23_124, 3_531, 187_955
PAIRS, GENUINE = 15_658_489, 19_557
PROBES, MATES, DISTRACTORS, TINY_PEOPLE = 3_728, 4_443, 153_428, 2_569
ROWS_AT_A_TIME = 2**14


@dataclass(frozen=True, eq=False)
class Ijbc:
    """Hold a made-up IJB-C: float32 embeddings of both views, the lists as the files give them."""

    embeddings: NDArray[np.float32]
    flipped: NDArray[np.float32]
    template_ids: NDArray[np.int64]
    media_ids: NDArray[np.int64]
    detector_scores: NDArray[np.float64]
    first_ids: NDArray[np.int32]
    second_ids: NDArray[np.int32]
    is_same: NDArray[np.bool_]
    gallery: NDArray[np.int64]
    probes: NDArray[np.int64]


def verification_pairs() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return embeddings of both views of 6,000 pairs, 300 same and 300 different in each of ten folds, and labels."""
    rng = np.random.default_rng(0)
    is_same = np.tile(np.repeat([True, False], 300), 10)
    first, second = rng.standard_normal((2, len(is_same), DIMENSIONS), dtype=np.float32)
    second[is_same] += 0.5 * first[is_same]
    embeddings = np.stack([first, second], axis=1).reshape(-1, DIMENSIONS)
    return embeddings, embeddings + rng.standard_normal(embeddings.shape, dtype=np.float32) / 10, is_same


def ijbc(*, order: str = "file", separated: bool = False) -> Ijbc:
    """Make up IJB-C at its size.

    Args:
        order: of the pairs: ``file``, sorted by first template, or ``shuffled``; or ``any``, of any two templates.
        separated: let all genuine pairs score above all impostors.
    """
    rng = np.random.default_rng(0)
    ids = np.sort(rng.choice(np.arange(1, LARGEST_ID + 1), TEMPLATES, replace=False))
    shuffled = rng.permutation(ids)
    gallery, probes = np.sort(shuffled[:SUBJECTS]), np.sort(shuffled[SUBJECTS:])
    probe_subject = rng.integers(0, SUBJECTS, len(probes))
    subject = np.empty(TEMPLATES, dtype=np.int64)
    subject[np.searchsorted(ids, gallery)] = np.arange(SUBJECTS)
    subject[np.searchsorted(ids, probes)] = probe_subject
    likeness = np.full(TEMPLATES, 1.0) if separated else rng.normal(0.75, 0.3, TEMPLATES)
    template = np.sort(np.append(np.arange(TEMPLATES), rng.integers(0, TEMPLATES, IMAGES - TEMPLATES)))
    embeddings, flipped = _views(rng, subject, likeness, template)
    listed = _any_pairs(rng, ids) if order == "any" else _listed_pairs(rng, gallery, probes, probe_subject)
    if order == "shuffled":
        mixed = rng.permutation(PAIRS)
        listed = tuple(column[mixed] for column in listed)
    return Ijbc(
        embeddings,
        flipped,
        ids[template],
        rng.integers(0, 110_000, 3 * TEMPLATES)[3 * template + rng.integers(0, 3, IMAGES)],
        rng.uniform(0.1, 1, IMAGES),
        *listed,
        np.searchsorted(ids, gallery),
        np.searchsorted(ids, probes),
    )


def tinyface() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return probes, gallery and their identities at the size of TinyFace."""
    rng = np.random.default_rng(0)
    people = rng.standard_normal((TINY_PEOPLE, DIMENSIONS), dtype=np.float32)
    probe_ids = rng.integers(0, TINY_PEOPLE, PROBES)
    gallery_ids = np.append(np.arange(MATES) % TINY_PEOPLE, np.full(DISTRACTORS, -1))
    probes = rng.standard_normal((PROBES, DIMENSIONS), dtype=np.float32)
    probes += 0.5 * people[probe_ids]
    gallery = rng.standard_normal((len(gallery_ids), DIMENSIONS), dtype=np.float32)
    gallery[:MATES] += 0.5 * people[gallery_ids[:MATES]]
    return probes, gallery, probe_ids, gallery_ids


def _views(rng, subject, likeness, template):
    people = rng.standard_normal((SUBJECTS, DIMENSIONS), dtype=np.float32)
    own = rng.standard_normal((TEMPLATES, DIMENSIONS), dtype=np.float32)
    own += likeness[:, None].astype(np.float32) * people[subject]
    embeddings, flipped = np.empty((2, IMAGES, DIMENSIONS), dtype=np.float32)
    for start in range(0, IMAGES, ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        for view in (embeddings, flipped):
            rng.standard_normal(out=view[part], dtype=np.float32)
            view[part] += own[template[part]]
            view[part] *= rng.uniform(0.2, 1, (len(view[part]), 1)).astype(np.float32)
    return embeddings, flipped


def _listed_pairs(rng, gallery, probes, probe_subject):
    """Return unique pairs of a gallery and a probe template: genuine ones, the others drawn from the whole grid."""
    listed = np.zeros((SUBJECTS, len(probes)), dtype=np.bool_)
    share = (PAIRS - GENUINE) / listed.size * 1.002
    for row in listed:
        row[:] = rng.random(len(probes), dtype=np.float32) < share
    listed[probe_subject, np.arange(len(probes))] = False
    drawn = np.flatnonzero(listed)
    listed.reshape(-1)[rng.choice(drawn, len(drawn) - (PAIRS - GENUINE), replace=False)] = False
    listed[probe_subject[:GENUINE], np.arange(GENUINE)] = True
    row, column = np.nonzero(listed)
    return gallery[row].astype(np.int32), probes[column].astype(np.int32), probe_subject[column] == row


def _any_pairs(rng, ids):
    return *(rng.choice(ids, PAIRS).astype(np.int32) for _ in range(2)), np.arange(PAIRS) < GENUINE
