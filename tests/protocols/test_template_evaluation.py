"""What stands beside the numbers of a pack of templates: intervals, replicates, cautions, the scores that are kept."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from faceassay.contracts import DataError, Features
from faceassay_protocols.conventions import NAMED, chosen
from faceassay_protocols.packs import TemplatePack
from faceassay_protocols.roc import tar_at_fpr
from faceassay_protocols.selection import ImageSelection
from faceassay_protocols.template_evaluation import TemplateSettings, evaluate_templates
from faceassay_protocols.uncertainty.draws import identity_draws
from fakes import toy_faces

SUBJECTS, IMAGES = 20, 4
TEMPLATES = 3 * SUBJECTS
IDS = 7 * np.arange(TEMPLATES) + 11
SUBJECT = np.arange(TEMPLATES) % SUBJECTS


def template_pack(*, lists=True, zero=()):
    """Return 60 templates of 4 images; 20 of the gallery are paired with 40 probes: 40 genuine, 760 impostor pairs.

    Without ``lists`` nobody says which template is whose. ``zero`` are templates whose detector scores are all 0.
    """
    first, second = (part.ravel() for part in np.meshgrid(np.arange(SUBJECTS), np.arange(SUBJECTS, TEMPLATES)))
    template = np.repeat(np.arange(TEMPLATES), IMAGES)
    order = np.random.default_rng(1).permutation(len(template))
    weights = np.where(np.isin(template, zero), 0.0, np.random.default_rng(2).uniform(0.2, 1, len(template)))
    return TemplatePack(
        source=ImageSelection(toy_faces(identities=TEMPLATES, per_identity=IMAGES, size=4), order),
        template_ids=IDS[template[order]],
        media_ids=np.arange(len(template))[order] // 2,
        detector_scores=weights[order],
        first_ids=IDS[first].astype(np.int32),
        second_ids=IDS[second].astype(np.int32),
        is_same=SUBJECT[first] == SUBJECT[second],
        subjects=(IDS[::-1].copy(), 900 + SUBJECT[::-1]) if lists else None,
    )


def features(pack, seed=0, spread=1.6, width=8):
    rng = np.random.default_rng(seed)
    subject = SUBJECT[np.searchsorted(IDS, pack.template_ids)]
    centre = rng.normal(size=(SUBJECTS, width))[subject]
    return Features(*(centre + rng.normal(0, spread, centre.shape) for _ in range(2)))


def evaluated(pack=None, shown=None, conventions=("tface",), fprs=(0.01, 0.1), replicates=100, dtype="float64"):
    pack = pack or template_pack()
    settings = TemplateSettings(chosen(conventions, grid=True), fprs, dtype, replicates)
    return evaluate_templates(pack, shown or features(pack), settings)


def name(fpr, convention="tface"):
    return NAMED[convention].template_words(f"tar_at_fpr:{fpr}", "float64")


# --- intervals and replicates


@pytest.mark.parametrize("lists", [True, False])
def test_subjects_are_resampled_and_named(lists):
    evaluation = evaluated(template_pack(lists=lists))
    bootstrap = [intervals[0] for intervals in evaluation.intervals.values()]
    population = "subjects" if lists else "templates that genuine pairs join"
    assert {(one.population, one.method) for one in bootstrap} == {(population, "percentile bootstrap, 100 replicates")}
    assert evaluation.notes["interval_population"] == population


def test_subjects_told_by_genuine_pairs_are_those_of_the_lists():
    """Every probe has a genuine pair with its subject's gallery template, so the pairs join the templates fully."""
    one, other = (evaluated(template_pack(lists=lists)).scores["replicates"] for lists in (True, False))
    np.testing.assert_array_equal(one, other)


def test_intervals_hold_the_middle_of_the_replicates():
    evaluation = evaluated(conventions=("adaface", "tface"))
    drawn = evaluation.scores["replicates"]
    assert drawn.shape == (100, 4)
    for column, (metric, value) in zip(drawn.T, evaluation.metrics.items(), strict=True):
        interval = evaluation.intervals[metric][0]
        assert (interval.low, interval.high) == pytest.approx(np.nanpercentile(column, [2.5, 97.5]))
        assert interval.low <= value <= interval.high


def test_a_replicate_repeats_the_templates_of_the_subjects_that_it_drew():
    pack = template_pack()
    evaluation = evaluated(pack, fprs=(0.1,), replicates=10)
    scores = np.empty(len(pack.is_same))
    scores[pack.is_same] = evaluation.scores["genuine-tface"]
    scores[evaluation.scores["impostor_pairs-tface"]] = evaluation.scores["impostors-tface"]
    first, second = (SUBJECT[np.searchsorted(IDS, ids)] for ids in (pack.first_ids, pack.second_ids))
    for times, replicate in zip(identity_draws(SUBJECTS, 10), evaluation.scores["replicates"][:, 0], strict=True):
        weight = np.where(pack.is_same, times[first], times[first] * times[second])
        repeated = (np.repeat(of, weight) for of in (scores, pack.is_same))
        assert replicate == tar_at_fpr(*repeated, [0.1], rule="nearest_exact")[0.1]


