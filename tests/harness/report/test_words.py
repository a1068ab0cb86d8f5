"""Numbers and names for people."""

import dataclasses

import pytest
from scipy.stats import binomtest

from faceassay.contracts import Interval
from faceassay.contracts.evaluation import short_names
from faceassay.report.intervals import interval_notes
from faceassay.report.notes import sections
from faceassay.report.quality import quality_rows
from faceassay.report.words import basis, cell_text, counted, fact, limits, percent
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


INTERVAL = Interval(0.76124, 0.798, "identities", "percentile bootstrap, 998 of 1000 replicates")


def test_limits_are_in_percent_and_say_what_they_are_of():
    assert limits(INTERVAL) == "76.12 to 79.80"
    assert basis(INTERVAL) == "95 % limits over identities (percentile bootstrap, 998 of 1000 replicates)"
    assert basis(Interval(0, 1, "pairs", "exact", level=0.999)) == "99.9 % limits over pairs (exact)"


def test_a_cell_keeps_its_limits_apart():
    cell = cell_text(TableCell(summarise([0.77]), (0.77,), None, INTERVAL))
    assert (str(cell), cell.limits, cell.basis) == ("77.00", limits(INTERVAL), basis(INTERVAL))
    bare = cell_text(TableCell(summarise([0.77]), (0.77,), None))
    assert (bare.limits, bare.basis) == ("", "")


def with_intervals(results, choose):
    """Return the table with ``choose(row, column)`` as the intervals of its cells."""
    table = build(results)
    rows = tuple(
        dataclasses.replace(
            row,
            cells=tuple(dataclasses.replace(cell, interval=choose(i, j)) for j, cell in enumerate(row.cells)),
        )
        for i, row in enumerate(table.rows)
    )
    return dataclasses.replace(table, rows=rows)


def said_of(results, choose):
    return list(interval_notes(results, with_intervals(results, choose)))


def test_what_all_benchmarks_share_is_said_once(finished):
    shared = Interval(0, 1, "draws", "exact, to the last digit", level=0.9)
    assert said_of(finished.results(), lambda row, column: shared)[1:] == [
        ("pairs; lowres", "90 % limits over draws (exact, to the last digit)")
    ]


def test_methods_that_differ_in_detail_are_said_as_far_as_they_agree(finished):
    of_row = [Interval(0, 1, "pairs", f"bootstrap, {n} of 9 replicates") for n in (7, 8, 9)]
    assert said_of(finished.results(), lambda row, column: of_row[row])[1] == (
        "pairs; lowres",
        "95 % limits over pairs (bootstrap)",
    )


def test_methods_that_share_nothing_are_all_said(finished):
    of_row = [Interval(0, 1, "pairs", method) for method in ("bootstrap, 9", "exact", "exact")]
    said = said_of(finished.results(), lambda row, column: of_row[row])[1]
    assert said == ("pairs; lowres", "95 % limits over pairs (bootstrap, 9 or exact)")


def test_metrics_of_different_populations_are_told_apart(finished):
    few, many = Interval(0, 1, "false accepts", "exact"), Interval(0, 1, "people", "bootstrap")
    assert said_of(finished.results(), lambda row, column: few if column == 1 else many)[1:] == [
        (
            "pairs",
            "accuracy:2fold, auc: 95 % limits over people (bootstrap); "
            "tar_at_fpr:1e-2: 95 % limits over false accepts (exact)",
        ),
        ("lowres", "95 % limits over people (bootstrap)"),
    ]


def test_a_population_is_said_in_the_words_of_the_evaluation_where_they_are_about_it(finished):
    def lowres(population):
        interval = Interval(0, 1, population, "bootstrap")
        return dict(said_of(finished.results(), lambda row, column: interval))["lowres"]

    assert lowres("identities") == "95 % limits over identities of the probes; the gallery is fixed (bootstrap)"

    interval = Interval(0, 1, "false accepts", "exact")
    said = dict(said_of(finished.results(), lambda row, column: interval))
    assert said["pairs; lowres"] == "95 % limits over false accepts (exact)"


def test_numbers_without_limits_are_explained(finished):
    said = said_of(finished.results(), lambda row, column: None)
    assert said == [
        ("", "A number without limits comes from a protocol that keeps no replicates and gives no interval.")
    ]
    some = said_of(finished.results(), lambda row, column: INTERVAL if row else None)
    assert some[-1] == said[0]
    assert some[0][1].startswith("Limits around the mean over 2 seeds")


def test_nothing_is_said_of_intervals_where_nothing_has_run(finished, tmp_path):
    results = finished.results(tmp_path / "empty")
    assert list(interval_notes(results, build(results))) == []


def benchmarks(results):
    return dict(next(s.items for s in sections(results, build(results)) if s.heading == "Benchmarks"))


def with_cells(results, change):
    cells = tuple(change(result) if result.cell.benchmark == "lowres" else result for result in results.cells)
    return dataclasses.replace(results, cells=cells)


def test_warnings_are_sentences_each_once(finished):
    warned = with_cells(finished.results(), lambda r: dataclasses.replace(r, warnings=["one.", "two", "one."]))
    assert benchmarks(warned)["lowres"].endswith("one fixed gallery. Warning: one. Warning: two")
    assert "Warning" not in benchmarks(warned)["pairs"]


def test_a_warning_of_some_cells_names_their_methods(finished):
    def change(result):
        return dataclasses.replace(result, warnings=["odd"] if result.cell.method != "Real" else [])

    said = benchmarks(with_cells(finished.results(), change))["lowres"]
    assert said.endswith(". Warning (Blend + real; Blend, alone): odd")


def test_cautions_name_their_metrics_each_text_once(finished):
    first, second = "rank:1/cosine/flip-sum", "rank:5/cosine/flip-sum"
    alike = with_cells(
        finished.results(), lambda r: dataclasses.replace(r, cautions={first: "few probes", second: "few probes"})
    )
    assert benchmarks(alike)["lowres"].endswith(". Caution, rank:1, rank:5: few probes")
    apart = with_cells(finished.results(), lambda r: dataclasses.replace(r, cautions={second: "two", first: "one"}))
    assert benchmarks(apart)["lowres"].endswith(". Caution, rank:1: one. Caution, rank:5: two")


def test_facts_on_which_the_cells_of_a_benchmark_differ_are_not_shown_as_its_own(finished):
    results = finished.results()
    shared = {"pairs": 90, "sha256": "0123456789abcdef" * 4, "interval_population": "identities"}
    cells = tuple(
        dataclasses.replace(cell, notes={**shared, "fold_std": 0.1 * number}, cautions={})
        for number, cell in enumerate(results.cells)
    )
    assert benchmarks(dataclasses.replace(results, cells=cells)) == {
        "pairs": "pair-verification on data 'test': pairs 90, sha256 0123456789abcdef",
        "lowres": "lowres-identification on data 'test': pairs 90, sha256 0123456789abcdef",
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
