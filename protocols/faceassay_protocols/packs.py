"""Own the packs: images with the pairs, templates or gallery that a protocol scores. Reads no file, scores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceImages, Fact, ImageBatch, IntArray, PairSample

BoolArray = NDArray[np.bool_]


class NamedImages(FaceImages, Protocol):
    """Give random access to square RGB images that have names."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each of the N images, unique."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Images:
    """Show ``source`` as the images of a pack.

    Attributes:
        source: the images, read when asked for.
        people: names of the identities, empty where the pack carries none.
        notes: facts for the result, ``sha256`` among them.
        warnings: deviations from the pack that the field knows.
    """

    source: NamedImages
    people: Sequence[str] = ()
    notes: Mapping[str, Fact] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return self.source.image_size

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the content that the images and the structure come from."""
        return self.source.fingerprint

    @property
    def names(self) -> Sequence[str]:
        """Name of each of the N images, unique."""
        return self.source.names

    def __len__(self) -> int:
        return len(self.source)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, H, W, 3] RGB."""
        return self.source.images(index)


@dataclass(frozen=True, eq=False, kw_only=True)
class PairPack(_Images):
    """Hold labelled pairs of images in folds.

    Attributes:
        first, second: rows of the two images of each pair, int64 [P].
        is_same: bool [P].
        fold: the protocol's own fold of each pair, 0 to F-1, int64 [P].
        identity: person of each image, an index into ``people``, int64 [N]; None where the pack does not say.
    """

    first: IntArray
    second: IntArray
    is_same: BoolArray
    fold: IntArray
    identity: IntArray | None = None

    def sample_pairs(self, count: int) -> PairSample:
        """Return at most ``count`` of the pairs, half of them same, evenly spread over the pack."""
        same, different = (spread(np.flatnonzero(of), count // 2) for of in (self.is_same, ~self.is_same))
        chosen = np.concatenate([same, different])
        return PairSample(self.first[chosen], self.second[chosen], self.is_same[chosen])


@dataclass(frozen=True, eq=False, kw_only=True)
class TemplatePack(_Images):
    """Hold templates, each of one or more images, and labelled pairs of templates (IJB 1:1).

    Attributes:
        template_ids: template of each image, int64 [N]; sparse numbers, as in the files.
        media_ids: medium of each image, int64 [N]; the frames of a video share it.
        detector_scores: confidence of the face detector on each image, float64 [N]; None where there is none.
        first_ids, second_ids: template numbers of each pair, int32 or int64 [P]; may be memory-mapped.
        is_same: bool [P].
        subjects: subject of templates from the 1:N lists, (template numbers int64 [K], subject numbers int64 [K]);
            None where there are no lists.
    """

    template_ids: IntArray
    media_ids: IntArray
    detector_scores: NDArray[np.float64] | None
    first_ids: NDArray[np.integer]
    second_ids: NDArray[np.integer]
    is_same: BoolArray
    subjects: tuple[IntArray, IntArray] | None = None

    def sample_pairs(self, count: int) -> PairSample:
        """Return at most ``count`` pairs of images, half of them same: the first images of paired templates."""
        same, different = (spread(np.flatnonzero(of), count // 2) for of in (self.is_same, ~self.is_same))
        chosen = np.concatenate([same, different])
        numbers, image = np.unique(self.template_ids, return_index=True)
        first, second = (image[np.searchsorted(numbers, ids[chosen])] for ids in (self.first_ids, self.second_ids))
        return PairSample(first, second, self.is_same[chosen])


@dataclass(frozen=True, eq=False, kw_only=True)
class GalleryPack(_Images):
    """Hold probes and a gallery; the images are the probes, then the gallery.

    Attributes:
        probe_ids: identity of each probe, 0 or more, int64 [P].
        gallery_ids: identity of each gallery image, int64 [G]; negative for a distractor, which is nobody's mate.
    """

    probe_ids: IntArray
    gallery_ids: IntArray

    def sample_pairs(self, count: int) -> PairSample:
        """Return at most ``count`` pairs of a probe: with its first mate, and with the mate of another probe."""
        probes = spread(np.arange(len(self.probe_ids)), count // 2)
        identities, mate = np.unique(self.gallery_ids, return_index=True)
        mates = len(self.probe_ids) + mate[np.searchsorted(identities, self.probe_ids[probes])]
        others = np.roll(mates, len(mates) // 2)
        different = self.probe_ids[probes] != np.roll(self.probe_ids[probes], len(mates) // 2)
        first, second = np.concatenate([probes, probes[different]]), np.concatenate([mates, others[different]])
        return PairSample(first, second, np.arange(len(first)) < len(probes))


def spread(rows: IntArray, count: int) -> IntArray:
    """Return ``count`` of ``rows``, evenly spread, or all where there are no more, int64."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
