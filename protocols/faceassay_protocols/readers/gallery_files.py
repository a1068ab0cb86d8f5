"""Own the plugin that opens TinyFace. The files themselves: `tinyface`."""

from __future__ import annotations

from typing import ClassVar

from faceassay.contracts import DataPath, FaceDataset, PackReader, Plugin, parameter
from faceassay_protocols.packs import GalleryPack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.tinyface import Counts, read_tinyface


class GalleryFileParameters(Plugin):
    """Say where TinyFace is and which of its trees is used."""

    path: DataPath = parameter(description="tinyface, the folder above it, or a zip of one")
    images_in: str | None = parameter(
        None, description="folder of the crops; by default the aligned tree, else the crops as found"
    )
    counts: Counts = parameter("assert", description="what becomes of a set with other counts than TinyFace")
    image_size: int = parameter(112, description="side of the images as the recognizer sees them", unit="px", ge=8)
    other_sizes: OtherSizes = parameter("refuse", description="what becomes of images of another size")


class GalleryFiles(GalleryFileParameters, PackReader):
    """Open TinyFace."""

    name: ClassVar[str] = "tinyface"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "TinyFace probes, mated gallery and distractors"

    def open(self, data: FaceDataset | None) -> GalleryPack:
        """Open the pack.

        Raises:
            DataError: when lists or images are missing or damaged, contradict one another, or counts or sizes differ.
        """
        return read_tinyface(
            self.path,
            images_in=self.images_in,
            image_size=self.image_size,
            other_sizes=self.other_sizes,
            counts=self.counts,
        )
