"""The shape of the EDM2 U-Net: which levels there are, and what does not fit them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from faceassay_plugins.generators.edm2 import Edm2


def test_levels_halve_the_image():
    assert Edm2().architecture(64, 10).resolutions == (64, 32, 16, 8)


def test_112_pixels_end_at_14():
    assert Edm2(attention_resolutions=(28, 14)).architecture(112, 10).resolutions == (112, 56, 28, 14)


def test_levels_carry_width_and_attention():
    levels = Edm2(channels=32).architecture(64, 10).levels
    assert [(level.channels, level.attention) for level in levels] == [
        (32, False),
        (64, False),
        (96, True),
        (128, True),
    ]


def test_attention_at_no_level_is_an_error_that_names_the_levels():
    with pytest.raises(ValueError, match=r"\[8, 16\] match no level.*112, 56, 28, 14"):
        Edm2().check(112, 10)


def test_one_unknown_attention_resolution_among_known_ones_is_an_error():
    with pytest.raises(ValueError, match=r"\[16\] match no level"):
        Edm2(attention_resolutions=(28, 16)).check(112, 10)


def test_an_image_size_that_cannot_be_halved_is_an_error():
    with pytest.raises(ValueError, match="divisible by 8"):
        Edm2(attention_resolutions=()).check(100, 10)


def test_a_fitting_image_size_passes_the_check():
    Edm2().check(64, 10)


@pytest.mark.parametrize(("channels", "heads"), [(16, 1), (64, 1), (96, 1), (128, 2), (576, 9)])
def test_heads_have_64_channels_and_a_narrow_level_has_one(channels, heads):
    assert Edm2().architecture(64, 10).heads(channels) == heads


def test_heads_that_do_not_divide_a_level_are_an_error():
    with pytest.raises(ValueError, match="3 attention heads do not divide the 200 channels"):
        Edm2(channels=200, channel_multipliers=(1,), attention_resolutions=()).check(64, 10)


def test_the_embedding_is_as_wide_as_the_widest_level():
    assert Edm2(channels=64).architecture(64, 10).embedding_channels == 256


@pytest.mark.parametrize("wrong", [{"channel_multipliers": ()}, {"channel_multipliers": (1, 0)}, {"blocks": 0}])
def test_an_impossible_network_is_refused(wrong):
    with pytest.raises(ValidationError):
        Edm2(**wrong)
