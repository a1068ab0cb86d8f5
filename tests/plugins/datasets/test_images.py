"""Decoding, against pixels that were put in, Pillow's own decoding, and formulas written a second time."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from faceassay_plugins.datasets.images import check_image, decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def smooth(size=(60, 50), seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def quarters():
    """Return a 16 x 16 picture: red, green above blue, white."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :8], pixels[:8, 8:], pixels[8:, :8], pixels[8:, 8:] = RED, GREEN, BLUE, WHITE
    return Image.fromarray(pixels)


def corners(pixels):
    return [tuple(int(v) for v in pixels[y, x]) for y, x in [(1, 1), (1, -2), (-2, 1), (-2, -2)]]


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_of_the_right_size_is_unchanged(fit):
    image = smooth((32, 32))
    assert np.array_equal(decode(encode(image), 32, fit), np.asarray(image))


def test_pixels_are_uint8_rgb():
    pixels = decode(encode(smooth()), 24, "crop")
    assert (pixels.dtype, pixels.shape) == (np.uint8, (24, 24, 3))


def test_a_jpeg_is_what_pillow_reads():
    content = encode(smooth((32, 32)), "JPEG")
    assert np.array_equal(decode(content, 32, "crop"), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize(("kind", "options"), [("PPM", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_other_lossless_formats(kind, options):
    image = smooth((32, 32))
    assert np.array_equal(decode(encode(image, kind, **options), 32, "crop"), np.asarray(image))


def test_crop_takes_the_centre():
    image = smooth((60, 40))
    assert np.array_equal(decode(encode(image), 40, "crop"), np.asarray(image)[:, 10:50])


def test_crop_of_a_tall_picture_takes_the_centre():
    image = smooth((40, 61))
    assert np.array_equal(decode(encode(image), 40, "crop"), np.asarray(image)[10:50])


def test_pad_repeats_the_edges():
    image = smooth((40, 60))
    pixels = np.asarray(image)
    columns = np.clip(np.arange(60) - 10, 0, 39)
    assert np.array_equal(decode(encode(image), 60, "pad"), pixels[:, columns])


def test_pad_of_a_wide_picture_repeats_the_edges():
    image = smooth((60, 41))
    rows = np.clip(np.arange(60) - 9, 0, 40)
    assert np.array_equal(decode(encode(image), 60, "pad"), np.asarray(image)[rows])


def test_stretch_keeps_every_corner():
    assert corners(decode(encode(quarters().resize((60, 40), Image.Resampling.NEAREST)), 16, "stretch")) == [
        RED,
        GREEN,
        BLUE,
        WHITE,
    ]


def test_shrinking_is_antialiased():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    shrunk = decode(encode(Image.fromarray(board.astype(np.uint8))), 8, "crop")
    assert np.abs(shrunk.astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_the_exif_orientation_is_applied(orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert corners(decode(encode(quarters(), exif=exif), 16, "crop")) == expected


def test_grey_becomes_three_equal_channels():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode(encode(Image.fromarray(grey)), 16, "crop"), grey[..., None].repeat(3, axis=2))


def test_black_and_white_becomes_0_and_255():
    bits = np.eye(16, dtype=bool)
    assert np.array_equal(decode(encode(Image.fromarray(bits)), 16, "crop")[..., 1], bits * 255)


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
def test_sixteen_bit_grey_is_scaled(kind):
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.floor(values / 257 + 0.5)
    assert np.array_equal(decode(encode(Image.fromarray(values), kind), 16, "crop")[..., 0], expected)


def test_sixteen_bit_colour_keeps_the_high_bytes():
    values = np.random.default_rng(0).integers(0, 2**16, (8, 8, 3), dtype=np.uint16)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    framed = [struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks]
    assert np.array_equal(decode(b"\x89PNG\r\n\x1a\n" + b"".join(framed), 8, "crop"), values >> 8)


def test_a_palette_is_looked_up():
    image = quarters().quantize(4, method=Image.Quantize.FASTOCTREE)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(encode(image), 16, "crop"), expected)


def test_transparent_pixels_lie_over_black():
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[..., 3] = np.array([0, 51, 102, 153, 204, 255, 255, 0])
    expected = np.round(200.0 * pixels[..., 3] / 255)
    assert np.abs(decode(encode(Image.fromarray(pixels)), 8, "crop")[..., 0] - expected).max() <= 1


def test_opaque_alpha_changes_nothing():
    image = smooth((16, 16))
    with_alpha = image.copy()
    with_alpha.putalpha(255)
    assert np.array_equal(decode(encode(with_alpha), 16, "crop"), np.asarray(image))


def test_a_transparent_palette_entry_lies_over_black():
    image = Image.new("P", (8, 8))
    image.putpalette([*RED, *WHITE])
    image.putpixel((3, 3), 1)
    pixels = decode(encode(image, transparency=1), 8, "crop")
    assert pixels[3, 3].tolist() == [0, 0, 0]
    assert pixels[0, 0].tolist() == list(RED)


def test_grey_with_alpha():
    image = Image.new("LA", (8, 8), (90, 255))
    assert (decode(encode(image), 8, "crop") == 90).all()


def test_cmyk_follows_the_plain_formula():
    content = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(decode(content, 16, "crop").astype(int) - RED).max() <= 3


def test_the_first_of_several_frames_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    content = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert decode(content, 8, "crop")[4, 4].tolist() == list(RED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"not an image at all", "no JPEG, PNG"),
        (b"\xff\xd8\xff", "no JPEG, PNG|damaged"),
        (b"GIF89a" + bytes(100), "no JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "no JPEG, PNG"),
    ],
)
def test_what_is_no_image_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        check_image(content)


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("BMP", {}), ("WEBP", {})]
)
def test_an_image_cut_anywhere_is_refused_or_whole(kind, options):
    content = encode(smooth((30, 25)), kind, **options)
    whole = decode(content, 16, "stretch")
    for cut in range(0, len(content), 3):
        try:
            pixels = decode(content[:cut], 16, "stretch")
        except ValueError:
            continue
        assert np.array_equal(pixels, whole)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PPM", "BMP", "WEBP"])
def test_half_an_image_is_refused(kind):
    content = encode(smooth(), kind)
    with pytest.raises(ValueError, match=r"damaged image|no JPEG"):
        check_image(content[: len(content) // 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_random_damage_raises_nothing_but_value_errors(kind):
    rng = np.random.default_rng(0)
    content = encode(smooth((24, 24)), kind)
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(48, len(content), 3):  # behind the size, which may ask for gigabytes
            damaged[place] = rng.integers(256)
        with contextlib.suppress(ValueError):
            check_image(bytes(damaged))


def test_an_absurd_size_is_refused_before_decoding():
    header = b"P5 60000 60000 255\n"
    with pytest.raises(ValueError, match="too large for a face image"):
        check_image(header + bytes(100))
