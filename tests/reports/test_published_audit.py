"""The audit of the published tables: written again byte for byte, its tables those that others transcribed, its results."""

from __future__ import annotations

import csv
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from faceassay.audit.reading import read_audit
from faceassay.cli import main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "reports" / "published-audit"
ORACLE = ROOT / "tests" / "data" / "published"
COLUMNS = {"AgeDB": "AgeDB-30", "average of five": "average", "average without age": "average without age"}
TABLES = {
    "idiffface": ["IDiff-Face"],
    "dcface": ["DCFace, table 2", "DCFace, table 3", "DCFace, table 4", "DCFace, supplement"],
    "digiface": ["DigiFace, table 1", "DigiFace, table 3", "DigiFace, table 4", "DigiFace, table 5"],
    "vec2face": ["Vec2Face, 0.5M", "Vec2Face, scaling"],
    "cemiface": ["CemiFace, table 6"],
    "admis": ["ADMIS"],
}
FIVE = ("LFW", "CFP-FP", "CPLFW", "AgeDB", "CALFW", "average of five")
SCOREMIX = {
    "ijbb_tar_1e-6": "IJB-B@1e-6", "ijbb_tar_1e-5": "IJB-B@1e-5", "ijbc_tar_1e-6": "IJB-C@1e-6",
    "ijbc_tar_1e-5": "IJB-C@1e-5", "tinyface_rank1": "TinyFace@1", "tinyface_rank5": "TinyFace@5",
    "average of six": "average", "average of five": "average of pair sets",
}  # fmt: skip


@lru_cache
def lines(check=None):
    with (FOLDER / "audit.csv").open(newline="", encoding="utf-8") as file:
        return [line for line in csv.DictReader(file) if check in (None, line["check"])]


def verdicts(check):
    return [line["verdict"] for line in lines(check)]


def oracle(name):
    with (ORACLE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_of(*tables):
    audited = read_audit(FOLDER)
    return [row.printed for table in tables for row in audited.tables[table].rows.values()]


def test_one_command_writes_it_again(tmp_path):
    assert CliRunner().invoke(main, ["audit", str(FOLDER), "--out", str(tmp_path)]).exit_code == 0
    for name in ("audit.csv", "audit.md", "audit.html"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name


@pytest.mark.parametrize("name", TABLES)
def test_the_copies_have_the_numbers_that_others_transcribed(name):
    """Number by number and row by row, whatever the rows are called; nobody has the other's file."""
    ours = [{COLUMNS.get(c, c): Decimal(row[c]) for c in FIVE if c in row} for row in rows_of(*TABLES[name])]
    heads = ("LFW", "CFP-FP", "CPLFW", "AgeDB-30", "CALFW", "average")
    theirs = [{c: Decimal(line[c]) for c in heads if line[c]} for line in oracle(name)]
    assert sorted(map(sorted_items, ours)) == sorted(map(sorted_items, theirs))


def sorted_items(row):
    return sorted(row.items())


@pytest.mark.parametrize("number", ["1", "2"])
def test_the_tables_of_scoremix_are_the_papers(number):
    ours = [{SCOREMIX[c]: Decimal(text) for c, text in row.items()} for row in rows_of(f"ScoreMix, table {number}")]
    theirs = [{c: Decimal(line[c]) for c in ours[0]} for line in oracle(f"scoremix_table{number}")]
    assert ours == theirs


def test_every_copy_names_its_source():
    for file in (FOLDER / "published").glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as stream:
            header, *found = csv.reader(stream)
        assert found
        if file.name != "audit_averages.csv":
            source = header.index("source" if file.name == "claims.csv" else "source_paper")
            assert all(line[source] for line in found), file.name


def test_two_averages_are_no_means_of_their_members():
    broken = [(line["source"], line["row"], line["printed"]) for line in lines("average") if line["verdict"].startswith("not")]
    assert broken == [
        ("IDiff-Face", "USynthFace + RandAugment / 400K / 1", "79.30"),
        ("Vec2Face, 0.5M", "IDnet / 0.5M", "79.13"),
    ]


def test_all_other_averages_with_printed_members_are_exact_or_explained_by_rounding():
    counts = {verdict: verdicts("average").count(verdict) for verdict in verdicts("average")}
    assert counts["exact"] == 133
    assert counts["explained by the rounding of its members"] == 10


def test_one_average_mixes_unlike_metrics():
    mixing = [line["source"] for line in lines("definition") if "mixes unlike" in line["detail"]]
    assert mixing == ["ScoreMix, table 2"]


def test_gap_to_real_has_three_definitions():
    said = {line["source"]: line["verdict"] for line in lines("gap") if line["column"] == "gap_to_real"}
    assert said == {
        "DCFace, table 4": "relative to the row itself",
        "DCFace, supplement": "relative to the other row",
        "CemiFace, table 6": "difference in points",
    }


def test_one_pair_of_rows_is_too_alike():
    (alike,) = lines("alike")
    assert (alike["source"], alike["row"]) == ("ScoreMix, table 1: FR_mix / AugGen / IR50 / 0.2M", "ScoreMix, table 2: Random")


def test_the_same_training_with_other_numbers():
    said = {(line["source"], line["column"]): line["difference"] for line in lines("quotation") if line["verdict"] == "differ"}
    assert said == {
        ("WebFace160K: IR50", "ijbb_tar_1e-6"): "1.02",
        ("WebFace160K: IR50", "ijbb_tar_1e-5"): "0.36",
        ("WebFace160K: IR50", "ijbc_tar_1e-6"): "0.05",
        ("WebFace160K: IR50", "ijbc_tar_1e-5"): "0.19",
        ("IDnet: with RandAugment", "AgeDB"): "9.65",
    }


def test_spreads_between_recipes_are_those_of_the_printed_averages():
    """95.08 - 94.21, 90.18 - 89.56, 88.20 - 84.09."""
    said = {line["source"]: line["difference"] for line in lines("recipes") if line["column"] == "average of five"}
    assert (said["CASIA-WebFace"], said["DCFace 0.5M"], said["IDiff-Face 10K x 50"]) == ("0.87", "0.62", "4.11")


def test_the_7_points_of_the_abstract_are_no_gain_of_the_tables():
    said = {line["computed"]: line["verdict"] for line in lines("statement") if line["printed"] == "7"}
    assert said == dict.fromkeys(["6.08", "8.20", "1.37", "3.62"], "is another number")


def test_claims_that_their_own_numbers_do_not_support_in_every_metric():
    partly = {}
    for line in lines("claim"):
        if line["verdict"].startswith("supported in "):
            agree, _, of = line["verdict"].removeprefix("supported in ").partition(" of ")
            partly |= {line["row"].partition(":")[0]: (agree, of)} if agree != of else {}
    assert partly == {"A-2": ("5", "6"), "A-3": ("4", "6")}


def test_what_the_claims_say_are_the_numbers_of_the_tables():
    assert {verdict.partition("; ")[2] for verdict in verdicts("claim, by metric")} == {"as printed"}


def test_the_earlier_audit_is_confirmed():
    assert verdicts("earlier audit") == ["145 of 145 judged as here"]
