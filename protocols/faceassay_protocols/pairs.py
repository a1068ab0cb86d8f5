"""Own the protocol of pair verification on any set of test people. Which pairs: `pairing`; what accuracy: elsewhere."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faceassay.contracts import Curve, Evaluation, EvaluationProtocol, FaceDataset, FaceImages, Features, parameter
from faceassay_protocols.embeddings import combined, squared_distances, unit_rows
from faceassay_protocols.pairing import PairList, fold_pairs
from faceassay_protocols.roc import Rule, auc, roc_points, tar_at_fpr
from faceassay_protocols.selection import ImageSelection
from faceassay_protocols.verification import GRID_STEP, FoldAccuracy, ten_fold_accuracy
from faceassay_protocols.wording import flip_word, scientific

Rate = Annotated[float, Field(gt=0, le=1)]


class PairVerification(EvaluationProtocol):
    """Tell pairs of one person from pairs of two, LFW style, on any labelled set of test people.

    People are dealt in the dataset's order into folds that share no person; a fold holds as many different as same
    pairs, same first (see `fold_pairs`). The pairs depend on the dataset and the parameters only, never on the run.
    """

    name: ClassVar[str] = "pair-verification"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "k-fold verification of same and different pairs, built from any test people"
    paper: ClassVar[str | None] = "Huang et al. 2007, Labeled Faces in the Wild, view 2"

    folds: int = parameter(10, description="Folds with equal numbers of people", unit="folds", ge=2)
    same_per_fold: int | None = parameter(
        None, description="Same pairs of a fold at most; all of them when left out", unit="pairs", ge=1
    )
    pair_seed: int = parameter(0, description="Seed of the drawing of pairs, the same for every row", ge=0)
    flip: bool = parameter(True, description="Add the embedding of the mirrored image before normalising")
    fprs: tuple[Rate, ...] = parameter((0.01,), description="False positive rates at which TAR is read")
    point_rule: Rule = parameter(
        "nearest_exact", description="Which point of the ROC curve stands for a rate (see tar_at_fpr)"
    )

    def metric_ids(self) -> tuple[str, ...]:
        """Return accuracy, TAR at each rate, area under the curve."""
        flip = flip_word(self.flip)
        rates = [scientific(rate) for rate in dict.fromkeys(self.fprs)]
        tar = [f"tar_at_fpr:{rate}/{self.point_rule}/{flip}" for rate in rates]
        return (f"accuracy:{self.folds}fold/grid-{GRID_STEP}/{flip}", *tar, f"auc/{flip}")

    def images(self, data: FaceDataset) -> FaceImages:
        """Return the images that occur in a pair, each once, in the dataset's order.

        Raises:
            DataError: when the people do not fill the folds evenly or a fold has pairs of one class only.
        """
        pairs = self._pairs(data)
        return ImageSelection(data, np.union1d(pairs.first, pairs.second))

    def evaluate(self, data: FaceDataset, features: Features) -> Evaluation:
        """Compute the metrics from the embeddings of ``images(data)``.

        Keeps per pair: ``distances`` (squared, of unit vectors, 0 to 4), ``is_same``, ``fold``, ``first_identity``
        and ``second_identity`` (indices into the dataset's identities); per fold: ``fold_accuracy`` and
        ``fold_threshold``.

        Raises:
            DataError: when the features do not belong to ``data``, or are NaN or zero (names the rows).
        """
        pairs = self._pairs(data)
        used = np.union1d(pairs.first, pairs.second)
        unit = unit_rows(combined(features, flip=self.flip, images=len(used)))
        distances = squared_distances(unit, np.searchsorted(used, pairs.first), np.searchsorted(used, pairs.second))
        accuracy = ten_fold_accuracy(distances, pairs.is_same, folds=pairs.fold)
        fpr, tpr = roc_points(-distances, pairs.is_same, thinned=True)
        return Evaluation(
            metrics=self._metrics(accuracy, -distances, pairs.is_same),
            scores={
                "distances": distances,
                "is_same": pairs.is_same,
                "fold": pairs.fold,
                "first_identity": data.labels[pairs.first],
                "second_identity": data.labels[pairs.second],
                "fold_accuracy": accuracy.fold_accuracy,
                "fold_threshold": accuracy.fold_threshold,
            },
            curves={"roc": Curve(fpr, tpr, "false positive rate", "true accept rate", log_x=True)},
            notes={
                "pairs": len(distances),
                "same_pairs": int(pairs.is_same.sum()),
                "images": len(used),
                "people": len(data.identities),
                "folds": self.folds,
                "population": "pairs of images of the test people; no person is in two folds",
            },
        )

    def _metrics(
        self, accuracy: FoldAccuracy, scores: NDArray[np.float64], is_same: NDArray[np.bool_]
    ) -> dict[str, float]:
        tar = tar_at_fpr(scores, is_same, self.fprs, rule=self.point_rule)
        values = (accuracy.mean, *tar.values(), auc(scores, is_same))
        return dict(zip(self.metric_ids(), values, strict=True))

    def _pairs(self, data: FaceDataset) -> PairList:
        return fold_pairs(
            data.labels,
            len(data.identities),
            folds=self.folds,
            same_per_fold=self.same_per_fold,
            seed=self.pair_seed,
        )
