"""Own the contract of evaluation protocols: which images to embed, and what the embeddings are worth."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts.faces import FaceDataset, FaceImages, FloatArray
from faceassay.contracts.plugin import Plugin

METRIC_ID = re.compile(r"[A-Za-z0-9_\-.:/]+")
"""The characters of a metric identity; MLflow refuses the rest."""


@dataclass(frozen=True)
class Features:
    """Hold the raw embeddings of a benchmark's images.

    Attributes:
        embeddings: float32 [N, d], not normalised.
        flipped: the same for the horizontally mirrored images; the protocol decides how to combine them.
    """

    embeddings: FloatArray
    flipped: FloatArray


@dataclass(frozen=True)
class Curve:
    """Hold a curve to plot: ``x`` and ``y`` float64 [K] with their axis names."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_label: str
    y_label: str
    log_x: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Hold the numbers of one protocol and the scores behind them.

    Attributes:
        metrics: metric identity -> value as a fraction 0 to 1 unless the identity says otherwise.
        scores: named arrays kept with the evaluation, so that new statistics need no rerun.
        curves: named curves for the report.
        notes: named facts about the benchmark (counts, what a fold is).
    """

    metrics: Mapping[str, float]
    scores: Mapping[str, NDArray[np.generic]]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    notes: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for metric in self.metrics:
            if not METRIC_ID.fullmatch(metric):
                raise ValueError(f"metric identity {metric!r}: only letters, digits and _ - . : / are allowed")


class EvaluationProtocol(Plugin):
    """Define an evaluation. With its data it is a benchmark: a column group of the table."""

    @abstractmethod
    def metric_ids(self) -> tuple[str, ...]:
        """Return the identities of the metrics, in column order; each carries its definition."""

    @abstractmethod
    def images(self, data: FaceDataset) -> FaceImages:
        """Return the images to embed, built from the benchmark's ``data``; cheap, decodes nothing.

        Raises:
            DataError: when the data cannot carry the protocol (a fold of one class, too few identities).
        """

    @abstractmethod
    def evaluate(self, data: FaceDataset, features: Features) -> Evaluation:
        """Compute every metric from the embeddings of ``images(data)``, rows in the same order."""
