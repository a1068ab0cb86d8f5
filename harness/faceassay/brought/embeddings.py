"""Own embeddings that a user computed elsewhere: ``.npy``, ``.npz`` or ``.safetensors``, one row for each image."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from safetensors import safe_open

from faceassay.contracts import DataError, Features
from faceassay.fingerprints import path_fingerprint

Array = NDArray[Any]

EMBEDDINGS, FLIPPED = "embeddings", "flipped"
"""Names of the arrays in a file that holds several."""
Check = Callable[[str, str, Sequence[int]], None]
"""Raises DataError unless an array of this name, type and shape will do; asked before an array is unpacked."""
_SAFETENSORS_TYPES = {"F16": "float16", "F32": "float32", "F64": "float64"}


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
    def absent(self) -> str:
        """Nothing: what was brought is there."""
        return ""

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
        arrays = read(path, partial(_check, path, rows))
    except DataError:
        raise
    except Exception as error:  # damage makes these parsers raise anything: TokenError, MemoryError, AttributeError
        raise DataError(f"{path} cannot be read ({type(error).__name__}: {error}): save it again") from error
    if EMBEDDINGS not in arrays:
        raise DataError(f"{path} holds no array {EMBEDDINGS!r}: save the embeddings under this name")
    embeddings, flipped = arrays[EMBEDDINGS], arrays.get(FLIPPED)
    if flipped is not None and flipped.shape != embeddings.shape:
        raise DataError(f"{path}: {EMBEDDINGS} are {embeddings.shape}, {FLIPPED} {flipped.shape}: they must be alike")
    return Features(embeddings, flipped)


def _check(path: Path, rows: int, name: str, dtype: str, shape: Sequence[int]) -> None:
    place = f"{path}: {name}"
    if dtype not in _SAFETENSORS_TYPES.values():
        raise DataError(f"{place} is {dtype}: save float32 (float16 and float64 will do), not normalised or scaled")
    if len(shape) != 2 or 0 in shape:
        raise DataError(f"{place} has shape {tuple(shape)}: it must be [{rows}, d]")
    if shape[0] != rows:
        raise DataError(
            f"{place} has {shape[0]} rows for {rows} images: save one row for each, "
            "in the order that --list-images prints"
        )


def _npy(path: Path, check: Check) -> dict[str, Array]:
    if zipfile.is_zipfile(path):
        raise ValueError("an archive of several arrays: call it .npz")
    array = npy_format.open_memmap(path, mode="r")  # unlike np.load, does not propose to unpickle what is no array
    check(EMBEDDINGS, array.dtype.name, array.shape)
    return {EMBEDDINGS: array}


def _npz(path: Path, check: Check) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        raise ValueError("no archive of arrays; a single array is called .npy")
    with np.load(path, allow_pickle=False) as archive:
        held = [name for name in (EMBEDDINGS, FLIPPED) if name in archive]
        for name in held:
            check(name, *_header(archive, name))
        return {name: archive[name] for name in held}


def _header(archive: Any, name: str) -> tuple[str, Sequence[int]]:
    """Return type and shape of an array in an ``.npz`` archive, whose data stay packed."""
    member = name if name in archive.zip.namelist() else f"{name}.npy"
    with archive.zip.open(member) as file:
        is_first = npy_format.read_magic(file) == (1, 0)
        read = npy_format.read_array_header_1_0 if is_first else npy_format.read_array_header_2_0
        shape, _, dtype = read(file)
    return dtype.name, shape


def _safetensors(path: Path, check: Check) -> dict[str, Array]:
    with safe_open(path, framework="numpy") as file:
        held = [name for name in (EMBEDDINGS, FLIPPED) if name in set(file.keys())]
        for name in held:
            stored = file.get_slice(name)
            check(name, _SAFETENSORS_TYPES.get(stored.get_dtype(), stored.get_dtype()), stored.get_shape())
        return {name: file.get_tensor(name) for name in held}


_READERS: Mapping[str, Callable[[Path, Check], dict[str, Array]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
