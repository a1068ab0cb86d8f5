"""Own the protocol of low-resolution identification: who is probe, gallery, distractor; how probes are reduced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from faceassay.contracts import (
    Curve,
    DataError,
    Evaluation,
    EvaluationProtocol,
    FaceDataset,
    FaceImages,
    Features,
    ImageBatch,
    IntArray,
    parameter,
)
from faceassay_protocols.embeddings import combined
from faceassay_protocols.identification import RankedProbes, rank_probes, share_within
from faceassay_protocols.selection import ImageSelection
from faceassay_protocols.wording import flip_word

CURVE_RANKS = 100
DISTRACTOR = -1

Rank = Annotated[int, Field(ge=1)]


def reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Average ``image`` (uint8 [H, W, 3]) over areas to ``size`` pixels a side and enlarge it bicubically again."""
    small = Image.fromarray(image).resize((size, size), Image.Resampling.BOX)
    return np.asarray(small.resize((image.shape[1], image.shape[0]), Image.Resampling.BICUBIC))


@dataclass(frozen=True, eq=False)
class ReducedImages:
    """Show ``source`` with its first ``count`` images reduced to ``size`` pixels a side."""

    source: FaceImages
    count: int
    size: int

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels, as that of the source."""
        return self.source.image_size

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over the source's fingerprint and the reduction."""
        return hashlib.sha256(f"{self.source.fingerprint} box-bicubic {self.count} {self.size}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.source)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, H, W, 3] RGB."""
        batch = np.array(self.source.images(index))
        for position in np.flatnonzero(index < self.count):
            batch[position] = reduced(batch[position], self.size)
        return batch


@dataclass(frozen=True, eq=False)
class Roles:
    """Hold the dataset rows of the probes, the enrolled mates and the distractors, int64 each, in dataset order."""

    probes: IntArray
    enrolled: IntArray
    distractors: IntArray

    @property
    def all_rows(self) -> IntArray:
        """Every row in the order in which images are embedded: probes, enrolled mates, distractors."""
        return np.concatenate([self.probes, self.enrolled, self.distractors])


class LowResolutionIdentification(EvaluationProtocol):
    """Find the person of a low-resolution probe in a gallery full of distractors, in the manner of TinyFace.

    The first ``mated_share`` of the people are mated: the first ``gallery_per_person`` images of each are enrolled as
    they are, the others become probes of ``probe_size`` pixels. All images of all other people are distractors.

    It is not TinyFace. There probes, mates and 153,428 unlabelled distractors alike are small as they were found, and
    no image was made by reduction; here clean reductions meet a gallery of full resolution and of other people's
    images from the same source. Compare the rows of one benchmark, never the number with one published for TinyFace.
    """

    name: ClassVar[str] = "lowres-identification"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "rank-k identification of reduced probes against distractors, from any test people"
    paper: ClassVar[str | None] = "after Cheng, Zhu and Gong 2018, Low-Resolution Face Recognition (TinyFace)"

    mated_share: float = parameter(
        0.5, description="Share of the people, the first ones, that have probes, to the nearest person", gt=0, lt=1
    )
    gallery_per_person: int = parameter(1, description="Enrolled images of a mated person", unit="images", ge=1)
    probe_size: int = parameter(10, description="Side to which probes are reduced", unit="px", ge=1)
    ranks: tuple[Rank, ...] = parameter((1, 5), description="Ranks k at which the rate is read", min_length=1)
    flip: bool = parameter(True, description="Add the embedding of the mirrored image before normalising")

    def metric_ids(self) -> tuple[str, ...]:
        """Return the identification rate at each rank."""
        return tuple(f"rank:{k}/cosine/{flip_word(self.flip)}" for k in dict.fromkeys(self.ranks))

    def images(self, data: FaceDataset) -> FaceImages:
        """Return the probes (reduced when read), the enrolled images, the distractors; each in the dataset's order.

        Raises:
            DataError: when nobody is mated, a mated person has too few images, there are no distractors, or the images
                are not larger than the probes.
        """
        if data.image_size <= self.probe_size:
            raise DataError(f"images of {data.image_size} px cannot be reduced to {self.probe_size} px: set probe_size")
        roles = self._roles(data)
        return ReducedImages(ImageSelection(data, roles.all_rows), len(roles.probes), self.probe_size)

    def evaluate(self, data: FaceDataset, features: Features) -> Evaluation:
        """Compute the metrics from the embeddings of ``images(data)``.

        Keeps per probe: ``rank`` (from 1, see `rank_probes`), ``mate_score`` (cosine of its best mate) and
        ``probe_identity`` (index into the dataset's identities).

        Raises:
            DataError: when the features do not belong to ``data``, or are NaN or zero (names the rows).
        """
        roles = self._roles(data)
        identity = data.labels[roles.probes]
        ranked = self._ranked(roles, identity, data.labels[roles.enrolled], features)
        rates = share_within(ranked.rank, list(dict.fromkeys(self.ranks)))
        gallery = len(roles.enrolled) + len(roles.distractors)
        curve_ranks = range(1, min(CURVE_RANKS, gallery) + 1)
        curve = np.array(share_within(ranked.rank, curve_ranks))
        return Evaluation(
            metrics=dict(zip(self.metric_ids(), rates, strict=True)),
            scores={"rank": ranked.rank, "mate_score": ranked.mate_score, "probe_identity": identity},
            curves={"cmc": Curve(np.array(curve_ranks, dtype=np.float64), curve, "rank", "identification rate")},
            notes={
                "probes": len(roles.probes),
                "enrolled": len(roles.enrolled),
                "distractors": len(roles.distractors),
                "mated_people": len(np.unique(identity)),
                "people": len(data.identities),
                "probe_size": self.probe_size,
                "population": "probes of the mated people, against one fixed gallery",
            },
        )

    def _ranked(self, roles: Roles, identity: IntArray, enrolled: IntArray, features: Features) -> RankedProbes:
        embeddings = combined(features, flip=self.flip, images=len(roles.all_rows))
        gallery_ids = np.append(enrolled, np.full(len(roles.distractors), DISTRACTOR))
        return rank_probes(embeddings[: len(identity)], embeddings[len(identity) :], identity, gallery_ids)

    def _roles(self, data: FaceDataset) -> Roles:
        mated = round(self.mated_share * len(data.identities))
        counts = np.bincount(data.labels, minlength=len(data.identities))
        _require_roles(data, counts, mated, self.gallery_per_person)
        is_mated = data.labels < mated
        enrolled = is_mated & (_occurrence(data.labels, counts) < self.gallery_per_person)
        return Roles(*map(np.flatnonzero, (is_mated & ~enrolled, enrolled, ~is_mated)))


def _require_roles(data: FaceDataset, counts: IntArray, mated: int, gallery_per_person: int) -> None:
    people = f"{mated} of {len(counts)} people are mated"
    if not mated:
        raise DataError(f"{people}: raise mated_share or take more people")
    images_of = zip(data.identities[:mated], counts[:mated], strict=True)
    poor = [f"{name} ({count})" for name, count in images_of if count <= gallery_per_person]
    if poor:
        raise DataError(f"mated people need {gallery_per_person + 1} images or more: too few of {', '.join(poor[:10])}")
    if not counts[mated:].sum():
        raise DataError(f"{people}, which leaves no distractors: lower mated_share or take more people")


def _occurrence(labels: IntArray, counts: IntArray) -> IntArray:
    """Number the images of each identity from 0 in the dataset's order, int64 [N]."""
    order = np.argsort(labels, kind="stable")
    occurrence = np.empty_like(labels)
    occurrence[order] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return occurrence
