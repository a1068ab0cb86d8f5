"""Own the protocol of low-resolution identification on any set of test people. The metrics: `gallery_evaluation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field

from faceassay.contracts import Evaluation, EvaluationProtocol, Features, PackReader, parameter
from faceassay_protocols.gallery_evaluation import evaluate_ranks, rank_ids
from faceassay_protocols.packs import GalleryPack
from faceassay_protocols.readers.reduced_probes import ReducedProbeParameters, ReducedProbes

Rank = Annotated[int, Field(ge=1)]


class LowResolutionIdentification(ReducedProbeParameters, EvaluationProtocol):
    """Find the person of a low-resolution probe in a gallery full of distractors, in the manner of TinyFace.

    The first ``mated_share`` of the people are mated: the first ``gallery_per_person`` images of each are enrolled as
    they are, the others become probes of ``probe_size`` pixels. All images of all other people are distractors.

    It is not TinyFace. There probes, mates and 153,428 unlabelled distractors alike are small as they were found, and
    no image was made by reduction; here clean reductions meet a gallery of full resolution and of other people's
    images from the same source. Compare the rows of one benchmark, never the number with one published for TinyFace.
    """

    name: ClassVar[str] = "lowres-identification"
    version: ClassVar[str] = "2"
    summary: ClassVar[str] = "rank-k identification of reduced probes against distractors, from any test people"
    paper: ClassVar[str | None] = "after Cheng, Zhu and Gong 2018, Low-Resolution Face Recognition (TinyFace)"

    ranks: tuple[Rank, ...] = parameter((1, 5), description="Ranks k at which the rate is read", min_length=1)
    flip: bool = parameter(True, description="Add the embedding of the mirrored image before normalising")
    replicates: int = parameter(1000, description="Bootstrap replicates behind the intervals; 0 for none", ge=0)

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return probes of 8 px with few replicates."""
        return cls(probe_size=8, replicates=20)

    def metric_ids(self) -> tuple[str, ...]:
        """Return the identification rate at each rank."""
        return rank_ids(self.ranks, self.flip)

    def reader(self) -> PackReader:
        """Return what makes the probes."""
        return ReducedProbes(
            mated_share=self.mated_share, gallery_per_person=self.gallery_per_person, probe_size=self.probe_size
        )

    def evaluate(self, pack: GalleryPack, features: Features) -> Evaluation:
        """Compute the rates and keep the ranks behind them; see `evaluate_ranks`."""
        return evaluate_ranks(pack, features, self.ranks, flip=self.flip, replicates=self.replicates)
