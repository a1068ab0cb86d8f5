"""Tell how far images agree with the identities that their plan asked for, by the recognizer it looked through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.assessment import Assessment
from faceassay.assessment.classes import Numbers
from faceassay.assessment.neighbours import nearest
from faceassay.contracts import FaceassayError, FloatArray, Sources, StageContext
from faceassay.identity import embedded, unit_rows

COLUMN = "identity"
"""The column of a plan that holds the identity each image was conditioned on."""
ANCHORS = "anchors"
"""The array of a search that holds the identities it placed."""
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Agreement:
    """Hold what a row's own recognizer says of its images.

    Attributes:
        cosines: of each image's embedding to the identity asked for, float32 [N].
        anchors: of each anchor to the nearest other one, float32 [M]; empty where there are none.
        searched: the fractions in the search's document, by name.
        asked: sha256 (hex) of the identities asked for, equal where two rows were asked for the same.
    """

    cosines: FloatArray
    anchors: FloatArray
    searched: dict[str, float]
    asked: str

    def class_means(self, labels: np.ndarray, classes: int) -> Numbers:
        """Return the mean cosine of each class, float64 [L], NaN for one without images."""
        counts = np.bincount(labels, minlength=classes)
        sums = np.bincount(labels, self.cosines.astype(np.float64), classes)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Compare where the plan names identities: write ``cosines.npy``, ``anchors.npy`` and ``agreement.json``.

    Raises:
        FaceassayError: when the identities are not as long as the recognizer's embeddings.
    """
    images, recognizer = sources.synthesis, sources.recognizer
    asked = sources.open("plan").plan.columns.get(COLUMN)
    found = sources.search if "search" in sources else {}
    digest = None if asked is None else hashlib.sha256(np.ascontiguousarray(asked).data).hexdigest()
    document = {"asked": digest, "searched": _fractions_in(found)}
    (context.folder / "agreement.json").write_text(json.dumps(document, indent=1))
    if asked is None:
        return
    cosines = np.empty(len(images), np.float32)
    for start in range(0, len(images), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(images)))
        vectors = embedded(recognizer, images, rows)
        identities = unit_rows(np.asarray(asked[rows]), "identity of row")
        if identities.shape != vectors.shape:
            raise FaceassayError(
                f"the plan asks for identities of {identities.shape[1]} numbers, the recognizer's have "
                f"{vectors.shape[1]}: the method looked through another one"
            )
        cosines[rows] = (vectors * identities).sum(1)
        context.progress(int(rows[-1]) + 1, len(images))
    np.save(context.folder / "cosines.npy", cosines)
    np.save(context.folder / "anchors.npy", _apart(found.get(ANCHORS)))


def load(plugin: Assessment, folder: Path, device: str) -> Agreement | None:
    """Open what was compared; None where the plan names no identities."""
    told = json.loads((folder / "agreement.json").read_text())
    if told["asked"] is None:
        return None
    cosines, anchors = (np.load(folder / f"{name}.npy") for name in ("cosines", "anchors"))
    return Agreement(cosines, anchors, told["searched"], told["asked"])


def _apart(anchors: Any) -> FloatArray:
    if anchors is None:
        return np.empty(0, np.float32)
    unit, own = unit_rows(np.asarray(anchors), "anchor"), np.arange(len(anchors))
    return nearest(unit, unit, own, own).cosines


def _fractions_in(found: Mapping[str, Any], within: str = "") -> dict[str, float]:
    """Return the numbers that are no counts, by name, those of a mapping inside as ``NAME: NAME``."""
    numbers: dict[str, float] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            numbers |= _fractions_in(value, f"{within}{name}: ")
        elif isinstance(value, float):
            numbers[f"{within}{name}"] = value
    return numbers
