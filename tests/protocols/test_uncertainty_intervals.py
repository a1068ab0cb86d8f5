"""Percentile and exact intervals and the subjects of templates, against closed forms and every threshold tried."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError, Interval
from faceassay_protocols.roc import operating_points
from faceassay_protocols.uncertainty import (
    extreme_intervals,
    people_of_pairs,
    percentile_intervals,
    resolution_caution,
    subjects_of_templates,
)

RULES = ("nearest", "nearest_exact", "at_most")
GARWOOD = {0: (0, 3.6889), 1: (0.0253, 5.5716), 2: (0.2422, 7.2247), 3: (0.6187, 8.7673), 8: (3.4538, 15.7632)}
"""95 % limits of a Poisson mean as printed in tables."""


def test_percentiles_leave_a_fortieth_of_the_replicates_on_each_side():
    replicates = np.column_stack([np.arange(1001) / 1000, np.full(1001, 0.5)])[::-1]
    method = "percentile bootstrap, 1001 replicates"
    assert percentile_intervals(replicates, "identities") == [
        Interval(pytest.approx(0.025), pytest.approx(0.975), "identities", method, 0.95),
        Interval(0.5, 0.5, "identities", method, 0.95),
    ]


def test_another_level_leaves_another_share():
    (interval,) = percentile_intervals(np.arange(101.0)[:, None], "pairs", level=0.8)
    assert (interval.low, interval.high, interval.level) == (pytest.approx(10), pytest.approx(90), 0.8)


def test_undefined_replicates_are_left_out_and_counted():
    (interval,) = percentile_intervals(np.array([[math.nan], [1.0], [3.0], [math.nan]]), "pairs", level=0.5)
    assert interval == Interval(1.5, 2.5, "pairs", "percentile bootstrap, 2 of 4 replicates", 0.5)


def test_a_metric_without_any_replicate_is_refused():
    with pytest.raises(DataError, match="defined in none of 3 replicates: too few subjects"):
        percentile_intervals(np.full((3, 1), math.nan), "subjects")


def ladder(impostors=1000):
    """Return impostors 0 to N - 1 with one genuine pair above each, so that k false accepts accept k + 1."""
    scores = np.append(np.arange(impostors), np.arange(impostors) + 0.5)
    return scores, np.arange(2 * impostors) >= impostors


@pytest.mark.parametrize("rule", RULES)
def test_eight_false_accepts_may_have_been_three_or_sixteen(rule):
    scores, is_same = ladder()
    assert extreme_intervals(scores, is_same, [8e-3], rule)[8e-3][0] == Interval(
        pytest.approx(4 / 1000),
        pytest.approx(17 / 1000),
        "false accepts",
        "exact Poisson, 8 false accepts: 3.5 to 15.8",
    )


def test_no_false_accept_may_have_been_four():
    scores, is_same = ladder()
    interval = extreme_intervals(scores, is_same, [1e-4], "at_most")[1e-4][0]
    assert (interval.low, interval.high) == (pytest.approx(1 / 1000), pytest.approx(5 / 1000))
    assert interval.method == "exact Poisson, 0 false accepts: 0.0 to 3.7"


def test_more_false_accepts_than_impostors_accept_every_pair():
    scores, is_same = ladder(impostors=5)
    interval = extreme_intervals(scores, is_same, [0.6], "nearest_exact")[0.6][0]
    assert (interval.low, interval.high) == (pytest.approx(1 / 5), 1)


def test_a_hundred_false_accepts_need_no_interval_of_their_own():
    scores, is_same = ladder()
    few, many = extreme_intervals(scores, is_same, [0.099, 0.1], "nearest_exact").values()
    assert [interval.population for interval in few] == ["false accepts", "genuine pairs"]
    assert [interval.population for interval in many] == ["genuine pairs"]


def test_all_of_three_genuine_pairs_say_little():
    scores, is_same = np.array([0.0, 1, 2, 3]), np.array([False, True, True, True])
    interval = extreme_intervals(scores, is_same, [0.1], "at_most")[0.1][1]
    assert interval.low == pytest.approx(0.025 ** (1 / 3))
    assert interval.high == 1
    assert interval.method == "exact binomial (Clopper-Pearson), threshold held fixed"


def by_every_threshold(scores, is_same, fewest, most):
    """Return the best TAR with at most ``fewest`` false accepts, and that of the first level of at least ``most``."""
    points = {0: 0.0}
    for threshold in sorted(scores, reverse=True):
        accepted = scores >= threshold
        points[int(accepted[~is_same].sum())] = float(accepted[is_same].mean())
    high = [tar for count, tar in points.items() if count >= most]
    return max(tar for count, tar in points.items() if count <= fewest), min(high, default=1.0)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=60), st.sampled_from([0.01, 0.1, 0.3])
)
def test_the_limits_are_read_outwards_on_the_curve(rule, pairs, target):
    level, is_same = (np.array(column) for column in zip(*pairs, strict=True))
    scores = level / 4
    assume(is_same.any() and not is_same.all())
    (point,) = operating_points(scores, is_same, [target], rule=rule)
    assume(point.false_accepts in GARWOOD)
    interval, _ = extreme_intervals(scores, is_same, [target], rule)[target]
    expected = by_every_threshold(scores, is_same, *GARWOOD[point.false_accepts])
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.low <= point.tar <= interval.high


def test_a_rate_finer_than_the_impostors_is_cautioned():
    assert resolution_caution(1e-6, 3000) == (
        "1e-6 is below the resolution of 3,000 impostor pairs (3.3e-4): it is read where no impostor or one is "
        "accepted, and another pack of this size may read it elsewhere"
    )


@pytest.mark.parametrize(("fpr", "impostors"), [(1e-3, 1000), (1e-3, 3000), (1e-6, 15_638_932)])
def test_a_rate_that_the_impostors_resolve_is_not(fpr, impostors):
    assert resolution_caution(fpr, impostors) is None


def test_templates_that_same_pairs_connect_are_of_one_subject():
    first, second = np.array([50, 7, 90, 7, 3]), np.array([7, 12, 3, 3, 50])
    is_same = np.array([True, True, True, False, False])
    templates, subjects = subjects_of_templates(first, second, is_same)
    assert templates.tolist() == [3, 7, 12, 50, 90]
    assert subjects[1] == subjects[2] == subjects[3]
    assert subjects[0] == subjects[4] != subjects[1]
    assert set(subjects.tolist()) == {0, 1}


def test_a_template_in_no_same_pair_is_its_own_subject():
    templates, subjects = subjects_of_templates(np.array([1, 2]), np.array([3, 4]), np.array([False, False]))
    assert len(set(subjects.tolist())) == len(templates) == 4


def test_subjects_are_found_again_from_their_pairs():
    """Every probe template is compared with the gallery template of its subject, as in IJB."""
    rng = np.random.default_rng(0)
    number = rng.permutation(1000)[:80]
    person = np.append(np.arange(20), rng.integers(0, 20, 60))
    gallery, probe = np.repeat(np.arange(20), 60), np.tile(np.arange(20, 80), 20)
    first, second = number[gallery].astype(np.int32), number[probe].astype(np.int32)
    subjects = subjects_of_templates(first, second, person[gallery] == person[probe])
    ends = people_of_pairs(subjects, first, second)
    np.testing.assert_array_equal(ends[0] == ends[1], person[gallery] == person[probe])
    assert len(np.unique(np.concatenate(ends))) == 20


def test_lists_in_any_order_tell_the_people_of_pairs():
    subjects = np.array([40, 10, 30]), np.array([4, 1, 3])
    first, second = people_of_pairs(subjects, np.array([10, 40]), np.array([30, 10]))
    assert (first.tolist(), second.tolist()) == ([1, 4], [3, 1])


def test_templates_without_a_subject_are_named():
    subjects = np.array([10, 30]), np.array([1, 3])
    with pytest.raises(DataError, match=r"templates of pairs 1, 2 \(2 of 3\) are in no list"):
        people_of_pairs(subjects, np.array([10, 20, 99]), np.array([30, 10, 10]))
