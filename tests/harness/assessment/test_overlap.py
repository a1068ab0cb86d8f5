"""Verdicts on benchmarks: planted people are found, strangers are not, and what cannot be told is not told."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from faceassay.assessment.overlap import Above, Verdict, by_content, by_embedding, by_name, together

RNG = np.random.default_rng(0)
HELD_OUT = RNG.uniform(0, 0.4, 500).astype(np.float32)
OWN = RNG.uniform(0.6, 0.9, 300).astype(np.float32)


def above(benchmark, own=OWN):
    return Above.of(HELD_OUT, np.asarray(benchmark, np.float32), own)


def test_strangers_are_clean():
    found = by_embedding(above(RNG.uniform(0, 0.39, 400)))
    assert found.word == "clean"
    assert "of 400 images" in found.reason
    assert "of the set's own images 100.0 % are (300 images)" in found.reason


def test_planted_people_are_found():
    assert by_embedding(above([0.1] * 90 + [0.8] * 10)).word == "contaminated"


def test_planted_people_are_found_even_where_power_is_low():
    assert by_embedding(above([0.1] * 90 + [0.8] * 10, OWN - 0.5)).word == "contaminated"


def test_strangers_are_unknown_where_own_people_would_not_be_found():
    found = by_embedding(above([0.1] * 90, OWN - 0.5))
    assert found.word == "unknown"
    assert "too few to find people by" in found.reason


def test_own_images_without_another_of_their_class_do_not_count():
    own = np.array([0.9, np.nan, 0.1], np.float32)
    assert (above([0.1], own).known, above([0.1], own).power) == (2, 0.5)


def test_no_class_of_two_images_is_no_power():
    assert by_embedding(above([0.1], np.array([np.nan], np.float32))).word == "unknown"


def probability(count, images, beyond, held_out):
    """Count the orders of all cosines: before the held-out one of rank ``beyond`` + 1 from above come ``count``."""
    ways = sum(comb(k + beyond, k) * comb(images - k + held_out - beyond - 1, images - k) for k in range(count))
    return 1 - Fraction(ways, comb(images + held_out, images))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 9, 20])
def test_the_probability_is_that_of_one_order_among_all(count):
    found = above([0.1] * (100 - count) + [0.8] * count)
    wanted = probability(count, 100, 5, 500)
    assert (found.held_out, found.beyond, found.expected) == (500, 5, 6 / 501)
    assert found.p_value() == pytest.approx(float(wanted), rel=1e-9)
    assert (by_embedding(found).word == "contaminated") == (wanted < 0.01)


@pytest.mark.parametrize(("held_out", "images"), [(100, 12_000), (500, 2000), (1000, 200)])
def test_strangers_are_seldom_called_contaminated_however_few_are_held_out(held_out, images):
    rng = np.random.default_rng(1)
    draws = [(rng.uniform(0, 0.4, held_out), rng.uniform(0, 0.4, images)) for _ in range(300)]
    words = [by_embedding(Above.of(*(part.astype(np.float32) for part in draw), OWN)).word for draw in draws]
    assert words.count("contaminated") <= 9  # 3 expected


def test_equal_cosines_are_not_above_one_another():
    found = Above.of(np.full(200, 0.3, np.float32), np.full(50, 0.3, np.float32), OWN)
    assert (found.beyond, found.above) == (0, 0)
    assert found.p_value() == pytest.approx(1)


def test_a_benchmark_of_one_image_is_neither_clean_nor_contaminated():
    for cosine in (0.1, 0.8):
        found = by_embedding(above([cosine]))
        assert found.word == "unknown"
        assert found.reason.endswith("the benchmark has too few images to tell")


def test_nothing_to_calibrate_on_is_unknown():
    assert by_embedding(None, "no held-out people") == Verdict("unknown", "no held-out people")


@pytest.mark.parametrize(("shared", "word"), [(0, "clean"), (1, "contaminated")])
def test_one_image_in_common_is_enough(shared, word):
    assert by_content(shared, 50).word == word


@pytest.mark.parametrize(
    ("shared", "people", "named", "word"),
    [(0, 5, 9, "clean"), (1, 5, 9, "contaminated"), (0, 0, 9, "unknown"), (0, 5, 0, "unknown")],
)
def test_names_tell_where_both_have_some(shared, people, named, word):
    assert by_name(shared, people, named).word == word


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("clean", "clean", "clean"), "clean"),
        (("contaminated", "clean", "unknown"), "contaminated"),
        (("clean", "contaminated", "clean"), "contaminated"),
        (("clean", "clean", "unknown"), "unknown"),
        (("clean", "unknown", "clean"), "clean"),
    ],
)
def test_a_benchmark_is_as_its_embeddings_say_unless_something_is_shared(words, word):
    assert together([Verdict(one, "") for one in words]) == word
