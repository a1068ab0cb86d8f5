"""Published tables that serve as oracles, checked against themselves: what their columns determine must hold.

No product code is tested here. An inconsistency of a source is written down and asserted, so that nobody takes the
number for an oracle unawares.
"""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).parents[1] / "data" / "published"
FILES = sorted(file.stem for file in PUBLISHED.glob("*.csv"))
FIVE = ("LFW", "CFP-FP", "CPLFW", "AgeDB-30", "CALFW")
TRIALS = {**dict.fromkeys(FIVE, 6000), "CFP-FP": 7000, "TinyFace@1": 3728, "TinyFace@5": 3728}
IN_SCOREMIX_AVERAGE = ("IJB-B@1e-6", "IJB-B@1e-5", "IJB-C@1e-6", "IJB-C@1e-5", "TinyFace@1", "TinyFace@5")
IN_CVLFACE_AVERAGE = (*FIVE, "IJB-B@1e-4", "IJB-C@1e-4", "TinyFace@1", "TinyFace@5")
AVERAGED = {
    "adaface_pairs": FIVE,
    "admis": FIVE,
    "cemiface": FIVE,
    "cvlface": IN_CVLFACE_AVERAGE,
    "dcface": FIVE,
    "digiface": FIVE,
    "idiffface": FIVE,
    "scoremix_table2": IN_SCOREMIX_AVERAGE,
    "vec2face": FIVE,
}
MISPRINTS = [("USynthFace + RandAugment", "79.30"), ("IDnet", "79.13")]
"""Printed averages that the printed numbers do not give, by what was trained on."""


def table(name):
    """Return the rows of a table, each without its empty cells."""
    with (PUBLISHED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{column: cell for column, cell in row.items() if cell} for row in csv.DictReader(file)]


TABLES = {name: table(name) for name in FILES}
ROWS = [(name, label, row) for name, rows in TABLES.items() for label, row in enumerate(rows)]


def half_unit(printed):
    """Return half a unit in the last printed place: how far the true value can be from a rounded one."""
    return Fraction(1, 2 * 10 ** len(printed.partition(".")[2]))


def counts_behind(printed, trials):
    """Return every k for which k of ``trials``, in percent, prints as ``printed``."""
    value, half = Fraction(printed), half_unit(printed)
    first, last = math.ceil((value - half) * trials / 100), math.floor((value + half) * trials / 100)
    return list(range(first, last + 1))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def row_of(name, **wanted):
    (found,) = [row for row in TABLES[name] if wanted.items() <= row.items()]
    return found


def in_full(row, columns):
    return {column: Fraction(row[column]) for column in columns}


def test_every_row_names_its_source():
    assert FILES
    assert [label for _, label, row in ROWS if len(row["source"]) < 10] == []


def test_rates_are_percentages():
    rates = [Fraction(cell) for _, _, row in ROWS for column, cell in row.items() if column in TRIALS or "@" in column]
    assert len(rates) > 300
    assert all(0 < rate < 100 for rate in rates)


def average_fits(row, columns):
    """Tell whether the printed average can be that of the printed columns, each of them rounded."""
    tolerance = half_unit(row["average"]) + mean(half_unit(row[column]) for column in columns)
    return abs(mean(Fraction(row[column]) for column in columns) - Fraction(row["average"])) <= tolerance


def unfit(name):
    """Return the rows whose average does not fit; where only averages are printed, none can be checked."""
    columns = AVERAGED[name]
    return [row for row in TABLES[name] if columns[0] in row and not average_fits(row, columns)]


@pytest.mark.parametrize("name", AVERAGED)
def test_averages_are_the_means_of_their_columns(name):
    assert [row for row in unfit(name) if (row.get("training"), row["average"]) not in MISPRINTS] == []


def test_two_averages_do_not_fit_and_it_is_known_which_number_is_wrong():
    """USynthFace's numbers give 78.30: the average is wrong. IDnet's AgeDB is: IDiff-Face prints 73.53, which fits."""
    assert [(row["training"], row["average"]) for name in ("idiffface", "vec2face") for row in unfit(name)] == MISPRINTS
    ours = {"average": "78.30"}
    assert average_fits(row_of("idiffface", average="79.30") | ours, FIVE)
    theirs = row_of("idiffface", training="IDnet + RandAugment")
    misprinted = row_of("vec2face", training="IDnet")
    assert {column for column in FIVE if misprinted[column] != theirs[column]} == {"AgeDB-30"}
    assert average_fits(misprinted | {"AgeDB-30": theirs["AgeDB-30"]}, FIVE)


