"""Own the contract of evaluation: packs of images with a structure, protocols that score them, their intervals."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts.faces import FaceDataset, FaceImages, FloatArray, IntArray
from faceassay.contracts.plugin import Plugin

METRIC_ID = re.compile(r"[A-Za-z0-9_\-.:/]+")
"""The characters of a metric identity; MLflow refuses the rest."""

Fact = str | int | float


@dataclass(frozen=True)
class Features:
    """Hold the raw embeddings of a pack's images.

    Attributes:
        embeddings: float32 [N, d], not normalised; may be memory-mapped.
        flipped: the same for the horizontally mirrored images, which the protocol may combine with them; None where
            nobody computed them.
    """

    embeddings: FloatArray
    flipped: FloatArray | None


@dataclass(frozen=True, eq=False)
class PairSample:
    """Hold some labelled pairs of a pack's images: rows ``first`` and ``second``, int64 [K], ``is_same`` bool [K]."""

    first: IntArray
    second: IntArray
    is_same: NDArray[np.bool_]


@runtime_checkable
class Pack(FaceImages, Protocol):
    """Give the images of a benchmark together with what its protocol needs to score them.

    The structure itself (pairs, templates, probes and gallery) is the pack's own: a protocol knows the packs of its
    reader.
    """

    @property
    def names(self) -> Sequence[str]:
        """Name of each of the N images, unique: a path relative to the pack, or an index in it."""

    @property
    def people(self) -> Sequence[str]:
        """Names of the identities, empty where the pack carries none."""

    @property
    def notes(self) -> Mapping[str, Fact]:
        """Facts for the result: counts, and under ``sha256`` the hash of what was read."""

    @property
    def warnings(self) -> Sequence[str]:
        """What deviates from the pack that the field knows, one sentence each."""

    def sample_pairs(self, count: int) -> PairSample:
        """Return at most ``count`` pairs, half of them same, spread over the pack; always the same ones."""


class PackReader(Plugin):
    """Open the pack of a benchmark. What a recognizer is shown depends on it alone, and so do the features' keys."""

    needs_data: ClassVar[bool] = False
    """Whether the pack is made from a dataset that the spec names, instead of from files of its own."""

    @abstractmethod
    def open(self, data: FaceDataset | None) -> Pack:
        """Open the pack and check it; cheap, decodes no image set. Opened again it is the same, fingerprint included.

        Raises:
            DataError: when files are missing or corrupt, or contradict one another, or ``data`` cannot carry the
                protocol.
        """


@dataclass(frozen=True)
class Interval:
    """Hold limits around a metric and say what varies within them.

    Attributes:
        low, high: the limits, in the unit of the metric.
        population: what was resampled or counted: identities, pairs, subjects, false accepts.
        method: how, such as ``percentile bootstrap, 1000 replicates`` or ``exact Poisson``.
        level: the coverage aimed at, 0 to 1.
    """

    low: float
    high: float
    population: str
    method: str
    level: float = 0.95


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
        metrics: metric identity -> value as a fraction 0 to 1 unless the identity says otherwise; finite.
        scores: named arrays kept with the evaluation, so that new statistics need no rerun. ``replicates``, float64
            [R, number of metrics], holds the bootstrap replicates of the metrics in their order; the draws depend on
            the pack alone, so replicates of two recognizers on one pack are paired.
        curves: named curves for the report.
        notes: named facts about the benchmark (counts, what a fold is).
        intervals: metric identity -> its intervals, the one to show first.
        cautions: metric identity -> what its reader must know (a rate below the resolution of the impostors).
        warnings: what deviates from the pack that the field knows, one sentence each.
    """

    metrics: Mapping[str, float]
    scores: Mapping[str, NDArray[np.generic]]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    notes: Mapping[str, Fact] = field(default_factory=dict)
    intervals: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    cautions: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def __post_init__(self) -> None:
        for metric in self.metrics:
            if not METRIC_ID.fullmatch(metric):
                raise ValueError(f"metric identity {metric!r}: only letters, digits and _ - . : / are allowed")
        strangers = {*self.intervals, *self.cautions} - {*self.metrics}
        if strangers:
            raise ValueError(f"intervals or cautions of metrics that are not there: {', '.join(sorted(strangers))}")


class EvaluationProtocol(Plugin):
    """Define an evaluation. With its pack it is a benchmark: a column group of the table."""

    @abstractmethod
    def metric_ids(self) -> tuple[str, ...]:
        """Return the identities of the metrics, in column order; each carries its definition.

        They are those that ``evaluate`` computes, in the same order, and consist of letters, digits and ``_-.:/``.
        """

    @abstractmethod
    def reader(self) -> PackReader:
        """Return what opens the pack, with those parameters of this protocol that decide which images there are.

        They are validated already, and are not validated again (``model_construct``): a path may be absent by now.
        """

    @abstractmethod
    def evaluate(self, pack: Any, features: Features) -> Evaluation:
        """Compute every metric from the embeddings of the images of ``pack``, rows in the same order.

        The same embeddings give the same numbers. Embeddings that are alike for one person and far apart for two give
        the perfect score, 1. Embeddings that know nothing of the people do not.

        Args:
            pack: what ``reader().open(...)`` returns.
            features: one row for each image of the pack.

        Raises:
            DataError: when the features do not belong to the pack, or an embedding is NaN or zero (names the images).
        """


def short_names(metrics: Sequence[str]) -> list[str]:
    """Return a short name of each metric of one benchmark.

    It is the identity up to the first slash, or the whole identity where two metrics would share the short one.
    """
    heads = [metric.partition("/")[0] for metric in metrics]
    often = Counter(heads)
    return [head if often[head] == 1 else metric for head, metric in zip(heads, metrics, strict=True)]
