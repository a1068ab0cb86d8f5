"""Own decoding: the bytes of any common image file to square 8-bit RGB pixels. Knows no files and no identities."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from faceassay import ImageBatch

Fit = Literal["crop", "pad", "stretch"]
"""How an image becomes square: its centre, its edges repeated, or squeezed."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".webp")
"""Suffixes of the formats read, in lower case."""

_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "WEBP")
_BEGINNINGS = {
    **{b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"BM": ".bmp", b"P2": ".pgm", b"P5": ".pgm"},
    **dict.fromkeys((b"P1", b"P3", b"P4", b"P6"), ".ppm"),
}
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_DAMAGE = (OSError, EOFError, SyntaxError, ValueError, TypeError, IndexError, struct.error, zlib.error)


def decode(content: bytes, image_size: int, fit: Fit) -> ImageBatch:
    """Return the pixels of an image file as uint8 [image_size, image_size, 3] RGB.

    The EXIF orientation is applied. Grey, palette and 16-bit images become 8-bit RGB, CMYK by Pillow's plain formula
    (no colour profile), and transparent pixels are laid over black. Of several frames the first counts. Resizing is
    Pillow's antialiased Lanczos.

    Raises:
        ValueError: when the bytes are no image, or a damaged or truncated one.
    """
    square = _FITS[fit](_read_rgb(content))
    return np.asarray(square.resize((image_size, image_size), Image.Resampling.LANCZOS))


def suffix_of(content: bytes) -> str:
    """Return the suffix that says what the bytes of an image file are, by how they begin.

    Raises:
        ValueError: when they begin like no format that is read.
    """
    for beginning, suffix in _BEGINNINGS.items():
        if content.startswith(beginning):
            return suffix
    raise ValueError("begins like no JPEG, PNG, PGM, PPM, BMP or WebP image")


def check_image(content: bytes) -> None:
    """Decode all of an image file.

    Raises:
        ValueError: when the bytes are no image, or a damaged or truncated one.
    """
    _read_rgb(content)


def _read_rgb(content: bytes) -> Image.Image:
    if not content:
        raise ValueError("empty file")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return _as_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise ValueError("no JPEG, PNG, PGM, PPM, BMP or WebP image") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"too large for a face image: {error}") from error
    except _DAMAGE as error:
        raise ValueError(f"damaged image: {error}") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        return _eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 0..65535 to 0..255, rounded (PNG specification, sample depth scaling)."""
    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _crop(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _pad(image: Image.Image) -> Image.Image:
    side = max(image.size)
    pixels: NDArray[np.uint8] = np.asarray(image)
    return Image.fromarray(np.pad(pixels, (_margins(side, image.height), _margins(side, image.width), (0, 0)), "edge"))


def _margins(side: int, length: int) -> tuple[int, int]:
    before = (side - length) // 2
    return before, side - length - before


def _stretch(image: Image.Image) -> Image.Image:
    return image


_FITS: Mapping[Fit, Callable[[Image.Image], Image.Image]] = {"crop": _crop, "pad": _pad, "stretch": _stretch}
