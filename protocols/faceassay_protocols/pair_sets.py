"""Own the protocols of the field's pair sets: LFW, CFP-FP, CFP-FF, AgeDB-30, CALFW, CPLFW. Files: `readers`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from faceassay.contracts import Evaluation, EvaluationProtocol, Features, PackReader, parameter
from faceassay_protocols.conventions import ConventionName, chosen
from faceassay_protocols.packs import PairPack
from faceassay_protocols.pair_evaluation import PairSettings, evaluate_pairs
from faceassay_protocols.pairs import Rate
from faceassay_protocols.readers.known import FOLDS
from faceassay_protocols.readers.pair_files import LfwParameters, PairFileParameters, PairFiles, is_bin

AllPairsRate = Annotated[float, Field(gt=0, le=0.1)]


class PairSet(PairFileParameters, EvaluationProtocol):
    """Measure k-fold verification accuracy on the pairs and folds of a published set."""

    absent_from: ClassVar[frozenset[str]] = frozenset()
    """Conventions whose evaluator does not have this set."""

    conventions: tuple[ConventionName, ...] = parameter(
        ("insightface_eval_ijbc",), description="Whose settings: named evaluators, or all", min_length=1
    )
    fprs: tuple[Rate, ...] = parameter((), description="False positive rates at which TAR over the pairs is read")
    all_pairs_fprs: tuple[AllPairsRate, ...] = parameter(
        (), description="False positive rates at which TAR over all pairs of the images is read"
    )
    replicates: int = parameter(1000, description="Bootstrap replicates behind the intervals; 0 for none", ge=0)

    @model_validator(mode="after")
    def _people_known(self) -> Self:
        if self.all_pairs_fprs and is_bin(self.path):
            raise ValueError(
                "all_pairs_fprs: an insightface pack does not say who is in an image: give the native files"
            )
        return self

    def metric_ids(self) -> tuple[str, ...]:
        """Return under each convention accuracy and TAR at each rate."""
        return self._settings().ids()

    def reader(self) -> PackReader:
        """Return what opens the files."""
        own = type(self).model_fields
        said: dict[str, Any] = {name: getattr(self, name) for name in PairFiles.model_fields if name in own}
        return PairFiles.model_construct(**{**said, "benchmark": self.name})

    def evaluate(self, pack: PairPack, features: Features) -> Evaluation:
        """Compute the metrics and keep the scores behind them; see `evaluate_pairs`."""
        settings = self._settings()
        evaluation = evaluate_pairs(pack, features, settings)
        said = {
            name: f"{convention.name} has no {self.name} evaluation: its rule is applied to the folds of this set"
            for convention in settings.conventions
            for name in settings.ids_under(convention)
            if convention.name in self.absent_from
        }
        return replace(evaluation, cautions={**said, **evaluation.cautions})

    def _folds(self) -> int:
        return FOLDS

    def _settings(self) -> PairSettings:
        return PairSettings(
            self._folds(),
            chosen(self.conventions),
            self.fprs,
            all_pairs_fprs=self.all_pairs_fprs,
            replicates=self.replicates,
        )


class Lfw(LfwParameters, PairSet):
    """Labeled Faces in the Wild, view 2: 6,000 pairs in ten folds that share no person."""

    name: ClassVar[str] = "lfw"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "LFW view 2: 6,000 pairs of 4,281 people, ten folds"
    paper: ClassVar[str | None] = "Huang et al. 2007, Labeled Faces in the Wild"

    def _folds(self) -> int:
        return self.fold_count()


class CfpFp(PairSet):
    """Celebrities in Frontal-Profile, frontal against profile."""

    name: ClassVar[str] = "cfp-fp"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "CFP frontal-profile: 7,000 pairs of 500 people, ten folds"
    paper: ClassVar[str | None] = "Sengupta et al. 2016, Frontal to Profile Face Verification in the Wild"
    absent_from: ClassVar[frozenset[str]] = frozenset({"facexzoo"})


class CfpFf(PairSet):
    """Celebrities in Frontal-Profile, frontal against frontal."""

    name: ClassVar[str] = "cfp-ff"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "CFP frontal-frontal: 7,000 pairs of 500 people, ten folds"
    paper: ClassVar[str | None] = "Sengupta et al. 2016, Frontal to Profile Face Verification in the Wild"
    absent_from: ClassVar[frozenset[str]] = frozenset({"facexzoo"})


class AgeDb30(PairSet):
    """AgeDB with 30 years between the images of a pair."""

    name: ClassVar[str] = "agedb-30"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "AgeDB-30: 6,000 pairs 30 years apart, ten folds"
    paper: ClassVar[str | None] = (
        "Moschoglou et al. 2017, AgeDB: the first manually collected, in-the-wild age database"
    )


class Calfw(PairSet):
    """Cross-Age LFW."""

    name: ClassVar[str] = "calfw"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "CALFW: 6,000 pairs of LFW people with age gaps, ten folds"
    paper: ClassVar[str | None] = "Zheng, Deng and Hu 2017, Cross-Age LFW"


class Cplfw(PairSet):
    """Cross-Pose LFW."""

    name: ClassVar[str] = "cplfw"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "CPLFW: 6,000 pairs of LFW people with pose gaps, ten folds"
    paper: ClassVar[str | None] = "Zheng and Deng 2018, Cross-Pose LFW"
