"""Own the protocol TinyFace. Files: `readers`; the metrics: `gallery_evaluation`."""

from __future__ import annotations

from typing import Any, ClassVar

from faceassay.contracts import Evaluation, EvaluationProtocol, Features, PackReader, parameter
from faceassay_protocols.conventions import Convention, ConventionName, chosen
from faceassay_protocols.gallery_evaluation import evaluate_ranks, rank_ids
from faceassay_protocols.lowres import Rank
from faceassay_protocols.merging import merged
from faceassay_protocols.packs import GalleryPack
from faceassay_protocols.readers.gallery_files import GalleryFileParameters, GalleryFiles


class TinyFace(GalleryFileParameters, EvaluationProtocol):
    """Find the person of a native low-resolution probe among mates and 153,428 distractors.

    Rates are by the cosine of embeddings, as AdaFace and CVLface measure them. The official kit ranks by the Euclidean
    distance of whatever features it is given, which is the same for unit features only. The other evaluators have no
    TinyFace: under their names only their use of the mirrored image is taken over, and a caution says so.
    """

    name: ClassVar[str] = "tinyface"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "TinyFace: rank-k identification of 3,728 probes in a gallery of 157,871"
    paper: ClassVar[str | None] = "Cheng, Zhu and Gong 2018, Low-Resolution Face Recognition"

    conventions: tuple[ConventionName, ...] = parameter(
        ("adaface",), description="Whose settings: named evaluators, or all", min_length=1
    )
    ranks: tuple[Rank, ...] = parameter((1, 5, 20), description="Ranks k at which the rate is read", min_length=1)
    replicates: int = parameter(1000, description="Bootstrap replicates behind the intervals; 0 for none", ge=0)

    def metric_ids(self) -> tuple[str, ...]:
        """Return the identification rate at each rank under each convention."""
        return tuple(name for c in self._conventions() for name in rank_ids(self.ranks, c.flip, c.name))

    def reader(self) -> PackReader:
        """Return what opens the files."""
        said: dict[str, Any] = {name: getattr(self, name) for name in GalleryFileParameters.model_fields}
        return GalleryFiles.model_construct(**said)

    def evaluate(self, pack: GalleryPack, features: Features) -> Evaluation:
        """Compute the rates and keep the ranks behind them; see `evaluate_ranks`."""
        return merged([self._under(convention, pack, features) for convention in self._conventions()])

    def _under(self, convention: Convention, pack: GalleryPack, features: Features) -> Evaluation:
        caution = f"{convention.name} has no TinyFace evaluation: only its use of the mirrored image is taken over"
        return evaluate_ranks(
            pack,
            features,
            self.ranks,
            flip=convention.flip,
            replicates=self.replicates,
            convention=convention.name,
            caution="" if convention.identification else caution,
        )

    def _conventions(self) -> tuple[Convention, ...]:
        """Return the conventions; ``all`` stands for those that have an identification protocol."""
        every = chosen(self.conventions)
        named = {*self.conventions}
        return tuple(c for c in every if c.identification or c.name in named)
