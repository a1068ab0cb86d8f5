"""Paired differences: their value in closed form, which sets are paired, and what pairing is good for."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay.assessing.numbers import AGREEMENT, CONSISTENCY, SEPARATION, SetNumbers
from faceassay.assessing.pairs import differences


def numbers(name, consistency, seeds="0", identities=None, images=4, asked="", **more):
    count = len(consistency)
    names = identities or tuple(f"p{i}" for i in range(count))
    by_class = {CONSISTENCY: np.array(consistency), **{measure: np.array(v) for measure, v in more.items()}}
    return SetNumbers(
        name=name, seeds=seeds, images=images * count, classes=count, numbers=(), by_class=by_class, identities=names,
        counts=(images,) * count, asked=asked, neighbours=None, attributes=(), notes=(),
    )  # fmt: skip


def pairs(found):
    return [(one.name, one.against) for one in found]


def test_the_difference_is_the_mean_over_identities():
    (found,) = differences([numbers("a", [0.1, 0.5, 0.9]), numbers("b", [0.2, 0.7, 0.9])])
    assert (found.name, found.against, found.measure, found.seeds) == ("b", "a", CONSISTENCY, "0")
    assert found.estimate.value == pytest.approx(0.1)
    assert (found.estimate.n, found.estimate.interval.population) == (3, "identities")


def test_identities_are_paired_by_name():
    reference = numbers("a", [0.1, 0.5, 0.9], identities=("x", "y", "z"))
    (found,) = differences([reference, numbers("b", [1.0, 0.2, 0.6], identities=("z", "x", "y"))])
    assert found.estimate.value == pytest.approx(0.1)
    assert found.estimate.interval.high - found.estimate.interval.low == pytest.approx(0, abs=1e-12)


def test_pairing_takes_out_what_identities_have_in_common():
    rng = np.random.default_rng(0)
    people = rng.normal(size=200)
    (found,) = differences([numbers("a", people), numbers("b", people + 0.01 + rng.normal(0, 0.01, 200))])
    assert 0 < found.estimate.interval.low < 0.01 < found.estimate.interval.high < 0.02


def test_an_undefined_number_of_either_leaves_the_identity_out():
    (found,) = differences([numbers("a", [np.nan, 0.5, 0.1]), numbers("b", [0.3, np.nan, 0.2])])
    assert (found.estimate.value, found.estimate.n) == (pytest.approx(0.1), 1)


@pytest.mark.parametrize("other", [{"seeds": "1"}, {"images": 5}, {"identities": ("p0", "q")}, {"asked": "others"}])
def test_sets_of_other_seeds_identities_images_or_requests_are_not_paired(other):
    assert differences([numbers("a", [0.1, 0.2]), numbers("b", [0.1, 0.2], **other)]) == []


def test_all_are_compared_with_the_first():
    sets = [numbers(name, [0.1, 0.2]) for name in "abc"]
    assert pairs(differences(sets)) == [("b", "a"), ("c", "a")]


def test_all_are_compared_with_the_one_that_is_named_whatever_they_asked_for():
    sets = [numbers("a", [0.1, 0.2]), numbers("b; b with real", [0.1, 0.2], asked="x"), numbers("c", [0.1, 0.2])]
    assert pairs(differences(sets, "b with real")) == [("a", "b; b with real"), ("c", "b; b with real")]
    assert differences(sets, "d") == []


def test_only_measures_of_both_are_compared():
    first = numbers("a", [0.1, 0.2], **{SEPARATION: [0.3, 0.3], AGREEMENT: [0.5, 0.7]})
    second = numbers("b", [0.1, 0.2], **{AGREEMENT: [0.6, 0.9]})
    found = {one.measure: one.estimate.value for one in differences([first, second])}
    assert found == {CONSISTENCY: pytest.approx(0), AGREEMENT: pytest.approx(0.15)}


@pytest.mark.parametrize(("classes", "has_interval"), [(2, False), (3, True)])
def test_two_classes_share_their_separation_and_have_no_interval(classes, has_interval):
    sets = [
        numbers(name, [0.5] * classes, **{SEPARATION: [cosine] * classes}) for name, cosine in (("a", 0.3), ("b", 0.4))
    ]
    found = {one.measure: one.estimate for one in differences(sets)}
    assert found[SEPARATION].value == pytest.approx(0.1)
    assert (found[SEPARATION].interval is not None) == has_interval
    assert found[CONSISTENCY].interval is not None
