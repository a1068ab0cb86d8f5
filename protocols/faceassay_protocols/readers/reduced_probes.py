"""Own the pack of reduced probes made from any labelled faces: who is probe, enrolled, distractor; the reduction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceassay.contracts import DataError, FaceDataset, ImageBatch, IntArray, PackReader, Plugin, parameter
from faceassay_protocols.packs import GalleryPack, NamedImages
from faceassay_protocols.selection import ImageSelection

DISTRACTOR = -1


def reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Average ``image`` (uint8 [H, W, 3]) over areas to ``size`` pixels a side and enlarge it bicubically again."""
    small = Image.fromarray(image).resize((size, size), Image.Resampling.BOX)
    return np.asarray(small.resize((image.shape[1], image.shape[0]), Image.Resampling.BICUBIC))


@dataclass(frozen=True, eq=False)
class ReducedImages:
    """Show ``source`` with its first ``count`` images reduced to ``size`` pixels a side."""

    source: NamedImages
    count: int
    size: int

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels, as that of the source."""
        return self.source.image_size

    @property
    def names(self) -> Sequence[str]:
        """Names of the images, as those of the source."""
        return self.source.names

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


class ReducedProbeParameters(Plugin):
    """Say who is probe, enrolled and distractor, and how small the probes are."""

    mated_share: float = parameter(
        0.5, description="Share of the people, the first ones, that have probes, to the nearest person", gt=0, lt=1
    )
    gallery_per_person: int = parameter(1, description="Enrolled images of a mated person", unit="images", ge=1)
    probe_size: int = parameter(10, description="Side to which probes are reduced", unit="px", ge=1)


class ReducedProbes(ReducedProbeParameters, PackReader):
    """Make probes, mates and distractors of a dataset's images."""

    name: ClassVar[str] = "lowres-identification"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "reduced probes and a gallery, from any test people"
    needs_data: ClassVar[bool] = True

    def open(self, data: FaceDataset | None) -> GalleryPack:
        """Return the probes (reduced when read), the enrolled images, the distractors; each in the dataset's order.

        Raises:
            DataError: when nobody is mated, a mated person has too few images, there are no distractors, or the images
                are not larger than the probes.
        """
        if data is None:
            raise DataError("probes are made from a dataset: name one under data")
        if data.image_size <= self.probe_size:
            raise DataError(f"images of {data.image_size} px cannot be reduced to {self.probe_size} px: set probe_size")
        probes, enrolled, distractors = self._roles(data)
        selection = ImageSelection(data, np.concatenate([probes, enrolled, distractors]))
        return GalleryPack(
            source=ReducedImages(selection, len(probes), self.probe_size),
            people=data.identities,
            notes={
                "probes": len(probes),
                "enrolled": len(enrolled),
                "distractors": len(distractors),
                "mated_people": len(np.unique(data.labels[probes])),
                "people": len(data.identities),
                "probe_size": self.probe_size,
                "population": "probes of the mated people, against one fixed gallery",
                "sha256": data.fingerprint,
            },
            probe_ids=data.labels[probes],
            gallery_ids=np.append(data.labels[enrolled], np.full(len(distractors), DISTRACTOR)),
        )

    def _roles(self, data: FaceDataset) -> tuple[IntArray, IntArray, IntArray]:
        """Return the dataset rows of the probes, the enrolled mates and the distractors, int64 each."""
        mated = round(self.mated_share * len(data.identities))
        counts = np.bincount(data.labels, minlength=len(data.identities))
        _require_roles(data, counts, mated, self.gallery_per_person)
        is_mated = data.labels < mated
        enrolled = is_mated & (_occurrence(data.labels, counts) < self.gallery_per_person)
        return np.flatnonzero(is_mated & ~enrolled), np.flatnonzero(enrolled), np.flatnonzero(~is_mated)


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