@pytest.mark.parametrize(("average", "fits"), [("94.67", False), ("94.68", True), ("94.69", True), ("94.70", False)])
def test_the_test_of_averages_bites(average, fits):
    row = row_of("adaface_pairs", model="R50 CASIA-WebFace") | {"average": average}
    assert average_fits(row, FIVE) is fits


@pytest.mark.parametrize(
    ("name", "model", "published"),
    [("adaface_pairs", "R50 MS1MV2", "96.88"), ("admis", "IR-50 ArcFace Syn_10k (ours)", "92.09")],
)
def test_two_averages_are_those_of_the_counts_and_not_of_the_printed_columns(name, model, published):
    row = row_of(name, model=model)
    assert row["average"] == published
    assert abs(mean(Fraction(row[one]) for one in FIVE) - Fraction(published)) > half_unit(published)


@pytest.mark.parametrize("name", ["adaface_pairs", "admis"])
def test_averages_follow_exactly_from_the_pairs_that_were_right(name):
    for row in TABLES[name]:
        right = {one: counts_behind(row[one], TRIALS[one]) for one in FIVE}
        assert all(len(counts) == 1 for counts in right.values())
        exact = mean(Fraction(100 * right[one][0], TRIALS[one]) for one in FIVE)
        assert abs(exact - Fraction(row["average"])) <= half_unit(row["average"])


# Of these the printed rates are no share of 3,728 probes: they are means over runs, as AugGen's table says of its own.
MEANS_OVER_RUNS = {
    ("scoremix_table1", "RealDigiFace", "IR50", "42.64"),
    ("scoremix_table1", "DCFace", "IR50", "45.94"),
    ("scoremix_table1", "AugGen Repro", "IR50", "53.61"),
    ("scoremix_table1", "CASIA-WebFace", "IR50", "58.12"),
    ("scoremix_table1", "CASIA-WebFace", "IR101", "59.64"),
    ("scoremix_table1", "WebFace160K", "IR101", "62.59"),
    ("scoremix_table1", "AugGen", "IR50", "61.41"),
    ("scoremix_table2", "Random", "", "61.41"),
}
# Nor are these shares of the pairs: means over runs, or misprints. All other numbers of their tables are.
NO_SHARES = {
    ("cemiface", "DCFace reproduced", "", "91.61"),
    ("cemiface", "DCFace reproduced", "", "83.26"),
    ("cemiface", "DCFace reproduced", "", "90.01"),
    ("cemiface", "CemiFace", "", "93.01"),
    ("cemiface", "CemiFace", "", "92.75"),
    ("cemiface", "CemiFace", "", "88.86"),
    ("digiface", "SynFace", "", "87.68"),
    ("digiface", "ArcFace", "", "95.96"),
    ("digiface", "ArcFace", "", "99.81"),
    ("idiffface", "ElasticFace (CASIA-WebFace)", "", "95.52"),
    ("vec2face", "Arc2Face", "", "85.16"),
    ("vec2face", "Arc2Face", "", "98.81"),
}


def test_single_runs_print_shares_of_the_pairs_or_probes_and_the_others_are_known():
    impossible = {
        (name, row.get("training") or row.get("selection") or row["model"], row.get("backbone", ""), row[column])
        for name, _, row in ROWS
        for column in TRIALS.keys() & row.keys()
        if not counts_behind(row[column], TRIALS[column])
    }
    assert impossible == MEANS_OVER_RUNS | NO_SHARES


@pytest.mark.parametrize(
    ("printed", "trials", "counts"),
    [("99.82", 6000, [5989]), ("99.81", 6000, []), ("98.49", 7000, [6894]), ("98.48", 7000, []), ("0.1", 1000, [1])],
)
def test_the_test_of_shares_bites(printed, trials, counts):
    assert counts_behind(printed, trials) == counts


def test_rank_5_is_no_lower_than_rank_1():
    both = [row for _, _, row in ROWS if {"TinyFace@1", "TinyFace@5"} <= row.keys()]
    assert len(both) == 27
    assert [row for row in both if Fraction(row["TinyFace@5"]) < Fraction(row["TinyFace@1"])] == []


def test_true_accepts_rise_with_false_accepts():
    curves = []
    for _, _, row in ROWS:
        for benchmark in ("IJB-B@", "IJB-C@"):
            curve = {float(c.removeprefix(benchmark)): float(row[c]) for c in row if c.startswith(benchmark)}
            curves += [[curve[fpr] for fpr in sorted(curve)]] if len(curve) > 1 else []
    assert len(curves) == 64
    assert [curve for curve in curves if any(low >= high for low, high in pairwise(curve))] == []


def test_the_flags_move_one_model_as_far_as_they_are_said_to():
    for column, points in (("IJB-C@1e-6", "3.60"), ("IJB-C@1e-4", "0.63")):
        values = [Fraction(row[column]) for row in TABLES["insightface_flags"]]
        assert max(values) - min(values) == Fraction(points)


