"""Own what an image set is: typed batches and random access. Decoding and storage belong to plugins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
        """Return the images at ``index`` (int64 [B]) as uint8 [B, H, W, 3] RGB; several threads may call it at once.

        B may be 0. In any order and any company an image is the same. The array is the caller's own.
        """


@runtime_checkable
class FaceDataset(FaceImages, Protocol):
    """Give random access to identity-labelled face images.

    Names of identities and of images are unique, and no identity is without an image.
    """

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
        """Open the data and check it. Opened again it is the same, fingerprint included.

        Raises:
            DataError: when files are missing, corrupt, or an identity has too few images.
        """

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell by names alone whether what lies at ``path`` is stored in the way that this plugin reads."""
        return False


@dataclass(frozen=True, eq=False)
class Written:
    """Say what a plugin's own reader will find in a set that it wrote.

    Attributes:
        rows: row in the source of each image, in the order of the written set, int64 [N].
        identities: what each of the L identities of the source is called there.
    """

    rows: IntArray
    identities: tuple[str, ...]


class WritableDataset(DatasetPlugin):
    """Open and write sets of one form; what is written is opened with ``path`` alone."""

    @classmethod
    @abstractmethod
    def write(cls, data: FaceDataset, target: Path, advance: Callable[[int], None]) -> Written:
        """Write the stored files of ``data``, unchanged, to ``target``, where nothing is yet.

        What is read back holds the same files, of the same people.

        Args:
            data: the images.
            target: the file or folder that becomes ``path``.
            advance: told the number of images whenever some more were written.

        Raises:
            DataError: when the form cannot hold these images or names.
            OSError: when it cannot be written.
        """