def test_replicates_of_equal_scores_are_equal():
    pack = template_pack()
    shown = features(pack)
    longer = Features(4 * shown.embeddings, None)
    one, other = (evaluated(pack, of).scores["replicates"] for of in (shown, longer))
    np.testing.assert_array_equal(one - other, np.zeros((100, 2)))


def test_without_replicates_there_is_no_bootstrap():
    evaluation = evaluated(replicates=0)
    populations = {one.population for several in evaluation.intervals.values() for one in several}
    assert populations == {"false accepts", "genuine pairs"}
    assert evaluation.scores["replicates"].shape == (0, 2)


def test_few_false_accepts_have_exact_limits():
    """At 1e-2 of 760 impostor pairs 7 to 9 are accepted, for the thinned curve may lack a point."""
    evaluation = evaluated(fprs=(0.01,))
    [false_accepts] = [one for one in evaluation.intervals[name("1e-2")] if one.population == "false accepts"]
    count = int(re.search(r"exact Poisson, (\d+) false accepts", false_accepts.method)[1])
    low, high = chi2.ppf(0.025, 2 * count) / 2, chi2.ppf(0.975, 2 * count + 2) / 2
    genuine, impostors = (evaluation.scores[f"{kind}-tface"] for kind in ("genuine", "impostors"))
    assert count in (7, 8, 9)
    assert false_accepts.method.endswith(f": {low:.1f} to {high:.1f}")
    assert false_accepts.low == np.mean(genuine > impostors[int(low)])
    assert false_accepts.high == np.mean(genuine > impostors[int(high) + 1])
    assert false_accepts.low <= evaluation.metrics[name("1e-2")] <= false_accepts.high


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_embeddings_that_are_all_alike_have_a_caution(dtype):
    pack = template_pack()
    alike = np.ones((len(pack), 8)) * np.random.default_rng(0).uniform(1, 9, (len(pack), 1))
    evaluation = evaluated(pack, Features(alike, alike), conventions=("all",), dtype=dtype)
    assert set(evaluation.cautions) == set(evaluation.metrics)
    assert all(caution.startswith("every pair scores the same:") for caution in evaluation.cautions.values())


def test_a_rate_below_the_resolution_has_a_caution():
    evaluation = evaluated(fprs=(1e-6, 0.1))
    [(metric, caution)] = evaluation.cautions.items()
    assert metric == name("1e-6")
    assert caution.startswith("1e-6 is below the resolution of 760 impostor pairs (1.3e-3)")


# --- what cannot be scored


def test_a_template_whose_images_weigh_nothing_is_named_where_the_scores_count():
    pack = template_pack(zero=(4, 25))
    with pytest.raises(DataError, match=rf"templates {IDS[4]}, {IDS[25]} \(2 of 60\) point nowhere"):
        evaluated(pack, conventions=("cvlface",))
    assert len(evaluated(pack, conventions=("adaface",)).metrics) == 2


def test_a_pair_of_a_template_without_images_is_refused():
    pack = template_pack(lists=False)
    second = pack.second_ids.copy()
    second[5] = 9999
    with pytest.raises(DataError, match="9999"):
        evaluated(replace(pack, second_ids=second), features(pack))


def test_a_template_without_a_subject_in_the_lists_is_refused():
    pack = template_pack()
    fewer = tuple(column[1:] for column in pack.subjects)
    with pytest.raises(DataError, match="in no list of subjects"):
        evaluated(replace(pack, subjects=fewer), features(pack))


# --- what is kept


def test_the_highest_impostors_say_of_which_pairs_they_are():
    pack = template_pack()
    scores = evaluated(pack, conventions=("adaface", "tface")).scores
    for convention in ("adaface", "tface"):
        rows = scores[f"impostor_pairs-{convention}"]
        assert not pack.is_same[rows].any()
        assert len({*rows.tolist()}) == 760
        assert (np.diff(scores[f"impostors-{convention}"]) <= 0).all()
        assert len(scores[f"genuine-{convention}"]) == 40


def test_only_the_highest_impostors_are_kept_of_many(monkeypatch):
    every = evaluated().scores
    monkeypatch.setattr("faceassay_protocols.template_evaluation.HIGHEST_IMPOSTORS", 25)
    few = evaluated().scores
    np.testing.assert_array_equal(few["impostors-tface"], every["impostors-tface"][:25])
    np.testing.assert_array_equal(few["impostor_pairs-tface"], every["impostor_pairs-tface"][:25])


def test_the_curve_runs_over_the_rates_that_are_reported():
    curve = evaluated().curves["roc"]
    assert curve.log_x
    assert (curve.x[0], curve.x[-1]) == pytest.approx((1e-6, 0.1))
    assert (np.diff(curve.y) >= 0).all()


def test_pairs_may_be_memory_mapped(tmp_path):
    pack = template_pack()
    mapped = {}
    for column in ("first_ids", "second_ids", "is_same"):
        np.save(tmp_path / column, getattr(pack, column))
        mapped[column] = np.load(tmp_path / f"{column}.npy", mmap_mode="r")
    for lists in (pack.subjects, None):
        one, other = (evaluated(replace(of, subjects=lists)) for of in (pack, replace(pack, **mapped)))
        assert one.metrics == other.metrics
        np.testing.assert_array_equal(one.scores["replicates"], other.scores["replicates"])
