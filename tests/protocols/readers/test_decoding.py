"""From stored files to pixels: colour order, sizes, damage, fingerprints."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceassay.contracts import DataError
from faceassay_protocols.readers.decoding import (
    EncodedImages,
    decoded,
    decoder,
    decoding_fingerprint,
    size_warnings,
    squared,
    stored_size,
)

RED = np.full((8, 6, 3), (250, 10, 20), np.uint8)


def encoded(pixels, kind="PNG", **options):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def images(contents, image_size=4, other_sizes="resize"):
    return EncodedImages(
        names=[f"{k}.png" for k in range(len(contents))],
        fingerprint="f",
        image_size=image_size,
        read=contents.__getitem__,
        place="image {}".format,
        other_sizes=other_sizes,
    )


def test_pixels_are_rgb():
    np.testing.assert_array_equal(decoded(encoded(RED), "x"), RED)


def test_jpeg_pixels_are_nearly_those_of_another_decoder():
    rng = np.random.default_rng(0)
    content = encoded(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1), "JPEG", quality=90)
    pillow = np.asarray(Image.open(io.BytesIO(content)), dtype=int)
    assert np.abs(decoded(content, "x") - pillow).mean() < 1.5


def test_grey_images_have_three_equal_channels():
    pixels = decoded(encoded(np.arange(16, dtype=np.uint8).reshape(4, 4)), "x")
    np.testing.assert_array_equal(pixels, np.arange(16).reshape(4, 4, 1).repeat(3, axis=2))


def test_pixels_are_contiguous_and_the_readers_own():
    pixels = decoded(encoded(RED), "x")
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_the_size_is_height_then_width():
    assert stored_size(encoded(RED), "x") == (8, 6)
    assert decoded(encoded(RED), "x").shape == (8, 6, 3)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"no image", encoded(RED)[:20]])
def test_what_is_no_image_is_named(content):
    for use in (stored_size, decoded):
        with pytest.raises(DataError, match=r"zip/a\.jpg: no image, or a damaged one \(.*\): restore it, or fetch"):
            use(content, "zip/a.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_image_cut_short_is_refused(kind):
    content = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    with pytest.raises(DataError, match=r"a: damaged image.*: restore it, or fetch the pack again"):
        decoded(content[: len(content) // 2], "a")


def test_an_image_of_absurd_size_is_not_decoded():
    header = struct.pack(">IIBBBBB", 2**20, 2**20, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    content = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(DataError, match=r"a\.png: "):
        decoded(content, "a.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans(), st.sampled_from(["PNG", "JPEG", "BMP"]))
def test_a_damaged_image_decodes_or_is_refused(at, byte, cut, kind):
    content = bytearray(encoded(RED, kind))
    content[at % len(content)] = byte
    with suppress(DataError):
        assert decoded(bytes(content[: at % len(content)] if cut else content), "x").shape[2] == 3


def test_an_image_of_the_wanted_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(squared(pixels, 5), pixels)


def test_shrinking_takes_the_mean_of_areas():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    means = pixels.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(squared(pixels, 4) - means).max() <= 0.5


def test_the_middle_of_the_longer_side_is_kept():
    columns = np.arange(12, dtype=np.uint8).repeat(2) * 20
    wide = np.broadcast_to(columns[None, :, None], (8, 24, 3)).astype(np.uint8)
    np.testing.assert_array_equal(squared(wide, 4)[0, :, 0], columns[8:16:2])
    np.testing.assert_array_equal(squared(wide.transpose(1, 0, 2), 4)[:, 0, 0], columns[8:16:2])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 24))
def test_every_shape_becomes_the_wanted_square(height, width, side):
    assert squared(np.zeros((height, width, 3), np.uint8), side).shape == (side, side, 3)


SIZES = [("a", (4, 4)), ("b", (8, 6)), ("c", (8, 6)), ("d", (9, 9))]


def test_images_of_the_wanted_size_give_no_warning():
    for other_sizes in ("refuse", "resize"):
        assert list(size_warnings([("a", (4, 4))], 4, other_sizes, "pack")) == []
        assert list(size_warnings([], 4, other_sizes, "pack")) == []


def test_other_sizes_are_counted_with_the_commonest_as_width_by_height():
    (warning,) = size_warnings(SIZES, 4, "resize", "pack")
    assert warning.startswith("pack: 3 of 4 images are not 4x4 pixels (mostly 6x8, such as b); they are resized")


def test_other_sizes_are_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"3 of 4 images are not 4x4 .* align them first, or set other_sizes to resize"):
        list(size_warnings(SIZES, 4, "refuse", "pack"))


def test_images_come_in_the_order_asked_for():
    flat = [encoded(np.full((4, 4, 3), k * 50, np.uint8)) for k in range(4)]
    batch = images(flat).images(np.array([3, 0, 3]))
    assert batch.dtype == np.uint8
    assert batch.shape == (3, 4, 4, 3)
    assert batch[:, 0, 0, 0].tolist() == [150, 0, 150]


def test_no_images_are_an_empty_batch():
    assert images([encoded(RED)]).images(np.array([], dtype=np.int64)).shape == (0, 4, 4, 3)


@pytest.mark.parametrize("row", [-1, 1])
def test_a_row_that_is_not_there_is_an_index_error(row):
    with pytest.raises(IndexError):
        images([encoded(RED)]).images(np.array([row]))


def test_only_what_is_asked_for_is_read():
    assert images([encoded(RED), b"damaged"]).images(np.array([0])).shape == (1, 4, 4, 3)
    with pytest.raises(DataError, match="image 1: no image"):
        images([encoded(RED), b"damaged"]).images(np.array([0, 1]))


def test_another_size_is_refused_when_decoded_where_the_reader_says_so():
    with pytest.raises(DataError, match="image 0: not 4x4 pixels"):
        images([encoded(RED)], other_sizes="refuse").images(np.array([0]))


def test_fingerprints_differ_by_content_names_order_and_size():
    variants = [("s", ["a", "b"], 112), ("t", ["a", "b"], 112), ("s", ["b", "a"], 112), ("s", ["a", "b"], 96)]
    assert len({decoding_fingerprint(*variant) for variant in variants}) == 4
    assert decoding_fingerprint(*variants[0]) == decoding_fingerprint(*variants[0])


def test_names_that_no_utf8_holds_have_a_fingerprint():
    assert len(decoding_fingerprint("s", ["a\udcff.jpg"], 112)) == 64


def test_the_decoder_is_named_with_its_version():
    assert decoder() == f"OpenCV {cv2.__version__}"
