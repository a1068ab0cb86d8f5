"""Measures of light against images whose measures are known, and against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy.ndimage import laplace

from faceassay.contracts import AttributeTable
from faceassay_plugins.attributes.photometry import Photometry

BRIGHTNESS, CONTRAST, SIDE, SHARPNESS = range(4)


def measured(*images):
    return Photometry().predict(np.stack(images), [str(i) for i in range(len(images))])


def grey(values):
    """Return an RGB image of grey levels [H, W]."""
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=-1)


def images(sides=(3, 9)):
    side = st.shared(st.integers(*sides), key="side")
    return side.flatmap(lambda s: arrays.arrays(np.uint8, (2, s, s, 3)))


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_plain_image_has_its_level_and_nothing_else(level):
    np.testing.assert_allclose(measured(grey(np.full((6, 6), level))), [[level, 0, 0, 0]], atol=1e-5)


@pytest.mark.parametrize(("colour", "luma"), [((255, 0, 0), 76.245), ((0, 255, 0), 149.685), ((0, 0, 255), 29.07)])
def test_the_luma_of_a_colour_is_that_of_bt_601(colour, luma):
    assert measured(np.broadcast_to(np.array(colour, np.uint8), (4, 4, 3)))[0, BRIGHTNESS] == pytest.approx(luma)


def test_brightness_and_contrast_are_those_of_pillows_luma():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    luma = np.asarray(Image.fromarray(image).convert("L"), float)  # rounded to whole levels
    assert measured(image)[0, :2] == pytest.approx([luma.mean(), luma.std()], abs=0.6)


def test_half_black_half_white_has_the_most_contrast_and_side_light():
    right = grey(np.repeat([[0] * 4 + [255] * 4], 8, axis=0))
    np.testing.assert_allclose(measured(right, right[:, ::-1])[:, :3], [[127.5, 127.5, 255], [127.5, 127.5, -255]])


def test_a_checkerboard_is_as_sharp_as_an_image_can_be():
    board = grey(np.indices((6, 6)).sum(0) % 2 * 255)
    assert measured(board)[0, SHARPNESS] == pytest.approx(4 * 255)


def test_a_ramp_has_no_laplacian():
    assert measured(grey(np.add.outer(np.arange(8), 3 * np.arange(8))))[0, SHARPNESS] == pytest.approx(0, abs=1e-4)


def test_the_middle_column_of_an_odd_width_is_on_neither_side():
    middle = np.zeros((5, 5), np.uint8)
    middle[:, 2] = 255
    assert measured(grey(middle))[0, SIDE] == 0


def test_the_laplacian_is_scipys():
    image = np.random.default_rng(0).integers(0, 256, (9, 7))
    wanted = np.abs(laplace(image.astype(float))[1:-1, 1:-1]).mean()
    assert measured(grey(image))[0, SHARPNESS] == pytest.approx(wanted)


@given(images())
def test_a_mirrored_image_has_the_opposite_side_light_and_the_same_rest(pair):
    own, mirrored = measured(*pair), measured(*pair[:, :, ::-1])
    np.testing.assert_allclose(mirrored, own * [1, 1, -1, 1], atol=1e-3)


@given(images())
def test_no_image_leaves_the_ranges(pair):
    made = AttributeTable(Photometry().columns(), measured(*pair))
    assert made.values.dtype == np.float32
    assert np.isfinite(made.values).all()


@pytest.mark.parametrize("level", [0, 255])
def test_the_ends_of_the_ranges_are_in_them(level):
    board = grey(np.indices((8, 8)).sum(0) % 2 * 255)
    halves = grey(np.repeat([[0] * 4 + [255] * 4], 8, axis=0))
    AttributeTable(Photometry().columns(), measured(grey(np.full((8, 8), level)), board, halves, halves[:, ::-1]))


@given(images())
def test_an_image_is_measured_by_itself(pair):
    np.testing.assert_array_equal(measured(*pair), np.concatenate([measured(image) for image in pair]))
