"""Own what an image set is: typed batches and random access. Decoding and storage belong to plugins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from faceassay.contracts.plugin import Plugin

ImageBatch = NDArray[np.uint8]
"""uint8 [B, H, W, 3], RGB, 0 to 255."""
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@runtime_checkable
class FaceImages(Protocol):
    """Give random access to square RGB images without holding them all in memory."""

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the content that the images come from and of how they are decoded."""

    def __len__(self) -> int: ...

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, H, W, 3] RGB; several threads may call it at once."""


@runtime_checkable
class FaceDataset(FaceImages, Protocol):
    """Give random access to identity-labelled face images."""

    @property
    def labels(self) -> IntArray:
        """Identity index of each image, int64 [N], 0 to L-1."""

    @property
    def identities(self) -> Sequence[str]:
        """Names of the L identities."""

    @property
    def item_ids(self) -> Sequence[str]:
        """Stable names of the N images."""

    def encoded(self, i: int) -> bytes:
        """Return the stored file of image ``i``, unchanged."""


class DatasetCard(BaseModel):
    """Say where images are from and what is known of their use; empty where nothing is stated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field("", description="who made the images, where they were published")
    licence: str = Field("", description="terms under which they may be used")
    consent: str = Field("", description="what the people in them agreed to")
    note: str = Field("", description="whatever else a reader must know")


class DatasetPlugin(Plugin):
    """Open one source of identity-labelled face images.

    ``card`` says what is known of images that the plugin brings itself; of a user's images the spec may say it.
    """

    card: ClassVar[DatasetCard] = DatasetCard()

    @abstractmethod
    def open(self) -> FaceDataset:
        """Open the data and check it.

        Raises:
            DataError: when files are missing, corrupt, or an identity has too few images.
        """
