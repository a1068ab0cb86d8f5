"""The command ``audit`` on small made-up tables: what each check finds, and every mistake at its line."""

from __future__ import annotations

import csv
import re

import pytest
from click.testing import CliRunner

from faceassay.audit.checks import findings
from faceassay.audit.findings import Finding
from faceassay.audit.reading import CLAIM_COLUMNS, read_audit
from faceassay.cli import main
from faceassay.report.audited import PARTS, counted
from faceassay.spec import SpecError

SPEC = """\
schema: 1
title: "Two <b>tables</b>"
metrics:
  A: {kind: accuracy, pairs: 60}
  B: {kind: accuracy}
  C: {kind: rank}
tables:
  - name: one
    file: one.csv
    rows: [method]
    spread: _std
    averages:
      - {column: mean, of: [A, B], stated: as it says}
  - name: two
    file: two.csv
    where: {part: x}
    rows: [method, size]
    averages:
      - {column: Avg, name: mean, stated: not stated}
"""
ONE = [
    "method,A,A_std,B,C,mean",
    "new,80.0,1.0,70.0,50.0,75.0",
    "old,75.0,1.0,71.0,50.0,74.0",
    "odd,75.2,,10.0,9.0,1.0",
]
TWO = [
    "part,method,size,A,B,C,Avg",
    "x,a,1,90.0,80.0,10.0,60.0",
    "x,b,1,91.0,80.0,40.0,70.3",
    "y,a,1,1,1,1,1",
    "x,c,1,80.0,70.0,50.0,66.7",
]
SAME = """\
sets:
  - name: S
    recipes:
      - {name: r, rows: [[one, new], [two, c / 1]]}
      - {name: q, rows: [[one, old]]}
"""


@pytest.fixture
def written(tmp_path):
    def write(spec=SPEC, more="", **files):
        for name, lines in {"one.csv": ONE, "two.csv": TWO, **files}.items():
            (tmp_path / name).write_text("\n".join(lines) + "\n")
        (tmp_path / "audit.yaml").write_text(spec + more)
        return tmp_path

    return write


def found(folder, check):
    return [finding for finding in findings(read_audit(folder)) if finding.check == check]


def test_averages_are_recomputed_from_stated_members_or_from_those_that_fit_most_rows(written):
    said = {(one.source, one.row): (one.computed, one.verdict) for one in found(written(), "average")}
    assert said == {
        ("one", "new"): ("75.0000", "exact"),
        ("one", "old"): ("73.0000", "not explained by rounding"),
        ("one", "odd"): ("42.6000", "not explained by rounding"),
        ("two", "a / 1"): ("60.0000", "exact"),
        ("two", "b / 1"): ("70.3333", "exact"),
        ("two", "c / 1"): ("66.6667", "exact"),
    }


def test_a_mean_of_unlike_metrics_is_named(written):
    one, two = found(written(), "definition")
    assert (one.computed, one.verdict) == ("A, B", "fits 1 of 3 rows")
    assert two.computed == "A, B, C"
    assert two.detail.endswith("mixes unlike metrics: 2 accuracy, 1 rank")


def test_rows_of_one_recipe_must_agree_and_recipes_of_a_set_lie_apart(written):
    folder = written(more=SAME)
    (quoted,) = found(folder, "quotation")
    assert (quoted.column, quoted.printed, quoted.difference) == ("mean", "75.0 in one; 66.7 in two", "8.30")
    spreads = {one.column: one.difference for one in found(folder, "recipes")}
    assert spreads == {"A": "5.00", "B": "1.00", "C": "0.00", "mean": "1.00"}


def test_rows_that_share_three_numbers_are_alike_unless_they_are_one_recipe(written):
    (alike,) = found(written(), "alike")
    assert (alike.source, alike.row, alike.column) == ("one: new", "two: c / 1", "A, B, C")
    assert found(written(more=SAME), "alike") == []


def test_an_accuracy_must_be_a_share_of_the_pairs(written):
    """45 of 60 are 75.0, 48 are 80.0, 54 are 90.0; 75.2 and 91.0 are no sixtieths."""
    one, two = found(written(), "share")
    assert (one.verdict, one.detail) == ("1 of 3 are no share of the pairs", "odd A 75.2")
    assert (two.verdict, two.detail) == ("1 of 3 are no share of the pairs", "b / 1 A 91.0")


def test_comparisons_say_sign_and_spread(written):
    more = "comparisons: [{statement: s, where: w, better: [one, new], than: [one, old]}]\n"
    said = {one.column: (one.difference, one.verdict, one.detail) for one in found(written(more=more), "comparison")}
    assert said == {
        "A": ("+5.00", "greater", "beyond 2 sd"),
        "B": ("-1.00", "less", "no spread printed"),
        "C": ("+0.00", "equal as printed", "no spread printed"),
        "mean": ("+1.00", "greater", "no spread printed"),
    }


def claims(*lines):
    return [",".join(CLAIM_COLUMNS), *lines]


