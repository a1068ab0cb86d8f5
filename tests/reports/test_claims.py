"""The claims of the papers: each stands beside a matrix that can carry it, with the numbers that are printed."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import pytest

from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.spec.yaml import read_yaml

ROOT = Path(__file__).parents[2]
ORACLE = ROOT / "reports" / "published-audit" / "published" / "claims.csv"
"""Typed from the papers by hand, before there was any claims.yaml; table 1 and 2 against the parsed tables."""
FOLDERS = sorted(file.parent.name for file in ROOT.glob("reports/*/claims.yaml"))
PROFILES = [
    (folder, profile)
    for folder in FOLDERS
    for profile in (None, *(read_yaml(ROOT / "reports" / folder / "matrix.yaml").data.get("profiles") or ()))
]


@lru_cache
def claims(folder, profile=None):
    """Return the claims of a report; reading them checks every row and column that they name."""
    return read_matrix(ROOT / "reports" / folder / "matrix.yaml", load_plugins(), profile).claims


def published():
    with ORACLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def printed(claim_id):
    """Return the (lhs, rhs) that any report holds for a claim, as fractions of a percent would lose digits: as text."""
    of_claim = [claim for folder in FOLDERS for claim in claims(folder).claims if claim.entry.id == claim_id]
    values = [value for claim in of_claim for one in claim.comparisons for _, value in one.published]
    return {(f"{value.lhs:.2f}", f"{value.rhs:.2f}") for value in values if None not in (value.lhs, value.rhs)}


def test_the_tables_have_claims():
    assert {"demo", "id3-table1", "scoremix-table1", "scoremix-table2"} <= {*FOLDERS}


@pytest.mark.parametrize(("folder", "profile"), PROFILES)
def test_claims_fit_their_matrix_in_every_profile(folder, profile):
    assert claims(folder, profile).claims


@pytest.mark.parametrize("claim_id", sorted({row["claim_id"] for row in published()}))
def test_every_claim_of_the_papers_is_in_a_report_as_printed(claim_id):
    assert any(claim.entry.id == claim_id for folder in FOLDERS for claim in claims(folder).claims)
    rows = [row for row in published() if row["claim_id"] == claim_id and "." in row["published_lhs"]]
    wanted = {(row["published_lhs"], row["published_rhs"]) for row in rows if not row["published_lhs"].startswith("~")}
    assert wanted <= printed(claim_id)


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if (ROOT / "reports" / folder / "published.csv").is_file()])
def test_what_is_printed_fits_the_published_table(folder):
    """Where both files print a number for one row and column they print the same."""
    matrix = read_matrix(ROOT / "reports" / folder / "matrix.yaml", load_plugins(), None)
    table = {(value.row, value.column): float(value.printed * 100) for value in matrix.published.values}
    noted = {"A-1a", "A-2"}  # printed for 0.6M images, which no row has
    for claim in (claim for claim in matrix.claims.claims if claim.entry.id not in noted):
        for one in claim.comparisons:
            for _, value in one.published:
                for row, number in ((one.lhs, value.lhs), (one.rhs, value.rhs)):
                    if (row, one.column) in table and number is not None:
                        assert number == pytest.approx(table[row, one.column]), (claim.entry.id, row, one.column)


def test_every_margin_has_its_reason():
    margins = [claim.entry.margin for folder in FOLDERS for claim in claims(folder).claims if claim.entry.margin]
    assert margins
    assert all(len(margin.reason.split()) > 5 for margin in margins)
