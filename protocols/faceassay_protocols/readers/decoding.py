"""Own the way from the stored files of a pack to square RGB pixels. Where a file is, is the readers' business."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceassay.contracts import DataError, ImageBatch, IntArray
from faceassay.datasets import rows

Pixels = NDArray[np.uint8]
"""uint8 [H, W, 3] RGB."""
OtherSizes = Literal["refuse", "resize"]
"""What becomes of images that are not of the wanted size."""
LARGEST_SIDE = 4096
_AGAIN = "restore it, or fetch the pack again"
DECODING = "opencv rgb 1"
"""Raised when the same file decodes to other pixels."""


def decoded(content: bytes, place: str) -> Pixels:
    """Return the pixels of an encoded image, uint8 [H, W, 3] RGB, decoded by OpenCV as insightface's tools do.

    Raises:
        DataError: when the bytes are no image, or a damaged or far too large one (names ``place``).
    """
    import cv2

    stored_size(content, place)
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"{place}: damaged image ({error.err}): {_AGAIN}") from error
    if pixels is None:
        raise DataError(f"{place}: damaged image: {_AGAIN}")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decoder() -> str:
    """Return what decodes the images, with its version: JPEG decoders differ by one grey level here and there."""
    import cv2

    return f"OpenCV {cv2.__version__}"


def stored_size(content: bytes, place: str) -> tuple[int, int]:
    """Return (height, width) as the header of an encoded image says; the pixels are not decoded.

    Raises:
        DataError: when there is no such header, or the sides are not 1 to `LARGEST_SIDE` (names ``place``).
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except Exception as error:
        raise DataError(f"{place}: no image, or a damaged one ({type(error).__name__}): {_AGAIN}") from error
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise DataError(f"{place}: {width}x{height} pixels are no face crop: {_AGAIN}")
    return height, width


def squared(pixels: Pixels, image_size: int) -> Pixels:
    """Return ``pixels`` with the short side resized to ``image_size`` (area when shrinking) and the centre cut out."""
    import cv2

    height, width = pixels.shape[:2]
    if (height, width) == (image_size, image_size):
        return pixels
    scale = image_size / min(height, width)
    size = (max(image_size, round(width * scale)), max(image_size, round(height * scale)))
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - image_size) // 2, (size[0] - image_size) // 2
    return np.ascontiguousarray(resized[top : top + image_size, left : left + image_size])


def size_warnings(
    sizes: Iterable[tuple[str, tuple[int, int]]], image_size: int, other_sizes: OtherSizes, place: str
) -> Iterator[str]:
    """Yield a counted warning where images are not ``image_size`` pixels square and are going to be resized.

    Args:
        sizes: (name, (height, width)) of every image.
        image_size: the wanted side.
        other_sizes: whether such images are resized or refused.
        place: the pack, for messages.

    Raises:
        DataError: when there are such images and they are refused.
    """
    total, odd, example = 0, Counter[tuple[int, int]](), ""
    for name, size in sizes:
        total += 1
        if size != (image_size, image_size):
            odd[size] += 1
            example = example or name
    if not odd:
        return
    (height, width), _ = odd.most_common(1)[0]
    what = (
        f"{place}: {odd.total()} of {total} images are not {image_size}x{image_size} pixels (mostly {width}x{height}, "
        f"such as {example})"
    )
    if other_sizes == "refuse":
        raise DataError(f"{what}: align them first, or set other_sizes to resize, or image_size to theirs")
    yield f"{what}; they are resized, which is no alignment: published numbers are on aligned crops"


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Show encoded images as square RGB images (a ``NamedImages``); each is read and decoded when asked for.

    Attributes:
        names: name of each of the N images.
        fingerprint: sha256 (hex) of the content they come from and of how they are decoded.
        image_size: side in pixels.
        read: gives the encoded image of a row.
        place: gives the place of a row, for messages.
        other_sizes: what becomes of an image of another size when it is decoded; it matters to readers that looked at
            the sizes of a part of the images only.
    """

    names: Sequence[str]
    fingerprint: str
    image_size: int
    read: Callable[[int], bytes]
    place: Callable[[int], str]
    other_sizes: OtherSizes = "resize"

    def __len__(self) -> int:
        return len(self.names)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, S, S, 3] RGB.

        Raises:
            IndexError: when an index is out of range.
            DataError: when an image is missing, damaged, or of a size that is refused (names it).
        """
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        for pixels, row in zip(batch, wanted, strict=True):
            pixels[:] = self._square(int(row))
        return batch

    def _square(self, row: int) -> Pixels:
        pixels, side = decoded(self.read(row), self.place(row)), self.image_size
        if self.other_sizes == "refuse" and pixels.shape[:2] != (side, side):
            raise DataError(
                f"{self.place(row)}: not {side}x{side} pixels: align it first, or set other_sizes to resize"
            )
        return squared(pixels, side)


def decoding_fingerprint(sha256: str, names: Sequence[str], image_size: int) -> str:
    """Return the fingerprint of images whose files have the hash ``sha256``, in the order of ``names``.

    Another version of the decoder is another fingerprint: its pixels may differ, and what is noted must be true.
    """
    document = "\n".join([DECODING, decoder(), sha256, str(image_size), *names])
    return hashlib.sha256(document.encode("utf-8", "surrogateescape")).hexdigest()
