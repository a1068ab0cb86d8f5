"""The ROC curve, its area and its readings against scikit-learn, on cases full of ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from faceassay.contracts import DataError
from faceassay_protocols import roc
from faceassay_protocols.roc import OperatingPoint, auc, operating_points, roc_points, tar_at_fpr

ACCEPTS = roc._accepts
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


def slow_point(scores, is_same, target, rule):
    """Walk down the distinct scores one threshold at a time; leave out what is in line for the default curve."""
    genuine, impostors = int(is_same.sum()), int((~is_same).sum())
    walk = [(int((~is_same & (scores >= t)).sum()), int((is_same & (scores >= t)).sum()), t) for t in set(scores)]
    walk.sort(key=lambda step: -step[2])
    if rule == "nearest":
        inner = range(1, len(walk) - 1)
        straight = [all(walk[i + 1][c] - walk[i][c] == walk[i][c] - walk[i - 1][c] for c in (0, 1)) for i in inner]
        walk = [walk[0], *(walk[i] for i, in_line in zip(inner, straight, strict=True) if not in_line), *walk[1:][-1:]]
    points = [(0, 0, np.inf), *walk]
    if rule == "at_most":
        chosen = max((point for point in points if point[0] / impostors <= target), key=lambda point: point[:2])
    else:
        chosen = min(points, key=lambda point: (abs(point[0] / impostors - target), -point[0], -point[1]))
    false, true, threshold = chosen
    return OperatingPoint(target, false / impostors, true / genuine, false, true, impostors, genuine, threshold)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.tuples(st.integers(1, 100), st.integers(1, 12)),
    levels=st.sampled_from([8, 60, 10**6]),
    distance=st.sampled_from([0, 0.5, 1]),
    cut=st.floats(0, 1),
    targets=st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3),
    rule=st.sampled_from(["nearest", "nearest_exact", "at_most"]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_points_are_those_of_a_walk_wherever_the_sorting_stops_first(
    seed, sizes, levels, distance, cut, targets, rule, dtype
):
    rng = np.random.default_rng(seed)
    is_same = np.arange(sum(sizes)) < sizes[1]
    scores = rng.integers(0, levels, len(is_same)) + np.where(is_same, int(distance * levels), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roc, "_cuts", lambda *_: iter([float(np.quantile(scores, cut)), -np.inf]))
        found = operating_points(scores.astype(dtype), is_same, targets, rule=rule)
    assert found == [slow_point(scores, is_same, target, rule) for target in targets]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    levels=st.sampled_from([40, 300, None]),
    distance=st.sampled_from([0.0, 2.0, 9.0]),
    look_ahead=st.sampled_from([1, 16]),
    sample=st.sampled_from([100, 2**17]),
    rule=st.sampled_from(["nearest", "nearest_exact"]),
)
def test_many_impostors_and_few_genuine_pairs_are_read_as_by_scikit_learn(
    seed, levels, distance, look_ahead, sample, rule
):
    """With distance 9 no genuine pair lies beyond the targets, so the next point kept may be the last of all."""
    rng = np.random.default_rng(seed)
    is_same = np.arange(3000) % 50 == 0
    scores = rng.normal(np.where(is_same, distance, 0.0))
    scores = scores if levels is None else np.round(scores * levels / 8)
    for target in (1e-3, 1e-2, 0.1, 0.3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(roc, "LOOK_AHEAD", look_ahead)
            patch.setattr(roc, "SAMPLE", sample)
            tar = tar_at_fpr(scores, is_same, [target], rule=rule)
        assert tar == {target: reference_tar(scores, is_same, target, rule == "nearest")}


def test_a_point_straight_above_the_last_one_sorted_is_not_missed(monkeypatch):
    """The first cut shows (0.5, 0), at the target already; what counts is (0.5, 1), one score further down."""
    monkeypatch.setattr(roc, "_cuts", lambda *_: iter([4.0, -np.inf]))
    assert tar_at_fpr([4.0, 3.0, 1.0], np.array([False, True, False]), [0.5], rule="nearest_exact") == {0.5: 1.0}


def test_a_small_target_is_settled_without_sorting_all(monkeypatch):
    sorted_sizes = []
    monkeypatch.setattr(roc, "_accepts", lambda *given: sorted_sizes.append(len(given[0])) or ACCEPTS(*given))
    rng = np.random.default_rng(0)
    is_same = np.arange(200_000) < 100
    scores = rng.normal(np.where(is_same, 3.0, 0.0))
    operating_points(scores, is_same, [1e-4, 1e-3], rule="nearest")
    assert len(sorted_sizes) == 1
    assert sorted_sizes[0] < 20_000


def test_a_point_tells_its_counts_and_its_threshold():
    """Scores 5 and 4 are genuine, 4 again, 3 and 2 impostors; accepting from 4 up takes one false and two true."""
    point, none = operating_points(
        [5.0, 4.0, 4.0, 3.0, 2.0], np.array([True, True, False, False, False]), [0.4, 0.1], rule="at_most"
    )
    assert point == OperatingPoint(0.4, 1 / 3, 1.0, 1, 2, 3, 2, 4.0)
    assert none == OperatingPoint(0.1, 0.0, 0.5, 0, 1, 3, 2, 5.0)


def test_accepting_nobody_has_an_infinite_threshold():
    (point,) = operating_points([1.0, 1.0, 0.0], np.array([True, False, False]), [0.1], rule="at_most")
    assert point == OperatingPoint(0.1, 0.0, 0.0, 0, 0, 2, 1, np.inf)


def test_no_targets_have_no_points():
    assert list(operating_points([1.0, 0.0], np.array([True, False]), [], rule="at_most")) == []


@settings(max_examples=100, deadline=None)
@given(labelled_scores)
def test_the_area_counts_wins_and_half_the_ties(pairs):
    scores, is_same = arrays(pairs)
    margins = scores[is_same][:, None] - scores[~is_same]
    assert auc(scores, is_same) == ((margins > 0).sum() + (margins == 0).sum() / 2) / margins.size


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
