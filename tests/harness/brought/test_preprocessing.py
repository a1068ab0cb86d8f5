"""What a network is fed: by hand for single pixels, and which alternatives are worth trying."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay import keys
from faceassay.brought.preprocessing import Preprocessing, alternatives, prepared
from faceassay.contracts import DataError

ORANGE = np.array([[[[255, 102, 0]]]], np.uint8)


@pytest.mark.parametrize(
    ("stated", "channels"),
    [
        (Preprocessing(), [1, -0.2, -1]),
        (Preprocessing("bgr"), [-1, -0.2, 1]),
        (Preprocessing("rgb", 0, 255), [1, 0.4, 0]),
        (Preprocessing("bgr", 0, 1), [0, 102, 255]),
        (Preprocessing("rgb", 100, 50), [3.1, 0.04, -2]),
    ],
)
def test_one_pixel_by_hand(stated, channels):
    np.testing.assert_allclose(prepared(ORANGE, stated).ravel(), channels, rtol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_channels_come_first_and_every_pixel_keeps_its_place(count, side, seed):
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    x = prepared(images, Preprocessing("rgb", 0, 1))
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    for b, y, column, c in np.ndindex(images.shape):
        assert x[b, c, y, column] == images[b, y, column, c]


def test_alternatives_differ_in_one_aspect_each():
    found = [(one.aspect, one.preprocessing) for one in alternatives(Preprocessing("bgr", 0, 255))]
    assert found == [
        ("colour order", Preprocessing("rgb", 0, 255)),
        ("scaling", Preprocessing("bgr", 127.5, 127.5)),
        ("scaling", Preprocessing("bgr", 0, 1)),
    ]


def test_all_usual_scalings_are_alternatives_to_an_unusual_one():
    assert [one.aspect for one in alternatives(Preprocessing("rgb", 100, 50))].count("scaling") == 3


@pytest.mark.parametrize("values", [("grey", 0, 1), ("rgb", 0, 0), ("rgb", 0, -1), ("rgb", float("nan"), 1)])
def test_values_out_of_range_are_refused(values):
    with pytest.raises(DataError):
        Preprocessing(*values)


def test_the_same_numbers_make_the_same_key():
    assert keys.canonical(Preprocessing("rgb", 0, 255).document) == keys.canonical(
        Preprocessing("rgb", -0.0, 255.0).document
    )
