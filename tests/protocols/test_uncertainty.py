"""Replicates of metrics against pairs that are physically repeated, and whether their intervals cover the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.identification import share_within
from faceassay_protocols.range_thresholds import range_threshold_accuracy
from faceassay_protocols.roc import auc, tar_at_fpr
from faceassay_protocols.uncertainty import (
    AucMetric,
    FoldAccuracyMetric,
    PairScores,
    RangeAccuracyMetric,
    TarMetric,
    identity_draws,
    pair_replicates,
    percentile_intervals,
    rank_replicates,
)
from faceassay_protocols.uncertainty.draws import draw_blocks
from faceassay_protocols.uncertainty.weights import Weights
from faceassay_protocols.verification import ten_fold_accuracy

GRID = np.arange(0, 4, 0.01)
TARGETS = (1e-3, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0)
ROC_RULES = ("nearest_exact", "at_most")


@dataclass
class Spy:
    """A metric that keeps the weights it is given."""

    seen: list = field(default_factory=list)

    def on(self, scores):
        every = np.arange(len(scores.is_same))

        def measure(weights):
            self.seen.append((weights.of(every), weights.different))
            return np.zeros(len(weights.different))

        return measure

    def weights(self):
        return np.concatenate([weights for weights, _ in self.seen])


def by_hand(weights, is_same):
    """Return Weights in which every pair has the weight given, [B, P]."""
    replicates, pairs = weights.shape
    factors = np.column_stack([weights, np.ones(replicates, np.int64)])
    each = np.arange(pairs, dtype=np.int32)
    return Weights(factors, each, np.full_like(each, pairs), weights[:, ~is_same].sum(axis=1))


def grid_accuracy(distances, is_same, fold, weights):
    """Repeat the pairs and leave folds out that have none; nothing is known with a single fold."""
    if len(np.unique(np.repeat(fold, weights))) < 2:
        return math.nan
    return ten_fold_accuracy(
        *(np.repeat(a, weights) for a in (distances, is_same)), folds=np.repeat(fold, weights)
    ).mean


def range_accuracy(scores, is_same, fold, weights):
    """Follow the definition pair by pair: candidates from all scores of the other folds, counts from the repeated."""
    accuracies = []
    for number in np.unique(fold):
        test = np.flatnonzero(fold == number).repeat(weights[fold == number])
        rest = np.flatnonzero(fold != number).repeat(weights[fold != number])
        if not len(test) or is_same[rest].all() or not is_same[rest].any():
            continue
        low, high = scores[fold != number].min(), scores[fold != number].max()
        limits = [low + (high - low) / 1000 * k for k in range(1, 1001)]
        above = scores[rest, None] > limits
        limit = limits[np.argmax(above[is_same[rest]].mean(axis=0) - above[~is_same[rest]].mean(axis=0))]
        right = np.where(is_same[test], scores[test] > limit, scores[test] < limit)
        accuracies.append(right.mean())
    return np.mean(accuracies) if accuracies else math.nan


def repeated_roc(metric, scores, is_same, weights):
    same = np.repeat(is_same, weights)
    return math.nan if same.all() or not same.any() else metric(np.repeat(scores, weights), same)


def tar(target, rule):
    return lambda scores, is_same: tar_at_fpr(scores, is_same, [target], rule=rule)[target]


pair_lists = st.lists(
    st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 2), st.lists(st.integers(0, 3), min_size=3, max_size=3)),
    min_size=2,
    max_size=30,
)


def arrays(pairs):
    """Return scores -4 to 0 with many ties, labels, folds and three sets of weights [3, P]."""
    level, is_same, fold, weights = (np.array(column) for column in zip(*pairs, strict=True))
    return -GRID[50 * level % 400], is_same, fold, weights.T


@settings(max_examples=60, deadline=None)
@given(pair_lists)
def test_weights_are_repetitions_to_the_grid_accuracy(pairs):
    scores, is_same, fold, weights = arrays(pairs)
    measured = FoldAccuracyMetric().on(PairScores(scores, is_same, fold))(by_hand(weights, is_same))
    np.testing.assert_allclose(measured, [grid_accuracy(-scores, is_same, fold, each) for each in weights], rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(pair_lists)
def test_weights_are_repetitions_to_the_range_accuracy(pairs):
    scores, is_same, fold, weights = arrays([*pairs, (0, True, 3, [1, 1, 1])])
    measured = RangeAccuracyMetric().on(PairScores(scores, is_same, fold))(by_hand(weights, is_same))
    np.testing.assert_allclose(measured, [range_accuracy(scores, is_same, fold, each) for each in weights], rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(pair_lists)
def test_weights_are_repetitions_to_the_area(pairs):
    scores, is_same, _, weights = arrays(pairs)
    measured = AucMetric().on(PairScores(scores, is_same))(by_hand(weights, is_same))
    np.testing.assert_allclose(measured, [repeated_roc(auc, scores, is_same, each) for each in weights], rtol=1e-12)


@pytest.mark.parametrize("rule", ROC_RULES)
@settings(max_examples=60, deadline=None)
@given(pair_lists)
def test_weights_are_repetitions_to_the_true_accept_rate(rule, pairs):
    scores, is_same, _, weights = arrays(pairs)
    for target in TARGETS:
        measured = TarMetric(target, rule).on(PairScores(scores, is_same))(by_hand(weights, is_same))
        expected = [repeated_roc(tar(target, rule), scores, is_same, each) for each in weights]
        np.testing.assert_array_equal(measured, expected)


def test_all_weights_one_give_the_metrics_themselves():
    rng = np.random.default_rng(1)
    is_same, fold = rng.random(900) < 0.5, np.arange(900) // 90
    scores = -GRID[rng.normal(np.where(is_same, 120, 200), 60).astype(int).clip(0, 399)]
    pairs, ones = PairScores(scores, is_same, fold), by_hand(np.ones((1, 900), np.int64), is_same)
    metrics = {
        FoldAccuracyMetric(): ten_fold_accuracy(-scores, is_same, folds=fold).mean,
        FoldAccuracyMetric(GRID[::-7]): ten_fold_accuracy(-scores, is_same, folds=fold, thresholds=GRID[::-7]).mean,
        RangeAccuracyMetric(): range_threshold_accuracy(scores, is_same, fold).mean,
        AucMetric(): auc(scores, is_same),
        **{TarMetric(at, rule): tar(at, rule)(scores, is_same) for at in TARGETS for rule in ROC_RULES},
        **{TarMetric(at): tar(at, "nearest_exact")(scores, is_same) for at in TARGETS},
    }
    for metric, expected in metrics.items():
        assert metric.on(pairs)(ones) == pytest.approx([expected], rel=1e-12), metric


def people_in_pairs(rng, people, pairs, share_same=0.5):
    """Draw pairs of people, numbered with gaps, and coarse scores."""
    numbers = rng.permutation(10 * people)[:people]
    first = rng.choice(numbers, pairs)
    second = np.where(rng.random(pairs) < share_same, first, rng.choice(numbers, pairs))
    scores = rng.integers(0, 12, pairs) / 4 + (first == second)
    return scores, first, second


def test_a_pair_weighs_the_draws_of_its_people():
    rng = np.random.default_rng(2)
    scores, first, second = people_in_pairs(rng, people=12, pairs=80)
    people = np.union1d(first, second).tolist()
    draws = identity_draws(len(people), 40)
    expected = np.empty((40, 80), np.int64)
    for pair, (one, other) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        drawn = draws[:, people.index(one)]
        expected[:, pair] = drawn if one == other else drawn * draws[:, people.index(other)]
    spy = Spy()
    pair_replicates(PairScores(scores, first == second, None, first, second), [spy], 40)
    np.testing.assert_array_equal(spy.weights(), expected)
    np.testing.assert_array_equal(spy.seen[0][1], expected[:, first != second].sum(axis=1))


def test_a_pair_whose_label_contradicts_its_people_is_weighed_by_its_people():
    spy, ones = Spy(), np.array([3, 5])
    pair_replicates(PairScores(np.zeros(2), np.array([False, True]), None, ones, np.array([3, 3])), [spy], 50)
    draws = identity_draws(2, 50)
    np.testing.assert_array_equal(spy.weights(), np.column_stack([draws[:, 0], draws.prod(axis=1)]))
    np.testing.assert_array_equal(spy.seen[0][1], draws[:, 0])


def test_replicates_of_people_are_those_of_repeated_pairs():
    rng = np.random.default_rng(3)
    scores, first, second = people_in_pairs(rng, people=20, pairs=120)
    is_same, fold = first == second, np.arange(120) % 4
    pairs, spy = PairScores(scores, is_same, fold, first, second), Spy()
    metrics = [
        AucMetric(),
        TarMetric(0.1, "at_most"),
        FoldAccuracyMetric(-np.unique(scores)),
        RangeAccuracyMetric(),
        spy,
    ]
    replicates = pair_replicates(pairs, metrics, 30)
    assert replicates.shape == (30, 5)
    for row, weights in zip(replicates, spy.weights(), strict=True):
        repeated = [np.repeat(one, weights) for one in (scores, is_same, fold)]
        accuracy = ten_fold_accuracy(-repeated[0], repeated[1], folds=repeated[2], thresholds=-np.unique(scores)).mean
        expected = [auc(*repeated[:2]), tar(0.1, "at_most")(*repeated[:2]), accuracy]
        np.testing.assert_allclose(row[:3], expected, rtol=1e-12)
        assert row[3] == pytest.approx(range_accuracy(scores, is_same, fold, weights), rel=1e-12)


def test_more_impostors_are_read_where_the_highest_lose_their_weight():
    """The 1,500 highest impostors are of two people, who miss from most replicates."""
    rng = np.random.default_rng(4)
    others = rng.integers(2, 9, (2, 500))
    first = np.concatenate([np.zeros(1500, np.int64), others[0], np.arange(9)])
    second = np.concatenate(
        [np.ones(1500, np.int64), others[0] % 7 + 2 + (others[0] % 7 + 2 == others[0]), np.arange(9)]
    )
    scores = np.concatenate([rng.normal(9, 1, 1500), rng.normal(0, 1, 500), rng.normal(2, 2, 9)])
    is_same = first == second
    spy = Spy()
    metrics = [TarMetric(0.01, rule) for rule in ROC_RULES]
    replicates = pair_replicates(PairScores(scores, is_same, None, first, second), [*metrics, spy], 60)
    lost = 0
    for row, weights in zip(replicates, spy.weights(), strict=True):
        lost += weights[0] == 0
        expected = [repeated_roc(tar(0.01, rule), scores, is_same, weights) for rule in ROC_RULES]
        np.testing.assert_array_equal(row[:2], expected)
    assert 0 < lost < 60


def test_unknown_people_leave_every_fold_and_class_its_size():
    rng = np.random.default_rng(5)
    is_same, fold, spy = rng.random(200) < 0.3, rng.integers(0, 5, 200), Spy()
    pair_replicates(PairScores(rng.normal(size=200), is_same, fold), [spy], 300)
    weights = spy.weights()
    for number in range(5):
        for label in (True, False):
            stratum = (fold == number) & (is_same == label)
            assert (weights[:, stratum].sum(axis=1) == stratum.sum()).all()
    assert weights.mean() == 1
    assert weights.var(axis=0).mean() == pytest.approx(1, abs=0.1)


def test_a_draw_is_of_as_many_people_and_each_as_likely():
    draws = identity_draws(20, 4000)
    assert (draws.sum(axis=1) == 20).all()
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=4 * math.sqrt(0.95 / 4000))
    np.testing.assert_allclose(draws.var(axis=0), 0.95, rtol=0.15)


def test_draws_depend_on_the_sizes_alone():
    np.testing.assert_array_equal(identity_draws(30, 10), identity_draws(30, 600)[:10])
    assert (identity_draws(30, 10) != identity_draws(30, 10, seed=1)).any()
    strata = np.random.default_rng(6).integers(0, 4, 50)
    for size in (1, 7, 100):
        np.testing.assert_array_equal(
            np.concatenate([*draw_blocks(strata, 23, size)]), np.concatenate([*draw_blocks(strata, 23, 23)])
        )


@pytest.mark.parametrize("known", [True, False])
def test_two_recognizers_on_one_pack_are_resampled_alike(known):
    """A second recognizer that orders the pairs as the first does has the same replicates."""
    rng = np.random.default_rng(7)
    scores, first, second = people_in_pairs(rng, people=15, pairs=100)
    people = (first, second) if known else (None, None)
    metrics = [AucMetric(), TarMetric(0.05)]
    one, other = (
        pair_replicates(PairScores(values, first == second, None, *people), metrics, 50)
        for values in (scores, np.exp(scores))
    )
    np.testing.assert_array_equal(one, other)


def test_ranks_are_those_of_repeated_identities():
    rng = np.random.default_rng(8)
    rank, probe_ids = rng.integers(1, 8, 60), 7 * rng.integers(0, 12, 60)
    people = np.unique(probe_ids).tolist()
    replicates = rank_replicates(rank, probe_ids, (1, 3, 7), 25)
    for row, draws in zip(replicates, identity_draws(len(people), 25), strict=True):
        probes = [rank[probe_ids == person] for person, drawn in zip(people, draws, strict=True) for _ in range(drawn)]
        assert row.tolist() == share_within(np.concatenate(probes), (1, 3, 7))


def test_no_replicates_are_an_empty_table():
    assert rank_replicates(np.array([1, 2]), np.array([0, 1]), (1, 5), 0).shape == (0, 2)
    assert pair_replicates(PairScores(np.arange(2.0), np.array([True, False])), [AucMetric()], 0).shape == (0, 1)


def world(rng, people=60, same_each=4, impostors=300):
    """Draw people who differ in how alike their own images look and how alike they look to others."""
    own, to_others = rng.normal(0, 1, people), rng.normal(0, 0.7, people)
    person = np.repeat(np.arange(people), same_each)
    one = rng.integers(0, people, impostors)
    other = (one + rng.integers(1, people, impostors)) % people
    first, second = np.append(person, one), np.append(person, other)
    centres = np.append(1 + own[person], to_others[one] + to_others[other])
    return PairScores(rng.normal(centres, 1), first == second, None, first, second)


AREA = 0.5 * (1 + math.erf(1 / math.sqrt(1 + 1 + 2 * 0.49 + 1) / math.sqrt(2)))
"""P(same > different) for normal scores of variance 1 + 1 and 2 x 0.49 + 1, one apart."""


def test_resampled_identities_cover_the_truth_and_resampled_pairs_do_not():
    """Whether 95 % intervals hold the area that an endless supply of people would have."""
    worlds, rng = 200, np.random.default_rng(9)
    covered = {"identities": 0, "pairs": 0}
    for _ in range(worlds):
        known = world(rng)
        for population, scores in (("identities", known), ("pairs", PairScores(known.similarities, known.is_same))):
            interval, *_ = percentile_intervals(pair_replicates(scores, [AucMetric()], 200), population)
            covered[population] += interval.low <= AREA <= interval.high
    error = math.sqrt(0.95 * 0.05 / worlds)
    assert covered["identities"] / worlds == pytest.approx(0.95, abs=3 * error)
    assert covered["pairs"] / worlds < 0.95 - 6 * error


def test_a_metric_of_a_class_that_is_not_there_is_undefined():
    pairs = PairScores(np.arange(4.0), np.ones(4, dtype=bool), np.array([0, 0, 1, 1]))
    replicates = pair_replicates(pairs, [AucMetric(), TarMetric(0.1), RangeAccuracyMetric()], 5)
    assert np.isnan(replicates).all()


@pytest.mark.parametrize("metric", [FoldAccuracyMetric(), RangeAccuracyMetric()])
def test_accuracy_without_folds_is_refused(metric):
    with pytest.raises(DataError, match="no folds"):
        metric.on(PairScores(np.zeros(3), np.array([True, False, True])))


@pytest.mark.parametrize(
    ("given_arrays", "message"),
    [
        ({"fold": np.zeros(2, np.int64)}, r"fold \(2,\) of 3 pairs"),
        ({"first_person": np.zeros(3, np.int64)}, "give both or none"),
        ({"similarities": np.array([0, np.nan, 1])}, r"pairs 1 \(1 of 3\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given_arrays, message):
    with pytest.raises(DataError, match=message):
        PairScores(**{"similarities": np.zeros(3), "is_same": np.array([True, False, True]), **given_arrays})


def test_targets_and_rules_are_checked():
    with pytest.raises(ValueError, match=r"above 0 and at most 1 \(got 0\)"):
        TarMetric(0)
    with pytest.raises(ValueError, match="unknown rule 'linear'"):
        TarMetric(0.1, "linear")
