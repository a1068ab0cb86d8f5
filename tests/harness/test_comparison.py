"""Averages and published numbers beside ours, in the table and in every rendering, on a matrix that has run."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from faceassay.cli.matrix import expanded
from faceassay.comparison import NO_NUMBER, NO_SPREAD, compare, metric_differs, verdict
from faceassay.contracts import Interval
from faceassay.report.html import page
from faceassay.report.latex import escaped, latex
from faceassay.report.text import markdown, table_csv
from faceassay.results import collect
from faceassay.spec.published import COLUMNS, PublishedValue
from faceassay.statistics import Summary
from faceassay.store import Store
from faceassay.table import AVERAGE, TableCell, build
from finished_matrix import MATRIX, finished_matrix, forget

AVERAGES = """\
averages:
  - name: Avg-P
    of:
      - {benchmark: pairs, metric: accuracy:2fold}
      - {benchmark: pairs, metric: auc}
      - {benchmark: lowres, metric: rank:1}
    mixes_units: true
    note: odd_ & 100%
  - name: Ranks
    of: [{benchmark: lowres, metric: rank:1}, {benchmark: lowres, metric: rank:5}]
"""  # fmt: skip
PUBLISHED = "published: {path: %s.csv, comparable_in: paper%s}\n"
PROFILE = "  paper: {}\n"
OTHER_DATA = "not comparable: other data"
RECIPE_LEFT_OPEN = "not comparable: the paper does not state all that matters"
SOURCES_DIFFER = "not comparable: the sources print different numbers"
ACCURACY = "accuracy:2fold/grid-0.01/flip-sum"
MIX = f"{ACCURACY}+auc/flip-sum+rank:1/cosine/flip-sum"
RANKS = "rank:1/cosine/flip-sum+rank:5/cosine/flip-sum"
NUMBERS = [
    ("Real", "pairs accuracy:2fold", ACCURACY, "51.25", "percent", "A paper, table 1", "as_printed <i>"),
    ("Real", "Avg-P", MIX, "0.5", "fraction", "A paper, table 1", ""),
    ("Blend, alone", "Ranks", RANKS, "99.99", "percent", "A paper, table 2", "as_printed <i>"),
]
OTHERS = [
    ("Real", "Avg-P", MIX, "50.0", "percent", "A paper, table 2", ""),
    ("Real", "pairs accuracy:2fold", ACCURACY, "52", "percent", "Another paper", "once more"),
    ("Real", "pairs accuracy:2fold", ACCURACY, "51.250", "percent", "A paper, table 2", ""),
]
METRICS = [
    ("Real", "pairs accuracy:2fold", "accuracy:2fold/grid-0.01/no-flip", "51.25", "percent", "A paper, table 1", ""),
    ("Real", "Avg-P", "not stated", "50", "percent", "A paper, table 1", ""),
    ("Blend, alone", "Ranks", RANKS, "99.99", "percent", "A paper, table 2", ""),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    found = finished_matrix(tmp_path_factory)
    for name, numbers, unstated in (
        ("open", NUMBERS, ", unstated: [the flags, the seeds]"),
        ("stated", NUMBERS, ""),
        ("several", NUMBERS + OTHERS, ""),
        ("metrics", METRICS, ""),
        ("both", METRICS, ", unstated: [the seeds]"),
    ):
        with (found.folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *numbers])
        (found.folder / f"{name}.yaml").write_text(MATRIX + PROFILE + AVERAGES + PUBLISHED % (name, unstated))
    return found


def collected(finished, name="stated", profile=None, store=None):
    _, spec, graph = expanded(finished.folder / f"{name}.yaml", profile)
    return collect(spec, graph, Store.open(store or finished.store))


@pytest.fixture(scope="module")
def results(finished):
    return collected(finished)


@pytest.fixture(scope="module")
def table(results):
    return build(results)


def cell(table, row, column):
    return table.rows[row].cells[table.columns.index(column)]


def members(table, row):
    """Return the cells that Avg-P of a row is the mean of."""
    columns = [c for c in table.columns if c[1].partition("/")[0] in ("accuracy:2fold", "auc", "rank:1")]
    return [cell(table, row, column) for column in columns]


def test_an_average_is_the_mean_of_its_members_seed_by_seed(table):
    average = cell(table, 1, (AVERAGE, "Avg-P"))
    by_seed = [statistics.fmean(m.values[s] for m in members(table, 1)) for s in (0, 1)]
    assert average.values == pytest.approx(by_seed, abs=1e-15)
    assert average.summary.mean == pytest.approx(np.mean(by_seed))
    assert average.summary.sd == pytest.approx(np.std(by_seed, ddof=1))


def test_averages_are_the_last_columns(table):
    assert table.columns[-2:] == ((AVERAGE, "Avg-P"), (AVERAGE, "Ranks"))
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}


def test_the_interval_of_an_average_is_that_of_its_replicates(results, table):
    """Two ranks on one benchmark: replicate r of both comes from one draw, so the plain mean is resampled."""
    cells = [results.cell("Real", "lowres", seed).cell for seed in results.matrix.spec.seeds]
    replicates = [np.mean(list(results.replicates(of_seed).values()), axis=0) for of_seed in cells]
    low, high = np.quantile(np.mean(replicates, axis=0), [0.025, 0.975])
    interval = cell(table, 0, (AVERAGE, "Ranks")).interval
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.population == cell(table, 0, table.columns[-3]).interval.population
    assert "mean of 2 seeds" in interval.method


def test_the_interval_over_two_benchmarks_is_narrower_than_that_of_its_widest_member(table):
    average = cell(table, 0, (AVERAGE, "Avg-P")).interval
    widths = [m.interval.high - m.interval.low for m in members(table, 0)]
    assert 0 < average.high - average.low < max(widths)


def test_an_average_lacks_a_seed_that_a_member_lacks(finished, tmp_path):
    store = finished.copy_of_store(tmp_path / "store")
    forget(finished.stage("evaluation lowres of Real, seed 7"), store)
    table = build(collected(finished, store=store))
    average = cell(table, 0, (AVERAGE, "Avg-P"))
    assert average.values[0] is not None
    assert average.values[1] is None
    assert (average.summary.n, average.failure) == (1, "not run")
    assert cell(table, 0, table.columns[0]).summary.n == 2


def test_csv_has_the_averages_with_all_digits(table):
    rows = list(csv.DictReader(io.StringIO(table_csv(table))))
    assert float(rows[0]["average/Avg-P mean"]) == cell(table, 0, (AVERAGE, "Avg-P")).summary.mean


def test_in_another_profile_no_number_is_comparable(finished, results, table):
    assert {compared.verdict for compared in compare(results, table)} == {OTHER_DATA}


def test_what_the_paper_leaves_open_forbids_a_verdict(finished):
    results = collected(finished, "open", "paper")
    said = {compared.verdict for compared in compare(results, build(results))}
    assert said == {RECIPE_LEFT_OPEN}
    assert "- Not stated there: the flags, the seeds; so no verdict" in markdown(results, build(results))


def test_a_metric_that_is_not_ours_or_not_stated_forbids_a_verdict(finished):
    results = collected(finished, "metrics", "paper")
    accuracy, average, ranks = (compared.verdict for compared in compare(results, build(results)))
    assert accuracy == (
        "not comparable: the metric is defined otherwise (paper: accuracy:2fold/grid-0.01/no-flip, "
        "ours: accuracy:2fold/grid-0.01/flip-sum)"
    )
    assert average == "not comparable: the paper does not state how its metric is defined"
    assert ranks.endswith("our interval")


def test_all_reasons_are_given_but_other_data_is_enough(finished):
    results = collected(finished, "both", "paper")
    _, average, _ = (compared.verdict for compared in compare(results, build(results)))
    assert average == f"{RECIPE_LEFT_OPEN}; the paper does not state how its metric is defined"
    results = collected(finished, "both")
    assert {compared.verdict for compared in compare(results, build(results))} == {OTHER_DATA}


def test_one_source_with_another_metric_forbids_a_verdict_for_all():
    stated = published("0.5", "0.5", "0.5")
    others = [replace(value, metric=metric) for value, metric in zip(stated, ("ours", "other", None), strict=True)]
    assert list(metric_differs("ours", others)) == [
        "the metric is defined otherwise (paper: other, ours: ours)",
        "the paper does not state how its metric is defined",
    ]
    assert list(metric_differs("ours", others[:1])) == []


def test_comparable_numbers_get_a_verdict(finished):
    results = collected(finished, "stated", "paper")
    *_, last = compare(results, build(results))
    assert [value.row for value in last.published] == ["Blend, alone"]
    assert last.verdict.endswith("our interval")


def test_the_difference_is_ours_minus_published(results, table):
    first = next(iter(compare(results, table)))
    ours = cell(table, 0, table.columns[0]).summary.mean
    assert [first.difference(value) for value in first.published] == [pytest.approx(ours - 0.5125)]


def published(*texts):
    return [PublishedValue("row", "column", "metric", Decimal(text), f"source {i}", "") for i, text in enumerate(texts)]


INTERVAL = Interval(0.5, 0.6, "people", "bootstrap")
SPREAD = Summary(0.55, 0.01, 2)


@pytest.mark.parametrize(
    ("ours", "value", "said"),
    [
        (TableCell(SPREAD, (), None, INTERVAL), "0.6000", "within our interval"),
        (TableCell(SPREAD, (), None, INTERVAL), "0.6001", "outside our interval"),
        (TableCell(SPREAD, (), None, Interval(0.5, 0.60005, "", "")), "0.6001", "within our interval"),
        (TableCell(SPREAD, (), None), "0.5700", "within 2 standard deviations over our seeds"),
        (TableCell(SPREAD, (), None), "0.5290", "outside 2 standard deviations over our seeds"),
        (TableCell(Summary(0.55, None, 1), (), None), "0.55", NO_SPREAD),
        (TableCell(None, (), "failed: x"), "0.55", NO_NUMBER),
        (None, "0.55", NO_NUMBER),
    ],
)
def test_a_verdict_goes_by_the_interval_then_by_the_spread(ours, value, said):
    assert verdict(ours, published(value)) == said


def test_sources_that_print_different_numbers_get_no_verdict():
    assert verdict(TableCell(SPREAD, (), None, INTERVAL), published("0.55", "0.56")) == SOURCES_DIFFER


def test_sources_that_print_one_number_are_judged_by_the_one_with_most_digits():
    """0.61 may be 0.605 unrounded and would be within; 0.6100 may not."""
    ours = TableCell(SPREAD, (), None, Interval(0.5, 0.607, "", ""))
    assert verdict(ours, published("0.61")) == "within our interval"
    assert verdict(ours, published("0.61", "0.6100")) == "outside our interval"


def test_numbers_of_several_sources_stand_in_one_line_in_the_order_of_the_file(finished):
    results = collected(finished, "several", "paper")
    found = {(c.published[0].row, c.published[0].column): c for c in compare(results, build(results))}
    assert len(found) == len(NUMBERS)
    several = found["Real", "pairs accuracy:2fold"]
    assert [str(value.printed) for value in several.published] == ["0.5125", "0.52", "0.51250"]
    assert several.verdict == SOURCES_DIFFER
    assert found["Real", "Avg-P"].verdict.endswith("our interval")


def test_each_different_number_is_shown_once_as_printed_with_its_sources_and_its_difference(finished):
    results = collected(finished, "several")
    table = build(results)
    text = markdown(results, table).partition("## Published beside ours")[2]
    ours = 100 * cell(table, 0, table.columns[0]).summary.mean
    line = [part.strip() for part in text.splitlines()[4].split("|")[1:-1]]
    assert line[3:5] == ["51.25 [1][2]; 52 [3]", f"{ours - 51.25:+.2f}; {ours - 52:+.2f}"]
    assert "as A paper, table 1 [1]; A paper, table 2 [2]; Another paper [3] print them." in text
    assert "- **Real [3]**: once more" in text  # of this source the row has no other number


def test_a_single_source_needs_no_number(finished):
    matrix = finished.folder / "single.yaml"
    matrix.write_text(MATRIX + PROFILE + AVERAGES + PUBLISHED % ("single", ""))
    with matrix.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, NUMBERS[0]])
    results = collected(finished, "single")
    text = markdown(results, build(results)).partition("## Published beside ours")[2]
    assert " 51.25 |" in text
    assert "as A paper, table 1 prints it." in text
    assert "[" not in text.partition("\n## ")[0]


def test_markdown_shows_published_numbers_in_cells_of_their_own(results, table):
    text = markdown(results, table).partition("## Published beside ours")[2]
    ours = cell(table, 0, table.columns[0]).summary
    shown = f"{100 * ours.mean:.2f} ± {100 * ours.sd:.2f}"
    line = [part.strip() for part in text.splitlines()[4].split("|")[1:-1]]
    assert line == ["Real", "pairs accuracy:2fold", shown, "51.25 [1]", f"{100 * ours.mean - 51.25:+.2f}", OTHER_DATA]
    assert "- **Real, pairs accuracy:2fold [1]; Blend, alone [2]**: as_printed &lt;i&gt;" in text
    assert "A paper, table 1 [1]; A paper, table 2 [2]" in text


def test_mixed_units_are_footnoted(results, table):
    text = markdown(results, table)
    assert " Avg-P † |" in text
    assert "- **Avg-P**: mean of pairs accuracy:2fold, pairs auc, lowres rank:1. † mixes unlike metrics" in text
    assert "- **Ranks**: mean of lowres rank:1, lowres rank:5\n" in text


def test_the_page_has_averages_and_published_numbers(results, table):
    text = page(results, table)
    assert '<th class="group" colspan="2"><span>Averages</span></th>' in text
    assert '<table id="published">' in text
    assert "as_printed &lt;i&gt;" in text


def test_without_published_numbers_there_is_no_such_table(finished):
    plain = finished.results()
    for text in (markdown(plain, build(plain)), page(plain, build(plain)), latex(plain, build(plain))):
        assert "Published" not in text


def test_latex_has_both_tables_with_every_row_and_booktabs(results, table):
    text = latex(results, table)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [2, 2, 2]
    first = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    assert len(first) == len(table.rows)
    assert {line.replace(r"\&", "").count("&") for line in first} == {5 + len(table.columns)}
    assert all(line.endswith(r" \\") for line in first)


def test_latex_takes_nothing_from_outside_for_a_command(results, table):
    bare = escaped(r"\input{/etc} 5% #1 a_b ~ ^ $x$ & <b> [1] | *")
    for command in ("backslash", "asciitilde", "asciicircum", "less", "greater", "bar"):
        bare = bare.replace(rf"\text{command}{{}}", "")
    for character in "%#_$&{}":
        bare = bare.replace(f"\\{character}", "")
    assert not set(bare.replace("{[}", "").replace("{*}", "")) & set("\\%#_$&{}~^<>|[")
    assert r"odd\_ \& 100\%" in latex(results, table)


def test_latex_is_plain_in_what_every_engine_reads(results, table):
    assert "±" not in latex(results, table)
    assert r"\(\pm\)" in latex(results, table)
