"""The ROC curve, its area and its readings against scikit-learn, on cases full of ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from faceassay.contracts import DataError
from faceassay_protocols.roc import auc, roc_points, tar_at_fpr

TARGETS = (1e-3, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0)
labelled_scores = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=60)


def arrays(pairs):
    scores, is_same = np.array([score / 4 for score, _ in pairs]), np.array([same for _, same in pairs])
    assume(is_same.any() and not is_same.all())
    return scores, is_same


def reference_tar(scores, is_same, target, drop_intermediate):
    """Return the reading of insightface's IJB evaluation: curve reversed, first of the nearest points."""
    fpr, tpr, _ = roc_curve(is_same, scores, drop_intermediate=drop_intermediate)
    fpr, tpr = np.flipud(fpr), np.flipud(tpr)
    _, index = min(zip(np.abs(fpr - target), range(len(fpr)), strict=True))
    return tpr[index]


def highest_tar_not_above(scores, is_same, target):
    """Try every threshold, and accepting nobody."""
    reached = [0.0]
    for threshold in scores:
        accepted = scores >= threshold
        if accepted[~is_same].mean() <= target:
            reached.append(accepted[is_same].mean())
    return max(reached)


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_points_are_those_of_scikit_learn(pairs):
    scores, is_same = arrays(pairs)
    for thinned in (False, True):
        fpr, tpr = roc_points(scores, is_same, thinned=thinned)
        expected_fpr, expected_tpr, _ = roc_curve(is_same, scores, drop_intermediate=thinned)
        np.testing.assert_array_equal(fpr, expected_fpr)
        np.testing.assert_array_equal(tpr, expected_tpr)


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_nearest_is_the_point_that_insightface_reads(pairs):
    scores, is_same = arrays(pairs)
    tar = tar_at_fpr(scores, is_same, TARGETS, rule="nearest")
    assert tar == {target: reference_tar(scores, is_same, target, True) for target in TARGETS}


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_nearest_exact_reads_the_full_curve(pairs):
    scores, is_same = arrays(pairs)
    tar = tar_at_fpr(scores, is_same, TARGETS, rule="nearest_exact")
    assert tar == {target: reference_tar(scores, is_same, target, False) for target in TARGETS}


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_at_most_is_the_best_threshold_within_the_target(pairs):
    scores, is_same = arrays(pairs)
    tar = tar_at_fpr(scores, is_same, TARGETS, rule="at_most")
    assert tar == {target: highest_tar_not_above(scores, is_same, target) for target in TARGETS}


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_the_area_is_that_of_scikit_learn(pairs):
    scores, is_same = arrays(pairs)
    assert auc(scores, is_same) == pytest.approx(roc_auc_score(is_same, scores), abs=1e-12)


@pytest.mark.parametrize("rule", ["nearest", "nearest_exact"])
def test_many_distinct_scores_are_read_as_by_scikit_learn(rule):
    rng = np.random.default_rng(0)
    is_same = rng.random(20_000) < 0.3
    scores = rng.normal(np.where(is_same, 2.0, 0.0))
    for target in (1e-4, 1e-3, 1e-2):
        expected = reference_tar(scores, is_same, target, rule == "nearest")
        assert tar_at_fpr(scores, is_same, [target], rule=rule) == {target: expected}


def test_the_rules_differ_where_the_target_falls_between_two_points():
    """Of ten impostors at the target 0.16, one accepted (0.1) is allowed and two (0.2) are nearer."""
    scores = np.array([9.5, 8.5, 7.5, *range(10)])
    is_same = np.array([True] * 3 + [False] * 10)
    assert tar_at_fpr(scores, is_same, [0.16], rule="at_most") == {0.16: pytest.approx(2 / 3)}
    assert tar_at_fpr(scores, is_same, [0.16], rule="nearest_exact") == {0.16: 1.0}


def test_thinning_moves_the_nearest_point():
    """Five ties of a same and a different pair lie on one line, of which scikit-learn keeps 0, 0.2 and 1."""
    scores, is_same = np.repeat(np.arange(5.0), 2), np.array([True, False] * 5)
    assert tar_at_fpr(scores, is_same, [0.4], rule="nearest_exact") == {0.4: 0.4}
    assert tar_at_fpr(scores, is_same, [0.4], rule="nearest") == {0.4: 0.2}


def test_a_target_at_equal_distance_from_two_points_takes_the_larger_rate():
    scores, is_same = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, False, True])
    assert tar_at_fpr(scores, is_same, [0.25], rule="nearest_exact") == {0.25: 0.5}


def test_equal_scores_are_accepted_together():
    fpr, tpr = roc_points([1.0, 1.0, 1.0, 0.0], np.array([True, False, True, False]))
    np.testing.assert_array_equal(fpr, [0, 0.5, 1])
    np.testing.assert_array_equal(tpr, [0, 1, 1])


def test_scores_that_are_all_equal_are_worth_nothing():
    scores, is_same = np.zeros(10), np.array([True, False] * 5)
    assert auc(scores, is_same) == 0.5
    assert tar_at_fpr(scores, is_same, [0.01], rule="at_most") == {0.01: 0.0}


@settings(max_examples=50, deadline=None)
@given(labelled_scores, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(pairs, random):
    scores, is_same = arrays(pairs)
    order = random.sample(range(len(scores)), len(scores))
    assert auc(scores, is_same) == auc(scores[order], is_same[order])
    for one, other in zip(roc_points(scores, is_same), roc_points(scores[order], is_same[order]), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=50, deadline=None)
@given(labelled_scores)
def test_exchanging_the_classes_mirrors_the_area(pairs):
    scores, is_same = arrays(pairs)
    assert auc(scores, is_same) + auc(scores, ~is_same) == pytest.approx(1)


@pytest.mark.parametrize(("is_same", "class_name"), [(True, "same"), (False, "different")])
def test_one_class_alone_is_refused(is_same, class_name):
    with pytest.raises(DataError, match=f"all 3 pairs are {class_name}"):
        auc(np.arange(3.0), np.full(3, is_same))


def test_scores_that_are_not_numbers_are_named():
    with pytest.raises(DataError, match=r"pairs 1 \(1 of 3\) are NaN"):
        tar_at_fpr([0.0, np.nan, 1.0], np.array([True, False, True]), [0.1], rule="nearest")


def test_no_pairs_are_refused():
    with pytest.raises(DataError, match="at least one pair"):
        auc([], np.array([], dtype=bool))


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown rule 'linear': use one of nearest, nearest_exact, at_most"):
        tar_at_fpr([0.0, 1.0], np.array([True, False]), [0.1], rule="linear")


@pytest.mark.parametrize("target", [0.0, -0.1, 1.1, float("nan")])
def test_targets_outside_the_unit_interval_are_refused(target):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        tar_at_fpr([0.0, 1.0], np.array([True, False]), [0.1, target], rule="at_most")
