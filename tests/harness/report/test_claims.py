"""Claims in reports: their own files, the section of the table, the command; nothing from outside is markup."""

from __future__ import annotations

import csv
import io
import shutil

import numpy as np
import pytest

from claimed import HEAD, MIX, checked, read
from faceassay.claims.check import check_claims
from faceassay.report.claim_pages import claims_csv, claims_markdown
from faceassay.report.claims import claims_rows, on_screen, summary
from finished_matrix import command, finished_matrix
from scored_matrix import scored, steady

NEAR = "column: 'near distance:1'"
HOSTILE = "mixing <script>alert(9)</script> | helps"
CLAIMS = f"""
schema: 1
paper: "a <b>paper</b>"
claims:
  - id: S-1
    statement: "{HOSTILE}"
    kind: greater
    every: true
    lhs: Blend + real
    rhs: Real
    published: {{lhs: 2.5, rhs: 1.0}}
    note: "<em>note</em>"
    compare:
      - {{column: "pairs tar_at_fpr:1e-2"}}
      - {{column: "lowres rank:1"}}
  - id: S-9
    statement: what nobody can test
    kind: less
    needs: "more <i>data</i>"
"""
PROFILES = """  straight: {}
  swapped: {data: {train: {path: test}, test: {path: train}}}
"""


@pytest.fixture(scope="module")
def claimed(tmp_path_factory):
    """Return a copy of the finished matrix with claims beside it and two profiles that swap people."""
    folder = tmp_path_factory.mktemp("claimed") / "copy"
    shutil.copytree(finished_matrix(tmp_path_factory).folder, folder)
    matrix = folder / "matrix.yaml"
    matrix.write_text(matrix.read_text() + PROFILES)
    (folder / "claims.yaml").write_text(CLAIMS)
    return folder


def on(folder, *words):
    return command(*words, folder / "matrix.yaml", "--store", folder / "store")


def parsed(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_command_writes_both_files_beside_the_report(claimed):
    said = on(claimed, "claims")
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-2:] == [str(claimed / "claims.md"), str(claimed / "claims.csv")]
    assert "At this scale: 3 inconclusive, 1 not run (of 4 lines)." in said.output
    rows = parsed((claimed / "claims.csv").read_text())
    assert [(row["claim"], row["column"], row["verdict"], row["published_difference"]) for row in rows] == [
        ("S-1", "", "inconclusive", ""),
        ("S-1", "pairs tar_at_fpr:1e-2", "inconclusive", "+1.50"),
        ("S-1", "lowres rank:1", "inconclusive", "+1.50"),
        ("S-9", "", "not run", ""),
    ]
    assert rows[1]["reason"] == "2 seeds: inconclusive, 3 are needed"
    assert rows[3]["reason"] == "needs more <i>data</i>"


def test_the_same_store_gives_the_same_bytes(claimed, tmp_path):
    for name in ("one", "two"):
        assert on(claimed, "claims", "--out", tmp_path / name).exit_code == 0
    assert all(
        (tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in ("claims.md", "claims.csv")
    )


def test_a_report_has_the_claims_and_escapes_them(claimed, tmp_path):
    assert on(claimed, "report", "--out", tmp_path).exit_code == 0
    for name in ("table.md", "table.html"):
        text = (tmp_path / name).read_text()
        assert "<script>alert(9)" not in text
        assert "&lt;script&gt;alert(9)" in text
        assert not [part for part in ("<b>paper", "<em>note", "<i>data") if part in text]
        assert "inconclusive" in text
    assert '<table id="claims">' in (tmp_path / "table.html").read_text()
    assert "## Claims" in (tmp_path / "table.md").read_text()


def test_a_matrix_without_claims_says_where_they_belong(tmp_path_factory):
    finished = finished_matrix(tmp_path_factory)
    said = command("claims", finished.matrix, "--store", finished.store)
    assert said.exit_code == 2
    assert f"{finished.folder / 'claims.yaml'} is not there" in said.output


def test_several_profiles_go_into_a_folder_of_their_names(claimed):
    said = on(claimed, "claims", "--profile", "straight", "--profile", "swapped")
    assert said.exit_code == 0, said.output
    folder = claimed / "straight+swapped"
    assert {path.name for path in folder.iterdir()} == {"claims.md", "claims.csv", "differences.csv"}
    assert "--profile swapped" in parsed((folder / "claims.csv").read_text())[1]["reason"]


def test_a_profile_beside_itself_is_refused(claimed):
    said = on(claimed, "claims", "--profile", "straight", "--profile", "straight")
    assert said.exit_code == 2
    assert "profiles 'straight' and 'straight' share" in said.output


def test_a_plan_says_that_seeds_are_too_few_for_claims(claimed):
    said = on(claimed, "plan")
    assert "claims.yaml: 1 claim about differences; 2 seeds: inconclusive, 3 are needed" in said.output


def test_pooled_parts_show_every_row_against_the_baseline(tmp_path):
    """The mean of both parts: 'Blend + real' is 0.2 above 'Real' in both, in three columns of two rows each."""
    parts = [scored(tmp_path, *steady()), scored(tmp_path, *steady())]
    findings = checked(parts, tmp_path, f"{MIX}, kind: greater, {NEAR}")
    text = claims_markdown(
        parts, read(parts[0].matrix, tmp_path, f"{HEAD}  - {{{MIX}, kind: less, {NEAR}}}")[0], findings
    )
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    shown = [line for line in lines if line[1] in ("Blend + real", "Blend")]
    assert [line[1] for line in shown] == ["Blend + real", "Blend"] * 3
    gains = [float(line[2]) for line in shown if line[1] == "Blend + real"]
    assert gains == pytest.approx([20.07] * 3, abs=0.01)
    assert {line[5] for line in shown if line[1] == "Blend + real"} == {"better"}


def test_a_claim_of_which_nothing_was_run_has_one_line(tmp_path):
    printed = "compare: [{column: a, published: {lhs: 3.0, rhs: 1.0}}, {column: b, published: {lhs: 1.5, rhs: 1.0}}]"
    findings = checked(
        [scored(tmp_path, *steady())], tmp_path, f"{MIX}, kind: greater, every: true, needs: it, {printed}"
    )
    assert len(findings) == 3
    (line,) = claims_rows(findings)
    assert line == (
        "X",
        "it helps",
        "Blend + real > Real",
        "a; b",
        "+0.50 to +2.00",
        *("", "", "", "", ""),
        "not run",
        "needs it",
    )
    assert summary(findings) == "At this scale: 3 not run (of 3 lines)."
    assert "X: needs it" in on_screen(findings)


def test_numbers_are_rounded_to_what_other_machines_give_too(tmp_path):
    findings = checked([scored(tmp_path, *steady())], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    (row,) = parsed(claims_csv(findings))
    assert float(row["effect"]) == pytest.approx(findings[0].effect, rel=1e-5)
    assert all(len(row[name].lstrip("-0.").replace(".", "")) <= 6 for name in ("effect", "low", "high"))
    assert row["verdict"] == "supported"
    assert np.isfinite(float(row["p"]))


def test_a_matrix_without_claims_has_no_findings(tmp_path):
    assert check_claims([scored(tmp_path, *steady())]) == []
