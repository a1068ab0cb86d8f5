"""Own the plugin that opens IJB-B and IJB-C. The files themselves: `ijb`."""

from __future__ import annotations

from typing import ClassVar, Literal

from faceassay.contracts import DataPath, FaceDataset, PackReader, Plugin, parameter
from faceassay_protocols.packs import TemplatePack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.ijb import Align, read_ijb


class TemplateFileParameters(Plugin):
    """Say where IJB is and what of it is used."""

    path: DataPath = parameter(
        description="folder or zip that holds meta and loose_crop, or aligned images beside meta"
    )
    align: Align = parameter(
        "auto", description="five-point alignment of loose crops; auto leaves other folders as they are"
    )
    images_in: str | None = parameter(None, description="folder of the images, where it has another name")
    image_size: int = parameter(112, description="side of the images as the recognizer sees them", unit="px", ge=8)
    other_sizes: OtherSizes = parameter("refuse", description="what becomes of aligned images of another size")


class TemplateFiles(TemplateFileParameters, PackReader):
    """Open IJB-B or IJB-C."""

    name: ClassVar[str] = "template-files"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "IJB images with templates, media and pairs of templates"

    benchmark: Literal["ijb-b", "ijb-c"] = parameter(description="which of the two")

    def open(self, data: FaceDataset | None) -> TemplatePack:
        """Open the pack.

        Raises:
            DataError: when files are missing or corrupt, or contradict one another.
        """
        return read_ijb(
            self.path,
            name=self.benchmark,
            image_size=self.image_size,
            align=self.align,
            images_in=self.images_in,
            other_sizes=self.other_sizes,
        )
