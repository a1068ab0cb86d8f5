"""What stands beside the numbers of a pack of pairs: intervals, replicates, cautions, the scores that are kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from faceassay.contracts import Features
from faceassay_protocols.conventions import NAMED, Convention, chosen
from faceassay_protocols.packs import PairPack
from faceassay_protocols.pair_evaluation import PairSettings, evaluate_pairs
from faceassay_protocols.selection import ImageSelection
from fakes import toy_faces

PLAIN = Convention("", flip=False, flip_pairs=False, rule="nearest_exact")
FOLDS, SAME = 10, 20


def pair_pack(*, people=True):
    """Return 400 pairs of 400 images: person k has two, is compared with itself and with the next one of its fold."""
    total = FOLDS * SAME
    rows = np.arange(total).reshape(FOLDS, SAME)
    neighbour = np.roll(rows, 1, axis=1)
    first = np.concatenate([2 * rows, 2 * rows], axis=1).ravel()
    second = np.concatenate([2 * rows + 1, 2 * neighbour + 1], axis=1).ravel()
    return PairPack(
        source=ImageSelection(toy_faces(identities=total, per_identity=2, size=4), np.arange(2 * total)),
        people=[f"p{k}" for k in range(total)] if people else (),
        first=first,
        second=second,
        is_same=np.tile(np.repeat([True, False], SAME), FOLDS),
        fold=np.repeat(np.arange(FOLDS), 2 * SAME),
        identity=np.repeat(np.arange(total), 2) if people else None,
    )


def features(seed=0, spread=1.0, width=12):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(FOLDS * SAME, width)).repeat(2, axis=0)
    return Features(*(centre + rng.normal(0, spread, centre.shape) for _ in range(2)))


def settings(conventions=(PLAIN,), **changes):
    return PairSettings(**{"folds": FOLDS, "conventions": conventions, "replicates": 100, **changes})


EVERYTHING = {"fprs": (0.1, 0.001), "area": True, "all_pairs_fprs": (0.01,)}


def evaluated(shown=None, pack=None, **changes):
    return evaluate_pairs(pack or pair_pack(), shown or features(), settings(**changes))


# --- intervals


@pytest.mark.parametrize(("people", "population"), [(True, "identities"), (False, "pairs")])
def test_intervals_name_what_was_resampled(people, population):
    evaluation = evaluated(pack=pair_pack(people=people), fprs=(0.1,), area=True)
    first = [intervals[0] for intervals in evaluation.intervals.values()]
    assert len(first) == 3
    assert {(one.population, one.method) for one in first} == {(population, "percentile bootstrap, 100 replicates")}
    assert evaluation.notes["interval_population"] == population


def test_intervals_hold_the_middle_of_the_replicates():
    evaluation = evaluated(**EVERYTHING)
    drawn = evaluation.scores["replicates"]
    assert drawn.shape == (100, 5)
    for column, (name, value) in zip(drawn.T, evaluation.metrics.items(), strict=True):
        interval = evaluation.intervals[name][0]
        assert (interval.low, interval.high) == pytest.approx(np.nanpercentile(column, [2.5, 97.5]))
        assert interval.low <= value <= interval.high


def test_pairs_resampled_within_folds_and_classes_spread_as_the_binomial():
    """The accuracy at fixed thresholds is a mean of 400 verdicts, so its spread is that of a share of 400."""
    evaluation = evaluated(features(seed=4, spread=1.5), pair_pack(people=False), replicates=1000)
    [value] = evaluation.metrics.values()
    expected = np.sqrt(value * (1 - value) / 400)
    assert 0.75 * expected < evaluation.scores["replicates"].std() < 1.35 * expected


def test_few_false_accepts_have_exact_limits():
    """Of 200 different pairs 1 in 10 is accepted: 20, with Garwood's limits from chi-squared."""
    evaluation = evaluated(fprs=(0.1,))
    [name] = [name for name in evaluation.metrics if name.startswith("tar")]
    bootstrap, false_accepts, genuine = evaluation.intervals[name]
    low, high = chi2.ppf(0.025, 40) / 2, chi2.ppf(0.975, 42) / 2
    assert false_accepts.population == "false accepts"
    assert false_accepts.method == f"exact Poisson, 20 false accepts: {low:.1f} to {high:.1f}"
    assert false_accepts.low <= evaluation.metrics[name] <= false_accepts.high
    assert (bootstrap.population, genuine.population) == ("identities", "genuine pairs")


def test_accuracy_has_no_exact_limits():
    [intervals] = evaluated().intervals.values()
    assert len(intervals) == 1


def test_tar_over_all_pairs_has_both_kinds_of_interval():
    """The pairs of 400 images of 200 people: 79,600 different ones, of which 7 are accepted at 1e-4."""
    evaluation = evaluated(all_pairs_fprs=(1e-4,))
    name = "tar_at_fpr:1e-4/all-pairs/at_most/no-flip"
    assert [one.population for one in evaluation.intervals[name]] == ["identities", "false accepts"]
    assert "exact Poisson, 7 false accepts" in evaluation.intervals[name][1].method


def test_without_replicates_there_is_no_bootstrap():
    evaluation = evaluated(replicates=0, **EVERYTHING)
    populations = {one.population for several in evaluation.intervals.values() for one in several}
    assert populations == {"false accepts", "genuine pairs"}
    assert evaluation.scores["replicates"].shape == (0, 5)


def test_replicates_change_no_metric():
    assert evaluated(replicates=0, **EVERYTHING).metrics == evaluated(replicates=20, **EVERYTHING).metrics


