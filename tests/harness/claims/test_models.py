"""Claims about generators: counted evaluations, the optimum of a search, the agreement of two spaces."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from claimed import HEAD, read
from faceassay.claims import models
from faceassay.claims.findings import Evidence
from faceassay.claims.verdicts import Verdict
from scored_matrix import scored, steady

S, C, I, N = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE, Verdict.NOT_RUN  # noqa: E741


@pytest.fixture
def results(tmp_path):
    return scored(tmp_path, *steady())


@pytest.fixture
def claimed(results, tmp_path):
    """Return a function that makes a claim and its only comparison."""

    def claimed(text):
        claims, problems = read(results.matrix, tmp_path, f"{HEAD}  - {{id: X, statement: s, {text}}}\n")
        assert problems == []
        return claims.claims[0], claims.claims[0].comparisons[0]

    return claimed


def part(counts=None, searches=()):
    """Return a part whose rows 'Real' and 'Blend' counted evaluations for 20 and 10 images at two seeds."""
    work = {"Real": 20, "Blend": 10}
    rows, ancestors = {}, {}
    for row, of_seeds in (counts or {"Blend": (100, 100)}).items():
        stages = {
            seed: SimpleNamespace(digest=f"{row}{seed}", work=work[row], kind="synthesis", count=count)
            for seed, count in enumerate(of_seeds)
        }
        rows[row] = SimpleNamespace(syntheses=stages)
        for stage in stages.values():
            ancestors[stage.digest] = list(searches)
    spec = SimpleNamespace(seeds=(0, 1))
    return SimpleNamespace(
        matrix=SimpleNamespace(spec=spec, path="m.yaml", profile="p"),
        graph=SimpleNamespace(rows=rows, ancestors=lambda stage: ancestors[stage.digest]),
        settled={stage.digest for row in rows.values() for stage in row.syntheses.values() if stage.count}
        | {search.digest for search in searches if search.found},
        record=lambda stage: {"cost": {"network_evaluations": stage.count}},
        store=None,
    )


@pytest.mark.parametrize(
    ("counts", "ratio", "wanted", "effect"),
    [
        ((1840, 460), "2", S, 2.0),
        ((1840, 460), "2.001", C, 2.0),
        ((1841, 460), "2", C, 1841 / 920),
        ((600, 1000), "0.3", S, 0.3),
    ],
)
def test_the_ratio_of_counts_is_exact(claimed, counts, ratio, wanted, effect):
    """Rows have 20 and 10 images: 1840 / 20 is twice 460 / 10."""
    claim = claimed(f"kind: evaluations_ratio, ratio: {ratio}, lhs: Real, rhs: Blend")
    one = part({"Real": (counts[0],) * 2, "Blend": (counts[1],) * 2})
    (found,) = models.evaluations_ratio(Evidence((one,)), *claim)
    assert (found.verdict, found.unit, found.seeds) == (wanted, "ratio", 2)
    assert found.effect == pytest.approx(effect)


def test_a_ratio_must_hold_for_every_seed(claimed):
    claim = claimed("kind: evaluations_ratio, ratio: 2, lhs: Real, rhs: Blend")
    (found,) = models.evaluations_ratio(Evidence((part({"Real": (1840, 1841), "Blend": (460, 460)}),)), *claim)
    assert (found.verdict, found.effect) == (C, None)


def test_images_that_were_not_made_have_no_count(claimed):
    claim = claimed("kind: evaluations_ratio, ratio: 2, lhs: Real, rhs: Blend")
    (found,) = models.evaluations_ratio(Evidence((part({"Real": (1840, 0), "Blend": (460, 460)}),)), *claim)
    assert (found.verdict, found.reason) == (N, "both rows need images: faceassay run m.yaml --profile p")


def test_a_row_without_images_samples_nothing(claimed, results):
    claim = claimed("kind: evaluations_ratio, ratio: 2, lhs: Blend, rhs: Real")
    (found,) = models.evaluations_ratio(Evidence((results,)), *claim)
    assert (found.verdict, found.reason) == (N, "row 'Real' samples nothing")


def searched(alpha, beta, weights=(0.1, 0.6, 1.1)):
    cells = [{"alpha": a, "beta": b} for a in weights for b in weights if a <= b]
    return {"alpha": alpha, "beta": beta, "cells": cells}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([searched(0.6, 0.6)], S),
        ([searched(0.6, 1.1)], C),
        ([searched(0.1, 0.6)], C),
        ([searched(0.6, 0.6), searched(1.1, 1.1)], C),
        ([{"anchors": 3}], N),
    ],
)
def test_an_optimum_lies_inside_the_grid_or_on_its_border(claimed, monkeypatch, found, wanted):
    searches = [SimpleNamespace(kind="search", digest=str(k), found=one) for k, one in enumerate(found)]
    monkeypatch.setattr(models, "open_artifact", lambda stage, store: stage.found)
    claim = claimed("kind: interior_argmax, lhs: Blend")
    (one,) = models.interior_argmax(Evidence((part(searches=searches),)), *claim)
    assert one.verdict is wanted


def test_a_row_with_given_weights_says_how_to_search(claimed, results):
    (found,) = models.interior_argmax(Evidence((results,)), *claimed("kind: interior_argmax, lhs: Blend"))
    assert (found.verdict, found.reason) == (N, "row 'Blend' searches for no weights: set alpha: null, beta: null")


def test_a_search_that_was_not_made_is_not_run(claimed):
    one = part(searches=[SimpleNamespace(kind="search", digest="s", found=None)])
    (found,) = models.interior_argmax(Evidence((one,)), *claimed("kind: interior_argmax, lhs: Blend"))
    assert found.reason == "the search of row 'Blend' was not run: faceassay run m.yaml --profile p"


@pytest.mark.parametrize(
    ("value", "p", "wanted"), [(0.05, 0.3, S), (-0.1, 0.001, S), (0.4, 0.005, C), (-0.4, 0.05, C), (0.4, 0.06, I)]
)
def test_spaces_are_unrelated_within_the_margin(claimed, monkeypatch, tmp_path, value, p, wanted):
    statistic = {"value": value, "p_value": p, "null": {}}
    told = {"spearman": statistic, "cka": {"value": 0.35, "p_value": 0.01}, "pairs": 190, "permutations": 199}
    (tmp_path / "correlation.json").write_text(json.dumps(told))
    stage = SimpleNamespace(digest="f", absent=())
    monkeypatch.setattr(models, "_signal", lambda part: (stage, {"f"}))
    monkeypatch.setattr(models, "open_artifact", lambda stage, store: [tmp_path / "correlation.json"])
    (found,) = models.unrelated(Evidence((part(),)), *claimed("kind: unrelated, margin: {value: 0.1, reason: little}"))
    assert (found.verdict, found.effect, found.p) == (wanted, value, p)
    assert "190 pairs" in found.reason
    assert "CKA 0.350 (p = 0.01)" in found.reason


def test_a_figure_that_was_not_drawn_says_how(claimed, monkeypatch):
    stage = SimpleNamespace(digest="f", absent=())
    monkeypatch.setattr(models, "_signal", lambda part: (stage, set()))
    (found,) = models.unrelated(Evidence((part(),)), *claimed("kind: unrelated, margin: {value: 0.1, reason: little}"))
    command = "faceassay figure distance-signal m.yaml --profile p"
    assert (found.verdict, found.reason) == (N, f"figure distance-signal was not drawn: {command}")
