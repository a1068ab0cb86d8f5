"""Try other colour orders and scalings on a brought recognizer: a wrong one costs points and raises no error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.brought.network import NetworkRecognizer
from faceassay.brought.preprocessing import Alternative, alternatives
from faceassay.brought.separation import Scores, Separation, clearly_better, cosines, separation
from faceassay.contracts import FaceassayError, Pack, PackReader, PairSample, Sources, StageContext

PAIRS = 200
"""Pairs tried at most."""
BATCH = 64
"""Images embedded together."""


@dataclass(frozen=True, eq=False)
class _Tried:
    """An alternative with its scores of the sampled pairs."""

    alternative: Alternative
    scores: Scores
    separation: Separation


def run(plugin: PackReader, sources: Sources, context: StageContext) -> None:
    """Score a sample of the benchmark's pairs under each preprocessing and write ``preprocessing.json``.

    It holds ``pairs``, their number; ``stated`` and ``alternatives``, each a preprocessing with its AUC and d'; and
    ``suspicions``, a sentence for each aspect in which an alternative is clearly better.

    Raises:
        FaceassayError: when the recognizer is none whose preprocessing a user states.
        DataError: when the sample lacks same or different pairs.
    """
    recognizer, pack = sources.recognizer, sources.open("benchmark")
    if not isinstance(recognizer, NetworkRecognizer):
        raise FaceassayError("only ONNX and TorchScript networks have a stated preprocessing that can be checked")
    sample, others = pack.sample_pairs(PAIRS), alternatives(recognizer.preprocessing)
    variants = [recognizer, *(recognizer.variant(other.preprocessing) for other in others)]
    stated, *scores = _scores(variants, pack, sample, context)
    tried = [_Tried(other, its, separation(its, sample.is_same)) for other, its in zip(others, scores, strict=True)]
    before = separation(stated, sample.is_same)
    rng = np.random.default_rng(context.seed)
    better = [one for one in tried if clearly_better(stated, one.scores, sample.is_same, rng)]
    document = {
        "pairs": len(sample.is_same),
        "stated": recognizer.preprocessing.document | asdict(before),
        "alternatives": [one.alternative.preprocessing.document | asdict(one.separation) for one in tried],
        "suspicions": _suspicions(better, before, len(sample.is_same)),
    }
    (context.folder / "preprocessing.json").write_text(json.dumps(document, indent=1))


def load(plugin: PackReader, folder: Path, device: str) -> dict[str, Any]:
    """Open the measures and suspicions."""
    document: dict[str, Any] = json.loads((folder / "preprocessing.json").read_text())
    return document


def _scores(
    variants: Sequence[NetworkRecognizer], pack: Pack, sample: PairSample, context: StageContext
) -> list[Scores]:
    """Return the cosine of each sampled pair under each variant; every image is read once."""
    rows, place = np.unique(np.concatenate([sample.first, sample.second]), return_inverse=True)
    first, second = np.split(place, 2)
    embedded: list[list[NDArray[np.floating]]] = [[] for _ in variants]
    for start in range(0, len(rows), BATCH):
        images = pack.images(rows[start : start + BATCH])
        for variant, parts in zip(variants, embedded, strict=True):
            parts.append(variant.embed(images))
        context.count_evaluations(len(images) * len(variants))
        context.progress(start + len(images), len(rows))
    whole = [np.concatenate(parts) for parts in embedded]
    return [cosines(embeddings[first], embeddings[second]) for embeddings in whole]


def _suspicions(better: Sequence[_Tried], before: Separation, pairs: int) -> list[str]:
    """Return one sentence for each aspect: on the alternative that separates best."""
    best: dict[str, _Tried] = {}
    for one in sorted(better, key=lambda one: (one.separation.auc, one.separation.d_prime)):
        best[one.alternative.aspect] = one
    return [_suspicion(one, before, pairs) for one in best.values()]


def _suspicion(one: _Tried, before: Separation, pairs: int) -> str:
    after, alternative = one.separation, one.alternative
    return (
        f"{alternative.aspect}: with {alternative.wording} the same and different pairs separate better "
        f"(AUC {after.auc:.3f} against {before.auc:.3f}, d' {after.d_prime:.2f} against {before.d_prime:.2f}, "
        f"on {pairs} pairs): is the model's input really {alternative.stated}?"
    )
