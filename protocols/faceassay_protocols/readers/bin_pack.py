"""Own the verification packs of insightface (``.bin``, and ``.bin.xz``). How a pickle is read: `pickled`."""

from __future__ import annotations

import hashlib
import lzma
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from faceassay.contracts import DataError, IntArray
from faceassay.fingerprints import path_fingerprint
from faceassay_protocols.packs import BoolArray, PairPack
from faceassay_protocols.readers.appearance import HEAD, impostor
from faceassay_protocols.readers.decoding import (
    EncodedImages,
    OtherSizes,
    decoding_fingerprint,
    size_warnings,
    stored_size,
)
from faceassay_protocols.readers.known import FOLDS, KnownPairs
from faceassay_protocols.readers.pickle_values import encoded_image, same_labels, stored_bytes
from faceassay_protocols.readers.pickled import Content, Stored, symbols
from faceassay_protocols.readers.tree import BIN_SUFFIXES

LARGEST_PACK = 4 * 2**30
"""Bytes: a compressed pack that grows beyond is not read; the known ones stay below 0.1 GB."""
_PIECE = 2**20
Header = tuple[tuple[int, int], bytes]
"""(height, width) and sha256 of an image."""


def read_bin(path: Path, known: KnownPairs, *, image_size: int, other_sizes: OtherSizes) -> PairPack:
    """Open a pack: pair k is images 2k and 2k + 1, folds are tenths of the pairs in their order.

    The layout is that of insightface's ``recognition/_evaluation_`` packs: a pickle of a list of encoded images and a
    list of labels. The file is read as data: nothing in it is executed. Images stay in the file until asked for.

    Args:
        path: a ``.bin`` file, or one compressed as ``.bin.xz``.
        known: the pair set that the file should hold; deviations become warnings.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when the file is missing, damaged, no verification pack, names code, or has no ten folds of pairs,
            and when an image is none or has a size that is refused.
    """
    if not path.is_file() or not path.name.endswith(BIN_SUFFIXES):
        raise DataError(f"{path}: no such file, or not named .bin or .bin.xz as the packs of insightface are")
    sha256, place = path_fingerprint(path), str(path)
    content = _content(path)
    if what := impostor(content[:HEAD], expected=b"\x80"):
        raise DataError(f"{place}: no verification pack; it looks like {what}")
    images, is_same = _images_and_labels(content, place)
    names = [str(row) for row in range(len(images))]
    headers = _headers(images, content, place)
    pairs = np.arange(len(is_same))
    return PairPack(
        source=EncodedImages(
            names=names,
            fingerprint=decoding_fingerprint(sha256, names, image_size),
            image_size=image_size,
            read=lambda row: stored_bytes(images[row], content, _image(place, row)),
            place=lambda row: _image(place, row),
        ),
        first=2 * pairs,
        second=2 * pairs + 1,
        is_same=is_same,
        fold=contiguous_folds(len(pairs)),
        notes={
            "sha256": sha256,
            "pairs": len(pairs),
            "same_pairs": int(is_same.sum()),
            "images": len(images),
            "folds": FOLDS,
            "format": "insightface .bin",
            "decoder": _decoder(),
        },
        warnings=(
            *known.deviations(is_same, place),
            *_alone(headers, place),
            *size_warnings(((str(row), size) for row, (size, _) in enumerate(headers)), image_size, other_sizes, place),
        ),
    )


def contiguous_folds(pairs: int) -> IntArray:
    """Return the fold of each pair when they are cut in order as scikit-learn's KFold(10) cuts them, int64 [pairs]."""
    parts = np.array_split(np.arange(pairs), FOLDS)
    return np.repeat(np.arange(FOLDS), [len(part) for part in parts])


def _images_and_labels(content: Content, place: str) -> tuple[Sequence[Stored], BoolArray]:
    match symbols(content, place):
        case (list() | tuple() as elements, labels) | [list() | tuple() as elements, labels]:
            pass
        case _:
            raise DataError(f"{place}: not the two lists of a verification pack, images and labels: is this the file?")
    is_same = same_labels(labels, content, place)
    if len(elements) != 2 * len(is_same):
        raise DataError(
            f"{place}: {len(elements)} images and {len(is_same)} labels: each label belongs to two images that follow "
            "one another; the pack is incomplete, fetch or build it again"
        )
    if len(is_same) < FOLDS:
        raise DataError(
            f"{place}: {len(is_same)} pairs cannot be cut into {FOLDS} folds: give a pack of {FOLDS} or more"
        )
    return [encoded_image(one, content, _image(place, row)) for row, one in enumerate(elements)], is_same


def _image(place: str, row: int) -> str:
    return f"{place}: image {row}"


def _headers(images: Sequence[Stored], content: Content, place: str) -> list[Header]:
    """Return the header of each image; one that occurs often is read once."""
    known: dict[Stored, Header] = {}
    for row, image in enumerate(images):
        if image not in known:
            where = _image(place, row)
            encoded = stored_bytes(image, content, where)
            known[image] = stored_size(encoded, where), hashlib.sha256(encoded).digest()
    return [known[image] for image in images]


def _alone(headers: Sequence[Header], place: str) -> Iterator[str]:
    """Yield a warning where both images of a pair are the same bytes."""
    rows = [row for row, (one, other) in enumerate(zip(headers[::2], headers[1::2], strict=True)) if one == other]
    if rows:
        yield f"{place}: {len(rows)} of {len(headers) // 2} pairs pair an image with itself (the first: {2 * rows[0]})"


def _content(path: Path) -> Content:
    try:
        if path.suffix == ".xz":
            with tempfile.TemporaryFile() as unpacked:
                _unpack(path, unpacked)
                return _mapped(unpacked)
        with path.open("rb") as file:
            return _mapped(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (EOFError, lzma.LZMAError) as error:
        raise DataError(f"{path}: damaged ({error}): fetch it again") from error


def _unpack(path: Path, target: IO[bytes]) -> None:
    with lzma.open(path, format=lzma.FORMAT_XZ) as source:
        while piece := source.read(_PIECE):
            if target.tell() + len(piece) > LARGEST_PACK:
                raise DataError(f"{path}: unpacks to more than {LARGEST_PACK} bytes, which no verification pack does")
            target.write(piece)


def _mapped(file: IO[bytes]) -> Content:
    file.flush()
    if not file.seek(0, 2):
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _decoder() -> str:
    import cv2

    return f"OpenCV {cv2.__version__}"
