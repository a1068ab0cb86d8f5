"""Numbers and names for people."""

import dataclasses

import pytest
from scipy.stats import binomtest

from faceassay.report.notes import sections
from faceassay.report.quality import quality_rows
from faceassay.report.words import cell_text, counted, fact, percent, short_names
from faceassay.statistics import Summary, summarise
from faceassay.table import TableCell, build
from finished_matrix import finished_matrix


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.16467326422530548, "0.1647"), (0.773, "0.773"), (1800, "1,800"), (4200000, "4,200,000"), (7, "7"), (2.0, "2"),
     ("a word", "a word"), (1e-7, "1e-07"), (True, "True")],
)  # fmt: skip
def test_facts_are_shown_with_sensible_digits(value, said):
    assert fact(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.76666, "76.67"), (1.0, "100.00"), (0.0, "0.00")])
def test_percent_has_two_decimals(value, said):
    assert percent(value) == said


def test_a_count_agrees_with_its_noun():
    assert [counted(n, "seed") for n in (0, 1, 2, 4200000)] == ["0 seeds", "1 seed", "2 seeds", "4,200,000 seeds"]


def test_a_metric_is_called_by_its_first_part():
    assert short_names(["auc/flip-sum", "rank:1/cosine/flip-sum", "plain"]) == ["auc", "rank:1", "plain"]


def test_metrics_with_the_same_first_part_keep_their_identities():
    metrics = ["accuracy:10fold/grid-0.01", "accuracy:10fold/exact", "auc/x"]
    assert short_names(metrics) == [*metrics[:2], "auc"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (TableCell(summarise([0.5, 0.7]), (0.5, 0.7), None), "60.00 ± 14.14"),
        (TableCell(summarise([0.5]), (0.5,), None), "50.00"),
        (TableCell(summarise([0.5]), (0.5, None), "failed: x"), "50.00 (1 of 2 seeds)"),
        (TableCell(summarise([0.5, 0.7]), (0.5, 0.7, None), "not run"), "60.00 ± 14.14 (2 of 3 seeds)"),
        (TableCell(None, (None,), "failed: x"), "failed"),
        (TableCell(None, (None,), "not run"), "not run"),
        (TableCell(Summary(0.0, 0.0, 2), (0.0, 0.0), None), "0.00 ± 0.00"),
    ],
)
def test_a_cell_says_mean_spread_and_what_is_missing(cell, said):
    assert str(cell_text(cell)) == said


def test_facts_on_which_the_cells_of_a_benchmark_differ_are_not_shown_as_its_own(finished):
    results = finished.results()
    noted = [{"pairs": 90, "fold_std": 0.1 * number} for number in range(len(results.cells))]
    cells = tuple(dataclasses.replace(cell, notes=notes) for cell, notes in zip(results.cells, noted, strict=True))
    table = build(results)
    said = dict(
        next(s.items for s in sections(dataclasses.replace(results, cells=cells), table) if s.heading == "Benchmarks")
    )
    assert said == {
        "pairs": "pair-verification on data 'test': pairs 90",
        "lowres": "lowres-identification on data 'test': pairs 90",
    }


def test_the_notes_of_a_benchmark_that_was_not_run_say_what_it_would_be(finished, tmp_path):
    results = finished.results(tmp_path / "empty")
    said = next(s.items for s in sections(results, build(results)) if s.heading == "Benchmarks")
    assert said[0] == ("pairs", "pair-verification on data 'test'")


def test_shares_of_faces_come_with_their_wilson_interval(finished, monkeypatch):
    low, high = binomtest(10, 40).proportion_ci(method="wilson")
    quality = {"images": 40, "real_images": 24, "faces": 10, "faces_real": None}
    distances = {"minimum": 1.0, "q05": 2.04, "median": 3.06}
    measured = {**quality, "nearest_training": distances, "nearest_among_real": distances}
    results = finished.results()
    monkeypatch.setattr(type(results), "quality", lambda self, row, seed: measured)
    row = quality_rows(results)[0]
    assert row[2:] == ["40", f"25.00 [{100 * low:.2f}, {100 * high:.2f}]", "not measured", "3.1 (2.0)", "3.1 (2.0)"]