def test_two_reports_of_one_evaluation_differ_at_the_lowest_rate_only():
    flags = row_of("insightface_flags", norm="kept", detector="yes", flip="yes")
    full = row_of("insightface_ijb", model="MS1MV2 r100 (MXNet)")
    differing = {column: (flags[column], full[column]) for column in flags.keys() & full.keys() if "@" in column}
    differing = {column: values for column, values in differing.items() if len(set(values)) > 1}
    assert differing == {"IJB-C@1e-6": ("89.85", "89.91")}


def test_the_baseline_of_scoremix_differs_between_its_tables():
    columns = IN_SCOREMIX_AVERAGE[:5]
    first = in_full(row_of("scoremix_table1", training="WebFace160K", backbone="IR50"), columns)
    second = in_full(row_of("scoremix_table2", selection="WebFace160K"), columns)
    differences = [second[column] - first[column] for column in columns]
    assert differences == [Fraction(text) for text in ("1.02", "0.36", "0.05", "-0.19", "0")]


def test_the_auggen_row_of_scoremix_is_its_row_of_random_pairs():
    columns = IN_SCOREMIX_AVERAGE[:5]
    auggen = in_full(row_of("scoremix_table1", training="AugGen", real="0.16M"), columns)
    assert auggen == in_full(row_of("scoremix_table2", selection="Random"), columns)


def test_no_selection_of_scoremix_gives_its_headline_row():
    columns = IN_SCOREMIX_AVERAGE[:5]
    headline = in_full(row_of("scoremix_table1", training="ScoreMix (Ours)", real="0.16M"), columns)
    assert headline not in [in_full(row, columns) for row in TABLES["scoremix_table2"]]


def test_printed_gains_of_scoremix_are_differences_of_its_averages():
    rows = TABLES["scoremix_table2"]
    pairs = [(close, far) for close, far in pairwise(rows) if "far minus close" in close]
    assert len(pairs) == 4
    for one, other in pairs:
        gain = abs(Fraction(other["average"]) - Fraction(one["average"]))
        assert gain == Fraction(one["far minus close"])


def whole(row):
    return {column: int(cell) for column, cell in row.items() if cell.isdecimal()}


@pytest.mark.parametrize("row", [*map(whole, TABLES["count_pair_sets"])])
def test_pair_sets_are_ten_folds_of_as_many_same_as_different_pairs(row):
    assert row["pairs"] == row["folds"] * row["fold_pairs"]
    assert row["fold_pairs"] == 2 * row["same_per_fold"]
    assert row["images_in_bin"] == 2 * row["pairs"]


def test_the_five_sets_have_31000_pairs_and_the_trials_used_here():
    pairs = {row["set"]: int(row["pairs"]) for row in TABLES["count_pair_sets"]}
    assert sum(pairs[name] for name in FIVE) == 31_000
    assert all(pairs[name] == TRIALS[name] for name in FIVE)


@pytest.mark.parametrize("row", [*map(whole, TABLES["count_ijb"])])
def test_ijb_counts_add_up(row):
    assert row["templates"] == row["gallery_templates"] + row["probe_templates"]
    assert row["pairs"] == row["genuine"] + row["impostors"]
    assert row["gallery_templates"] == row["subjects"]
    assert row["genuine"] <= row["probe_templates"]  # one genuine pair is a probe with the template of its subject
    assert row["pairs"] <= row["gallery_templates"] * row["probe_templates"]
    assert row["templates"] <= row["images"]


@pytest.mark.parametrize("row", TABLES["count_ijb_false_accepts"])
def test_false_accepts_follow_from_the_impostors(row):
    aimed = Fraction(row["fpr"]) * int(row_of("count_ijb", set=row["set"])["impostors"])
    assert (round(aimed), math.floor(aimed)) == (int(row["nearest"]), int(row["at_most"]))


def test_the_lowest_rate_of_ijb_c_is_read_above_its_target():
    impostors = int(row_of("count_ijb", set="IJB-C")["impostors"])
    nearest = int(row_of("count_ijb_false_accepts", set="IJB-C", fpr="1e-6")["nearest"])
    assert f"{nearest / impostors:.3e}" == "1.023e-06"


def test_tinyface_counts_add_up():
    (row,) = map(whole, TABLES["count_tinyface"])
    assert row["images"] == row["training"] + row["probes"] + row["mated_gallery"] + row["distractors"]
    assert row["gallery"] == row["mated_gallery"] + row["distractors"]
    assert row["people"] == row["training_people"] + row["test_people"]
    assert row["probes"] == TRIALS["TinyFace@1"]
