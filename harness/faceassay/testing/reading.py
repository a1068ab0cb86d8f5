"""Own the checks of random access to images, which datasets and packs share: shape, order, threads, ownership."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from faceassay.contracts import FaceImages, ImageBatch, IntArray
from faceassay.datasets import evenly_chosen
from faceassay.testing.checks import Check, check, require
from faceassay.testing.disturbance import Disturbance, watched
from faceassay.testing.inputs import Handed
from faceassay.testing.subject import Subject

MOST = 24
"""Images that are read."""
THREADS = 4
SHA256 = 64

Opening = Callable[[Subject], FaceImages]


def reading(opened: Opening, opened_anew: Opening, of: str) -> tuple[Check, ...]:
    """Return the checks of the images that ``opened`` gives.

    Args:
        opened: opens once for all checks.
        opened_anew: opens again.
        of: the contract of opening.
    """

    @check(
        of,
        "Opened again it is the same, fingerprint included.",
        do="let the fingerprint be a sha256 of the files and of how they are decoded, without time or path.",
    )
    def opening_repeats(subject: Subject) -> None:
        _require_the_same(opened(subject), opened_anew(subject))

    @check(
        "FaceImages.images",
        "Return the images at ``index`` (int64 [B]) as uint8 [B, H, W, 3] RGB; several threads may call it at once.",
        do="decode into uint8 RGB of image_size, and hold no open file or position that two threads share.",
    )
    def images_are_uint8_rgb(subject: Subject) -> None:
        _require_uint8_rgb(opened(subject))

    @check(
        "FaceImages.images",
        "B may be 0. In any order and any company an image is the same.",
        do="take the rows as they come: any order, one twice, none at all.",
    )
    def any_index_is_read(subject: Subject) -> None:
        _require_any_index(opened(subject))

    @check("FaceImages.images", "The array is the caller's own.", do="return a copy where images are kept in memory.")
    def images_are_the_callers_own(subject: Subject) -> None:
        _require_copies(opened(subject))

    return opening_repeats, images_are_uint8_rgb, any_index_is_read, images_are_the_callers_own


def read(data: Callable[[], FaceImages], handed: Handed) -> Disturbance:
    """Open a set and read some images, and return what that disturbed."""
    with watched(1) as disturbance:
        opened = data()
        opened.images(handed.over("the index", chosen(opened)))
    return disturbance


def chosen(data: FaceImages) -> IntArray:
    """Return the rows that are read, spread over the set."""
    return evenly_chosen(np.arange(len(data), dtype=np.int64), MOST)


def _require_the_same(data: FaceImages, again: FaceImages) -> None:
    prints = data.fingerprint, again.fingerprint
    is_digest = len(prints[0]) == SHA256 and not {*prints[0]} - {*"0123456789abcdef"}
    require(is_digest, f"fingerprint is {prints[0]!r}, no sha256 in hex")
    require(prints[0] == prints[1], f"fingerprints are {prints[0][:12]} and, opened again, {prints[1][:12]}")
    same = len(data) == len(again) and np.array_equal(_images(data, chosen(data)), _images(again, chosen(again)))
    require(same, "opened again it has other images")


def _require_uint8_rgb(data: FaceImages) -> None:
    index, size = chosen(data), data.image_size
    images = _images(data, index)
    got = f"{getattr(images, 'dtype', type(images).__name__)} {list(getattr(images, 'shape', []))}"
    is_right = isinstance(images, np.ndarray) and images.dtype == np.uint8
    require(
        is_right and images.shape == (len(index), size, size, 3), f"images() returned {got} for {len(index)} images"
    )
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(lambda row: data.images(np.array([row])), [*index, *index]))
    require(np.array_equal(np.concatenate(parts), np.concatenate([images, images])), "threads read other images")


def _require_any_index(data: FaceImages) -> None:
    index, size = chosen(data), data.image_size
    images = np.array(_images(data, index))
    none = data.images(np.empty(0, np.int64))
    require(
        none.shape == (0, size, size, 3) and none.dtype == np.uint8, f"no row gives {none.dtype} {list(none.shape)}"
    )
    turned = _images(data, np.concatenate([index[::-1], index[:1]]))
    require(np.array_equal(turned, np.concatenate([images[::-1], images[:1]])), "in another order images are others")


def _require_copies(data: FaceImages) -> None:
    index = chosen(data)[:2]
    mine = _images(data, index)
    require(mine.flags.writeable, "images() returned an array that cannot be written into")
    before = mine.copy()
    mine[:] = 255 - mine
    again = np.array(_images(data, index))
    mine[:] = before
    require(np.array_equal(again, before), "what the caller writes into its array is read back")


def _images(data: FaceImages, index: IntArray) -> ImageBatch:
    return data.images(index.copy())