def test_claims_are_held_against_the_table_and_against_all_its_columns(written):
    more = "claims: {file: claims.csv, rows: [{claims: [X, 'Y', Z], table: one}]}\n"
    lines = claims(
        "X,P,t,new is better,A,new,old,80.0,75.0,+5.0,greater,",
        "Y,P,t,new is no better in B,B,new,old,70.0,71.0,+1.0,greater,",
        "Z,P,t,nobody printed it,A,new,old,,,,greater,",
    )
    folder = written(more=more, **{"claims.csv": lines})
    x, y, z = found(folder, "claim")
    assert (x.verdict, x.detail) == ("supported in 1 of 1", "2 of 4 columns (not B -1.00, C +0.00), 1 of 1 beyond 2 sd")
    assert y.verdict == "supported in 0 of 1"
    assert z.verdict == "cannot be checked: its numbers are not printed"
    assert [one.verdict for one in found(folder, "claim, by metric")] == [
        "greater; as printed",
        "less; its difference is wrong",
    ]


def test_a_claim_whose_numbers_are_not_the_tables_is_named(written):
    more = "claims: {file: claims.csv, rows: [{claims: [X], table: one}]}\n"
    folder = written(more=more, **{"claims.csv": claims("X,P,t,s,A,new,old,80.1,75.0,+5.1,greater,")})
    (line,) = found(folder, "claim, by metric")
    assert line.verdict == "greater; its numbers are not the table's"


def test_a_number_of_a_text_is_sought_among_the_gains(written):
    means = "[{name: largest, table: one, over: old}, {name: rel, table: one, over: old, columns: [A], relative: true}]"
    more = f"statements: [{{where: w, text: up to 5 points, says: '5', means: {means}}}]\n"
    largest, relative = found(written(more=more), "statement")
    assert (largest.computed, largest.verdict) == ("5.00", "can be meant")
    assert (relative.computed, relative.verdict) == ("6.67", "is another number")


def test_pairs_of_rows_that_a_metric_orders_otherwise_are_counted(written):
    """By the mean new > old > odd; A orders odd before old, but 75.2 and 75.0 could be equal in no rounding."""
    order = {one.column: one.verdict for one in found(written(more="orders: [{table: one, by: mean}]\n"), "order")}
    assert order == {"A": "1 of 3 pairs reversed", "B": "1 of 3 pairs reversed", "C": "0 of 2 pairs reversed"}


def test_an_earlier_audit_is_compared_line_by_line(written):
    lines = [
        "file,row,columns,recomputed,printed,printed_minus_recomputed,verdict",
        "one.csv,new,mean of 2,75.0000,75.0,+0.0000,ok",
        "one.csv,old,mean of 2,73.0000,74.0,+1.0000,rounding",
        "two.csv,a / 1,mean of 3,12.0000,60.0,+48,MISMATCH",
    ]
    said = {
        (one.row, one.verdict) for one in found(written(more="earlier: e.csv\n", **{"e.csv": lines}), "earlier audit")
    }
    assert said >= {("old", "judged otherwise"), ("a / 1", "no such average is printed"), ("odd", "left out there")}
    assert ("", "1 of 3 judged as here") in said


@pytest.mark.parametrize(
    ("spec", "more", "said"),
    [
        (SPEC.replace("of: [A, B]", "of: [A, D]"), "", r"audit.yaml:13:\d+: one has no column 'D'"),
        (SPEC, SAME.replace("two, c / 1", "two, d / 1"), r"audit.yaml:23:\d+: two has no row 'd / 1'; did you mean"),
        (SPEC, SAME.replace("[one, old]", "[ohne, old]"), r"audit.yaml:24:\d+: no table is called 'ohne'"),
        (
            SPEC.replace("kind: rank", "sort: rank"),
            "",
            r"audit.yaml:6:\d+: metrics.C.sort: unknown parameter",
        ),
        (SPEC.replace("two.csv", "none.csv"), "", r"none.csv:1:1: cannot be read"),
        (SPEC.replace("rows: [method]", "rows: [name]"), "", r"one.csv:1:1: has no column name; it has method, A"),
        (SPEC.replace("rows: [method, size]", "rows: [size]"), "", r"two.csv:1:1: two rows are called '1'"),
        (SPEC.replace("part: x", "part: z"), "", r"two.csv:1:1: no line has"),
    ],
)
def test_mistakes_are_refused_with_their_place(written, spec, more, said):
    with pytest.raises(SpecError) as caught:
        read_audit(written(spec=spec, more=more))
    assert re.search(said, str(caught.value))


def test_the_command_writes_three_files_and_says_where(written, tmp_path):
    result = CliRunner().invoke(main, ["audit", str(written(more=SAME)), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["audit.csv", "audit.html", "audit.md"]
    with (tmp_path / "out" / "audit.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(findings(read_audit(tmp_path)))


def test_nothing_from_outside_is_markup_and_nothing_is_fetched(written, tmp_path):
    hostile = [line.replace("new", "<script>x</script>|") for line in ONE]
    more = "comparisons: [{statement: s<i>, where: w, better: [one, '<script>x</script>|'], than: [one, old]}]\n"
    result = CliRunner().invoke(main, ["audit", str(written(more=more, **{"one.csv": hostile}))])
    assert result.exit_code == 0, result.output
    page, text = ((tmp_path / f"audit.{kind}").read_text() for kind in ("html", "md"))
    for word in ("<script>", "<b>tables", "s<i>"):
        assert word not in page
        assert word not in text
    assert not re.search(r"(src|href)=\"(?!#)", page)


@pytest.mark.parametrize(("verdicts", "said"), [(["5 of 5 agree"], ""), (["b", "a", "b"], "2 b, 1 a")])
def test_verdicts_are_counted_where_there_are_several(verdicts, said):
    part = next(part for part in PARTS if part.check == "average")
    assert counted(part, [Finding("average", "a table", verdict=verdict) for verdict in verdicts]) == said
