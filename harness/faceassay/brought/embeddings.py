"""Own embeddings that a user computed elsewhere: ``.npy``, ``.npz`` or ``.safetensors``, one row for each image."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from faceassay.contracts import DataError, Features
from faceassay.fingerprints import path_fingerprint

Array = NDArray[Any]

EMBEDDINGS, FLIPPED = "embeddings", "flipped"
"""Names of the arrays in a file that holds several."""
_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    SafetensorError,
)
"""What readers raise at a file that is damaged, cut short, or holds objects instead of numbers."""


@dataclass(frozen=True)
class BroughtEmbeddings:
    """Be the embeddings in a file as an input of a stage; they are opened anew wherever the stage runs.

    Attributes:
        path: the file.
        rows: images of the benchmark, each of which must have its row.
        fingerprint: sha256 (hex) of the file.
    """

    path: Path
    rows: int
    fingerprint: str

    @classmethod
    def of(cls, path: Path, rows: int) -> BroughtEmbeddings:
        """Check the file and learn its fingerprint.

        Raises:
            DataError: when the file cannot be read or does not hold ``rows`` embeddings.
        """
        features(path, rows)
        return cls(path.absolute(), rows, path_fingerprint(path))

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for these embeddings."""
        return {"brought": {"kind": "embeddings", "format": self.path.suffix.lower(), "fingerprint": self.fingerprint}}

    def open(self, device: str = "cpu", threads: int = 1) -> Features:
        """Open the embeddings, memory-mapped where the format allows it.

        Raises:
            DataError: when the file changed since its fingerprint was taken.
        """
        if path_fingerprint(self.path) != self.fingerprint:
            raise DataError(f"{self.path} changed meanwhile: run again")
        return features(self.path, self.rows)


def features(path: Path, rows: int) -> Features:
    """Return the embeddings in ``path``, float16, float32 or float64 [rows, d] as stored.

    A ``.npy`` file holds the embeddings alone; ``.npz`` and ``.safetensors`` hold them as ``embeddings`` and may hold
    those of the mirrored images as ``flipped``. What else such a file holds is not read. NaN is the protocols' matter.

    Raises:
        DataError: when the file cannot be read, or an array is of another type or shape.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path}: embeddings are read from {', '.join(_READERS)}: save them as one of these")
    try:
        arrays = read(path)
    except _FAULTS as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}: {error}): save it again") from error
    if EMBEDDINGS not in arrays:
        raise DataError(f"{path} holds no array {EMBEDDINGS!r}: save the embeddings under this name")
    for name, array in arrays.items():
        _check(f"{path}: {name}", array, rows)
    embeddings, flipped = arrays[EMBEDDINGS], arrays.get(FLIPPED)
    if flipped is not None and flipped.shape != embeddings.shape:
        raise DataError(f"{path}: {EMBEDDINGS} are {embeddings.shape}, {FLIPPED} {flipped.shape}: they must be alike")
    return Features(embeddings, flipped)


def _check(place: str, array: Array, rows: int) -> None:
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise DataError(
            f"{place} is {array.dtype}: save float32 (float16 and float64 will do), not normalised or scaled"
        )
    if array.ndim != 2 or not array.size:
        raise DataError(f"{place} has shape {array.shape}: it must be [{rows}, d]")
    if len(array) != rows:
        raise DataError(
            f"{place} has {len(array)} rows for {rows} images: save one row for each, "
            "in the order that --list-images prints"
        )


def _npy(path: Path) -> dict[str, Array]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive of several arrays: call it .npz")
    return {EMBEDDINGS: array}


def _npz(path: Path) -> dict[str, Array]:
    archive = np.load(path, allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise ValueError("a single array: call it .npy")
    with archive:
        return {name: archive[name] for name in (EMBEDDINGS, FLIPPED) if name in archive}


def _safetensors(path: Path) -> dict[str, Array]:
    with safe_open(path, framework="numpy") as file:
        held = set(file.keys())
        return {name: file.get_tensor(name) for name in (EMBEDDINGS, FLIPPED) if name in held}


_READERS: Mapping[str, Callable[[Path], dict[str, Array]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
