"""Own the protocol of pair verification on any set of test people. Which pairs: `pairing`; the metrics: elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field

from faceassay.contracts import Evaluation, EvaluationProtocol, Features, PackReader, parameter
from faceassay_protocols.conventions import Convention
from faceassay_protocols.packs import PairPack
from faceassay_protocols.pair_evaluation import PairSettings, evaluate_pairs
from faceassay_protocols.readers.dealt_pairs import DealtPairParameters, DealtPairs
from faceassay_protocols.roc import Rule

Rate = Annotated[float, Field(gt=0, le=1)]


class PairVerification(DealtPairParameters, EvaluationProtocol):
    """Tell pairs of one person from pairs of two, LFW style, on any labelled set of test people.

    People are dealt in the dataset's order into folds that share no person; a fold holds as many different as same
    pairs, same first (see `fold_pairs`). The pairs depend on the dataset and the parameters only, never on the run.
    """

    name: ClassVar[str] = "pair-verification"
    version: ClassVar[str] = "2"
    summary: ClassVar[str] = "k-fold verification of same and different pairs, built from any test people"
    paper: ClassVar[str | None] = "Huang et al. 2007, Labeled Faces in the Wild, view 2"

    flip: bool = parameter(True, description="Add the embedding of the mirrored image before normalising")
    fprs: tuple[Rate, ...] = parameter((0.01,), description="False positive rates at which TAR is read")
    point_rule: Rule = parameter(
        "nearest_exact", description="Which point of the ROC curve stands for a rate (see tar_at_fpr)"
    )
    replicates: int = parameter(1000, description="Bootstrap replicates behind the intervals; 0 for none", ge=0)

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return two folds of few pairs with few replicates."""
        return cls(folds=2, same_per_fold=8, replicates=20)

    def metric_ids(self) -> tuple[str, ...]:
        """Return accuracy, TAR at each rate, area under the curve."""
        return self._settings().ids()

    def reader(self) -> PackReader:
        """Return what deals the pairs."""
        return DealtPairs(folds=self.folds, same_per_fold=self.same_per_fold, pair_seed=self.pair_seed)

    def evaluate(self, pack: PairPack, features: Features) -> Evaluation:
        """Compute the metrics and keep the scores behind them; see `evaluate_pairs`."""
        return evaluate_pairs(pack, features, self._settings())

    def _settings(self) -> PairSettings:
        convention = Convention("", flip=self.flip, flip_pairs=self.flip, rule=self.point_rule)
        return PairSettings(self.folds, (convention,), self.fprs, area=True, replicates=self.replicates)
