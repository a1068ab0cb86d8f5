"""Arithmetic with rounded numbers, against brute force over the unrounded ones and numbers from the papers by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from faceassay.audit.averages import EXACT, GAPS, MEMBERS, UNEXPLAINED, gaps, judged
from faceassay.audit.findings import digits
from faceassay.audit.rounded import beyond, is_share, mean, relative_gain, rounded

STEPS = [Fraction(k, 40) for k in range(-2, 3)]
"""Where an unrounded number can lie around one that is printed with one decimal: from -0.05 to 0.05."""


def number(text):
    found = rounded(text)
    assert found is not None
    return found


def unrounded(*texts):
    """Yield what may stand behind numbers with one decimal, on a grid that has the limits."""
    return product(*([Fraction(text) + step for step in STEPS] for text in texts))


@pytest.mark.parametrize(
    ("text", "low", "high"), [("92.5", "92.45", "92.55"), ("92.50", "92.495", "92.505"), ("6", "5.5", "6.5")]
)
def test_a_number_is_known_to_half_a_unit_of_its_last_digit(text, low, high):
    assert (number(text).low, number(text).high) == (Fraction(low), Fraction(high))


@pytest.mark.parametrize("text", ["", "N/A", "~0.35", "nan", "inf", "9.1.2"])
def test_what_is_no_number_is_none(text):
    assert rounded(text) is None


def test_fractions_become_percent_with_their_rounding():
    found = rounded("0.9688", 100)
    assert (found.value, found.low, found.high) == (Fraction("96.88"), Fraction("96.875"), Fraction("96.885"))


def test_limits_of_a_mean_are_those_of_brute_force():
    of_all = [sum(values) / 3 for values in unrounded("1.2", "3.5", "9.9")]
    found = mean([number("1.2"), number("3.5"), number("9.9")])
    assert (found.low, found.high) == (min(of_all), max(of_all))


@pytest.mark.parametrize(("one", "other"), [("3.0", "1.1"), ("1.1", "3.0"), ("2.0", "2.0"), ("2.0", "2.1")])
def test_limits_of_differences_distances_and_quotients_are_those_of_brute_force(one, other):
    pairs = list(unrounded(one, other))
    difference, quotient = number(one) - number(other), relative_gain(number(one), number(other))
    assert (difference.low, difference.high) == (min(a - b for a, b in pairs), max(a - b for a, b in pairs))
    of_all = [100 * (a - b) / b for a, b in pairs]
    assert (quotient.low, quotient.high) == (min(of_all), max(of_all))
    distances = [abs(a - b) for a, b in pairs]
    assert (abs(difference).low, abs(difference).high) == (min(distances), max(distances))


def test_a_mean_is_explained_exactly_where_some_unrounded_members_round_to_it():
    """All means with one decimal around that of three members, each tried against every unrounded member."""
    texts = ("1.2", "3.5", "9.9")
    of_all = [sum(values) / 3 for values in unrounded(*texts)]
    half = Fraction(1, 20)
    for tenths in range(44, 55):
        printed = number(f"{tenths / 10:.1f}")
        possible = any(abs(of - printed.value) <= half for of in of_all)
        assert (judged(printed, [number(text) for text in texts]) != UNEXPLAINED) is possible


@pytest.mark.parametrize(
    ("printed", "members", "said"),
    [
        ("67.44", "34.42 77.46 78.62 84.04 62.66 67.46", EXACT),  # ScoreMix, table 2: 404.66 / 6 = 67.443
        ("64.92", "34.78 73.12 71.86 81.00 61.91 66.82", EXACT),  # 389.49 / 6 = 64.915, a tie
        ("66.17", "34.83 76.21 75.02 82.91 61.41 66.60", MEMBERS),  # 396.98 / 6 = 66.1633
        ("79.30", "92.23 71.62 77.05 78.56 72.03", UNEXPLAINED),  # IDiff-Face, USynthFace: 391.49 / 5 = 78.298
        ("79.13", "92.58 75.40 74.25 63.88 79.90", UNEXPLAINED),  # Vec2Face, IDnet: 386.01 / 5 = 77.202
        ("79.13", "92.58 75.40 74.25 73.53 79.90", EXACT),  # the same with IDiff-Face's AgeDB: 395.66 / 5 = 79.132
        ("94.26", "99.3 94.87 94.35 93.15 89.65", EXACT),  # CemiFace, LFW with one decimal: 471.32 / 5 = 94.264
    ],
)
def test_averages_of_the_papers(printed, members, said):
    assert judged(number(printed), [number(text) for text in members.split()]) == said


@pytest.mark.parametrize(
    ("own", "real", "printed", "definition"),
    [
        ("86.37", "94.62", "8.25", "difference in points"),  # 94.62 - 86.37
        ("86.37", "94.62", "8.72", "relative to the other row"),  # DCFace, supplement: 8.25 / 94.62
        ("86.37", "94.62", "9.55", "relative to the row itself"),  # DCFace, table 4: 8.25 / 86.37
        ("89.56", "94.26", "4.70", "difference in points"),  # CemiFace, table 6
    ],
)
def test_a_gap_fits_one_definition(own, real, printed, definition):
    found = gaps(number(own), number(real))
    assert [name for name in GAPS if number(printed).meets(found[name])] == [definition]


@pytest.mark.parametrize(
    ("one", "other", "spreads", "said"),
    [
        ("36.62", "32.13", ("0.77", "1.87"), True),  # AugGen, B-1e-6: 4.49 > 2 sqrt(0.593 + 3.497) = 4.045
        ("61.60", "61.51", ("0.38", "0.16"), False),  # AugGen, TinyFace: 0.09
        ("2.61", "1.02", ("0.91", "0.26"), False),  # AugGen on CASIA, B-1e-6: 1.59 < 1.893
        ("92.50", "92.47", ("0.02",), None),  # between 0.02 and 0.04, against between 0.03 and 0.05
        ("1.00", "2.00", ("0.30", "0.30"), True),  # -1.00 is as far as 1.00; 2 sqrt(0.18) = 0.849
    ],
)
def test_two_deviations_of_a_difference(one, other, spreads, said):
    assert beyond(number(one) - number(other), [number(spread) for spread in spreads], 2) is said


def test_shares_of_pairs_are_those_of_counting():
    count = 60
    possible = {f"{100 * k / count:.1f}" for k in range(count + 1)}  # no tie: 100 k / 60 has thirds or is exact
    for tenths in range(0, 1001):
        text = f"{tenths / 10:.1f}"
        assert is_share(number(text), count) is (text in possible)


@pytest.mark.parametrize(("text", "said"), [("99.38", True), ("98.81", False), ("85.16", False), ("63.88", True)])
def test_shares_of_6000_pairs(text, said):
    """5,929 of 6,000 are 98.8167 and 5,928 are 98.80; 5,963 are 99.383; 5,110 are 85.167; 3,833 are 63.883."""
    assert is_share(number(text), 6000) is said


@pytest.mark.parametrize(
    ("value", "places", "sign", "text"),
    [
        ("66.165", 2, False, "66.17"),
        ("-0.004", 2, True, "+0.00"),
        ("-1.996", 2, True, "-2.00"),
        ("0.05", 1, True, "+0.1"),
    ],
)
def test_digits_are_rounded_exactly(value, places, sign, text):
    assert digits(Fraction(value), places, sign) == text