# --- replicates


@pytest.mark.parametrize("people", [True, False])
def test_replicates_of_equal_distances_are_equal(people):
    """Twice as long embeddings have the same distances: the difference of the two recognizers is nothing."""
    pack, shown = pair_pack(people=people), features()
    longer = Features(2 * shown.embeddings, None)
    one, other = (evaluated(of, pack, fprs=(0.1,), area=True).scores["replicates"] for of in (shown, longer))
    np.testing.assert_array_equal(one - other, np.zeros((100, 3)))


def test_replicates_of_two_recognizers_resample_the_same_people():
    """A recognizer and one that errs a little more move together from replicate to replicate."""
    shown = features(spread=1.5)
    noise = np.random.default_rng(9).normal(0, 0.2, shown.embeddings.shape)
    drawn = [
        evaluated(of, area=True).scores["replicates"][:, 1] for of in (shown, Features(shown.embeddings + noise, None))
    ]
    assert np.corrcoef(drawn)[0, 1] > 0.9


def test_replicates_of_a_convention_are_those_that_it_has_alone():
    together = evaluated(conventions=chosen(["all"]), fprs=(0.1,), replicates=20)
    alone = evaluated(conventions=chosen(["cvlface"]), fprs=(0.1,), replicates=20)
    column = list(together.metrics).index("accuracy:10fold/cvlface/grid-0.01/flip-sum")
    np.testing.assert_array_equal(together.scores["replicates"][:, column : column + 2], alone.scores["replicates"])


def test_replicates_begin_alike():
    few, many = (evaluated(replicates=count, area=True).scores["replicates"] for count in (5, 30))
    np.testing.assert_array_equal(few, many[:5])


# --- cautions


@pytest.mark.parametrize("noise", [0, 1e-7])
def test_embeddings_that_are_all_alike_have_a_caution_under_every_metric(noise):
    rng = np.random.default_rng(3)
    alike = np.float32(rng.normal(size=12) + noise * rng.normal(size=(len(pair_pack()), 12)))
    evaluation = evaluated(Features(alike, alike), **EVERYTHING)
    assert {name: caution[:27] for name, caution in evaluation.cautions.items()} == dict.fromkeys(
        evaluation.metrics, "every pair scores the same:"
    )


def test_a_rate_below_the_resolution_has_a_caution():
    evaluation = evaluated(**EVERYTHING)
    [(name, caution)] = evaluation.cautions.items()
    assert name == "tar_at_fpr:1e-3/nearest_exact/no-flip"
    assert caution.startswith("1e-3 is below the resolution of 200 impostor pairs (5e-3)")


def test_all_pairs_have_a_resolution_of_their_own():
    evaluation = evaluated(all_pairs_fprs=(1e-4, 1e-5))
    [(name, caution)] = evaluation.cautions.items()
    assert name == "tar_at_fpr:1e-5/all-pairs/at_most/no-flip"
    assert "79,600 impostor pairs" in caution


# --- what is kept


def test_the_scores_suffice_to_compute_the_metrics_again():
    evaluation = evaluated(area=True)
    scores = evaluation.scores
    assert evaluation.metrics["auc/no-flip"] == pytest.approx(
        roc_auc_score(scores["is_same"], -scores["distances-no-flip"]), abs=1e-12
    )
    assert evaluation.metrics["accuracy:10fold/grid-0.01/no-flip"] == scores["fold_accuracy-grid-0.01-no-flip"].mean()


def test_people_of_the_pairs_are_kept_where_they_are_known():
    pack = pair_pack()
    scores = evaluated(pack=pack).scores
    np.testing.assert_array_equal(scores["first_identity"], pack.first // 2)
    np.testing.assert_array_equal(scores["second_identity"], pack.second // 2)
    assert "first_identity" not in evaluated(pack=pair_pack(people=False)).scores


def test_conventions_that_differ_keep_scores_of_different_names():
    kept = evaluated(conventions=chosen(["all"])).scores
    words = {name for name in kept if name.startswith(("distances", "fold_"))}
    assert words == {
        *("distances-flip-sum", "distances-no-flip"),
        *("fold_accuracy-grid-0.01-flip-sum", "fold_threshold-grid-0.01-flip-sum"),
        *("fold_accuracy-train-range-1000-no-flip", "fold_threshold-train-range-1000-no-flip"),
    }
    for flip, word in ((True, "flip-sum"), (False, "no-flip")):
        shown, pack = features(), pair_pack()
        rows = shown.embeddings + (shown.flipped if flip else 0)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        expected = 2 - 2 * (unit[pack.first] * unit[pack.second]).sum(axis=1)
        np.testing.assert_allclose(kept[f"distances-{word}"], expected, atol=1e-12)


def test_the_curve_is_that_of_the_first_convention():
    evaluation = evaluated(conventions=(NAMED["facexzoo"], NAMED["adaface"]), fprs=(0.1,))
    alone = evaluated(conventions=(NAMED["facexzoo"],), fprs=(0.1,))
    np.testing.assert_array_equal(evaluation.curves["roc"].y, alone.curves["roc"].y)


def test_a_rate_given_twice_is_one_metric():
    twice = settings(fprs=(0.1, 0.1), all_pairs_fprs=(0.01, 0.01))
    assert twice.ids() == settings(fprs=(0.1,), all_pairs_fprs=(0.01,)).ids()
    assert tuple(evaluated(fprs=(0.1, 0.1), all_pairs_fprs=(0.01, 0.01)).metrics) == twice.ids()
