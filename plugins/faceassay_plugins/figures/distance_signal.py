"""Own the figure of the distances of some pairs in two spaces as two signals (ScoreMix, figure 8)."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Figure, IntArray, Sources, StageContext, parameter
from faceassay.drawing import COLOURS
from faceassay_plugins.augmentations.strategies import class_centres, condition_vectors
from faceassay_plugins.figures.panels import blank, write_caption
from faceassay_plugins.selection import DistanceCorrelation, Statistic, distance_correlation, random_pairs
from faceassay_plugins.selection.distances import checked_rows, pair_distances
from faceassay_plugins.selection.numbering import pair_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

TITLES = ("Class centres E of the recognizer", "Condition vectors C of the generator")


class DistanceSignal(Figure):
    """Show how far the classes of some pairs are apart by recognizer and by generator, and whether the two agree.

    The paper also marks peaks; they depend on the order of the pairs, which means nothing, and are left out.
    """

    name: ClassVar[str] = "distance-signal"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Distances of some pairs by recognizer and by generator (ScoreMix, figure 8)"
    paper: ClassVar[str | None] = "ScoreMix (arXiv v1), appendix B and figure 8"

    pairs: int = parameter(200, ge=2, le=5000, unit="pairs", description="pairs shown, drawn at random")
    threshold: float = parameter(0.4, gt=0, le=2, description="pairs below it in both spaces are marked")
    permutations: int = parameter(199, ge=0, le=100_000, description="permutations behind the p-values")

    def needs(self) -> frozenset[str]:
        """Name both models."""
        return frozenset({"generator", "recognizer"})

    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Write ``distances.csv`` (the pairs shown) and ``correlation.json`` (of all pairs); draw the two signals.

        Raises:
            FaceassayError: when a model has no vector for each class.
            ValueError: when there are fewer than three classes.
        """
        spaces = class_centres(sources), condition_vectors(sources)
        names = sources.real.identities
        agreement = distance_correlation(*spaces, permutations=self.permutations, seed=run.seed)
        pairs = random_pairs(len(names), min(self.pairs, pair_count(len(names))), run.seed)
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        signals = np.stack([pair_distances(checked_rows(vectors, "cosine"), pairs, "cosine") for vectors in spaces])
        with (run.folder / "distances.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file)
            written.writerow(["first", "second", "embedding", "condition"])
            written.writerows([names[i], names[j], *both] for (i, j), both in zip(pairs, signals.T, strict=True))
        (run.folder / "correlation.json").write_text(json.dumps(asdict(agreement), indent=1))
        return self._drawn(pairs, signals, agreement)

    def _drawn(self, pairs: IntArray, signals: NDArray[np.float64], agreement: DistanceCorrelation) -> Drawing:
        drawing = blank(9, 5)
        panels = drawing.subplots(2, 1, sharex=True)
        both = np.flatnonzero((signals < self.threshold).all(axis=0))
        for axes, signal, title, colour in zip(panels, signals, TITLES, COLOURS[:3:2], strict=True):
            for place in both:
                axes.axvline(place, color=COLOURS[1], lw=0.8)
            axes.axhline(self.threshold, color=COLOURS[6], lw=0.8, ls=":")
            axes.plot(signal, color=colour, lw=1)
            axes.set(title=title, ylabel="cosine distance", xlim=(0, len(pairs) - 1), ylim=(0, None))
        panels[1].set_xlabel("pair")
        near = f"{len(both)} of these {len(pairs)} pairs are nearer than {self.threshold:g} (dotted) in both spaces"
        write_caption(drawing, f"{near}{', marked by lines' if len(both) else ''}. {_in_words(agreement)}")
        return drawing


def _in_words(agreement: DistanceCorrelation) -> str:
    which = f"{agreement.pairs:,} pairs drawn at random" if agreement.sampled else f"all {agreement.pairs:,} pairs"
    return (
        f"Over {which}: Pearson {_number(agreement.pearson)}, Spearman {_number(agreement.spearman)}; linear CKA of "
        f"the vectors {_number(agreement.cka)}; p by {agreement.permutations} permutations of the classes."
    )


def _number(statistic: Statistic) -> str:
    return f"{statistic.value:.3f} (p = {statistic.p_value:.2g})"
