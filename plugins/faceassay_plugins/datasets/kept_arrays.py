"""Own arrays that are slow to make from large files and quick to keep: made once, kept while the files are the same.

They lie in the folder of the caches, are no pickles, and are replaced whole. What they mean is the readers' affair.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay import DataError
from faceassay.datasets import Texts
from faceassay.fingerprints import cache_folder, settled_stamp

Arrays = Mapping[str, NDArray[Any]]

_STAMPS = "stamps"
_OWN = "own "  # so that a name may be that of a parameter of numpy's
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def kept_arrays(kind: str, files: Sequence[Path], make: Callable[[], Arrays]) -> Arrays:
    """Return what ``make`` returns, from the cache while none of ``files`` has changed.

    Args:
        kind: what the arrays are, with the version of their meaning.
        files: all that they are made from.
        make: makes them; its errors are not kept.

    Raises:
        DataError: when ``make`` does, or a file cannot be read.
    """
    before = _stamps(files)
    place = _place(kind, files)
    if (known := _known(place, before)) is not None:
        return known
    try:
        made = make()
    except OSError as error:
        raise DataError(f"{error.filename or files[0]}: {error.strerror or error}: make it readable") from error
    if place and before and _stamps(files) == before:
        with suppress(OSError):  # a cache that fails only costs time
            _keep(
                place,
                {
                    **{_OWN + name: array for name, array in made.items()},
                    _STAMPS: np.frombuffer(before, dtype=np.uint8),
                },
            )
    return made


def texts(prefix: str, arrays: Arrays) -> Texts:
    """Return the texts that `packed` put into arrays under ``prefix``, each made when it is read."""
    return Texts(len(arrays[f"{prefix}_ends"]), _Packed(arrays[prefix], arrays[f"{prefix}_ends"]))


def all_texts(prefix: str, arrays: Arrays) -> tuple[str, ...]:
    """Return them all at once."""
    content, ends = arrays[prefix].tobytes(), arrays[f"{prefix}_ends"].tolist()
    return tuple(os.fsdecode(content[start:end]) for start, end in pairwise([0, *ends]))


def packed(prefix: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return texts as two arrays: all their bytes (uint8), and where each ends (int64)."""
    encoded = [os.fsencode(name) for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return {prefix: np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{prefix}_ends": ends}


class _Packed:
    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.content = content
        self.ends = ends

    def __call__(self, place: int) -> str:
        start = self.ends[place - 1] if place else 0
        return os.fsdecode(self.content[start : self.ends[place]].tobytes())


def _stamps(files: Sequence[Path]) -> bytes:
    """Return the stamps of the files; nothing where one is missing, or so new that it may change unseen."""
    try:
        stamps = [settled_stamp(file.stat()) for file in files]
    except OSError:
        return b""
    return "\n".join(stamps).encode() if all(stamps) else b""


def _place(kind: str, files: Sequence[Path]) -> Path | None:
    names = "\0".join([kind, *(str(file.resolve()) for file in files)])
    try:
        return cache_folder() / "arrays" / f"{hashlib.sha256(os.fsencode(names)).hexdigest()}.npz"
    except RuntimeError:  # no home
        return None


def _known(place: Path | None, stamps: bytes) -> Arrays | None:
    if not place or not stamps:
        return None
    try:
        with np.load(place, allow_pickle=False) as kept:
            if kept[_STAMPS].tobytes() != stamps:
                return None
            return {name.removeprefix(_OWN): kept[name] for name in kept.files if name != _STAMPS}
    except _UNREADABLE:
        return None


def _keep(place: Path, arrays: Arrays) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise
