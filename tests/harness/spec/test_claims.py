"""The file of claims: rows, columns and stand-ins that are found, and every mistake at its place."""

from __future__ import annotations

import pytest

from claimed import HEAD, MIX, read
from faceassay.spec import SpecError, read_matrix
from scored_matrix import MATRIX
from tiny_matrix import graph_of, registry

PROFILES = """profiles:
  small: {only: {methods: [Real, Blend + real], benchmarks: [near], averages: []}}
  other: {methods: [{name: Extra, group: FR_real}]}
"""
TEXT = MATRIX.replace("SEEDS", "[0, 1, 2]") + PROFILES
NEAR = "column: 'near distance:1'"


def matrix(folder, profile=None):
    (folder / "matrix.yaml").write_text(TEXT)
    return read_matrix(folder / "matrix.yaml", registry(), profile)


def claims(folder, *inside, profile=None, head=HEAD):
    return read(matrix(folder, profile), folder, head + "".join(f"  - {{{one}}}\n" for one in inside))


def test_a_matrix_has_the_claims_beside_it(tmp_path):
    assert matrix(tmp_path).claims is None
    (tmp_path / "claims.yaml").write_text(f"{HEAD}  - {{{MIX}, kind: greater, {NEAR}}}\n")
    (claim,) = matrix(tmp_path).claims.claims
    assert (claim.entry.id, claim.family, claim.entry.statement) == ("X", "X", "it helps")


def test_a_matrix_with_wrong_claims_is_refused_before_anything_is_opened(tmp_path):
    (tmp_path / "claims.yaml").write_text(f"{HEAD}  - {{{MIX}, kind: greater, column: nowhere}}\n")
    with pytest.raises(SpecError, match=r"claims.yaml:3:\d+: no column of the matrix is called 'nowhere'"):
        matrix(tmp_path)


def test_comparisons_have_from_the_claim_what_they_do_not_name(tmp_path):
    inside = f"{MIX}, kind: greater, {NEAR}, compare: [{{}}, {{rhs: Blend}}, {{column: both}}]"
    found, problems = claims(tmp_path, inside)
    assert problems == []
    (claim,) = found.claims
    assert [(one.lhs, one.rhs, one.column) for one in claim.comparisons] == [
        ("Blend + real", "Real", "near distance:1"),
        ("Blend + real", "Blend", "near distance:1"),
        ("Blend + real", "Real", "both"),
    ]
    near, far = ("near", "distance:1"), ("far", "distance:2")
    assert [one.members for one in claim.comparisons] == [(near,), (near,), (near, far)]
    assert claim.comparisons[1].place.line == 3


def test_what_is_printed_has_its_difference(tmp_path):
    printed = (
        "{lhs: 35.95, rhs: 32.13}",
        "{lhs: 61.60, rhs: 62.59}",
        "{difference: 2 to 4}",
        "{difference: 1.5}",
        "{}",
    )
    inside = f"{MIX}, kind: greater, {NEAR}, compare: [{', '.join(f'{{published: {one}}}' for one in printed)}]"
    (claim,) = claims(tmp_path, inside)[0].claims
    shown = [[(column, str(value)) for column, value in one.published] for one in claim.comparisons]
    assert shown == [[("near distance:1", text)] for text in ("+3.82", "-0.99", "2 to 4", "+1.50")] + [[]]


@pytest.mark.parametrize(
    ("profile", "inside", "left_out"),
    [
        ("small", "lhs: Blend, rhs: Real, column: 'near distance:1'", "profile 'small' leaves the row 'Blend' out"),
        (
            "small",
            "lhs: Blend + real, rhs: Real, column: 'far distance:2'",
            "profile 'small' leaves the column 'far di",
        ),
        ("small", "lhs: Blend + real, rhs: Real, column: both", "profile 'small' leaves the column 'both' out"),
        (None, "lhs: Extra, rhs: Real, column: both", "the matrix without a profile leaves the row 'Extra' out"),
        ("other", "lhs: Extra, rhs: Real, column: both", ""),
    ],
)
def test_what_a_profile_leaves_out_is_no_mistake(tmp_path, profile, inside, left_out):
    found, problems = claims(tmp_path, f"id: X, statement: s, kind: less, {inside}", profile=profile)
    assert problems == []
    assert found.claims[0].comparisons[0].left_out.startswith(left_out)
    assert bool(found.claims[0].comparisons[0].left_out) == bool(left_out)


def test_claims_are_judged_on_stand_ins_for_columns_that_a_profile_lacks(tmp_path):
    head = "schema: 1\njudged_on: {small: ['near distance:1']}\nclaims:\n"
    compare = "compare: [{column: both, published: {lhs: 2.0, rhs: 1.0}}, {column: 'far distance:2'}]"
    inside = f"{MIX}, kind: greater, {compare}", f"{MIX}, kind: greater, own_columns: true, {compare}"
    found, problems = claims(tmp_path, *inside, profile="small", head=head)
    assert (problems, found.stand_ins) == ([], ("near distance:1",))
    moved, own = found.claims
    assert [(one.column, one.left_out) for one in moved.comparisons] == [("near distance:1", "")]
    assert [(column, str(value)) for column, value in moved.comparisons[0].published] == [("both", "+1.00")]
    assert all(one.left_out for one in own.comparisons)
    assert claims(tmp_path, *inside, head=head)[0].stand_ins == ()


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        (
            f"{MIX}, kind: greater, column: 'near distnace:1'",
            "called 'near distnace:1'; did you mean 'near distance:1'",
        ),
        (f"{MIX}, kind: greater, column: Both", "no column of the matrix is called 'Both'; did you mean 'both'"),
        ("id: X, statement: s, kind: less, lhs: Blnd, rhs: Real, column: both", "called 'Blnd'; did you mean 'Blend'"),
        (f"{MIX}, kind: better, column: both", "claims.0.kind: Input should be 'greater'"),
        (f"{MIX}, kind: greater, colunm: both", "unknown parameter; did you mean 'column'?"),
        (f"{MIX}, kind: greater", "a claim of kind 'greater' needs column"),
        ("id: X, statement: s, kind: less, column: both", "a claim of kind 'less' needs lhs and rhs"),
        (f"{MIX}, kind: equivalent, column: both", "a claim of kind 'equivalent' needs margin"),
        (f"{MIX}, kind: greater, column: both, ratio: 2", "'ratio' does not belong to a claim of kind 'greater'"),
        (f"{MIX}, kind: greater, column: both, margin: {{value: 1, reason: r}}", "'margin' does not belong to a claim"),
        (f"{MIX}, kind: equivalent, column: both, margin: {{value: 1}}", "claims.0.margin.reason: Field required"),
        (f"{MIX}, kind: equivalent, column: both, margin: {{value: 0, reason: r}}", "should be greater than 0 (got 0)"),
        (f"{MIX}, kind: not_all_greater, every: true, column: both", "'every' does not belong to a claim of kind"),
        (f"{MIX}, kind: greater, quality: consistency, column: both", "'column' does not belong to a claim"),
        ("id: X, statement: s, kind: within, lhs: Blend", "a claim of kind 'within' needs quality and bounds"),
        ("id: X, statement: s, kind: within, lhs: Blend, quality: separation, bounds: [1, 0]", "first limit must lie"),
        (f"{MIX}, kind: equivalent, column: both, margin: {{value: .inf, reason: r}}", "should be a finite number"),
        (f"{MIX}, kind: evaluations_ratio, ratio: .inf", "should be a finite number"),
        ("id: X, statement: s, kind: within, lhs: Blend, quality: separation, bounds: [.nan, 1]", "a finite number"),
        (f"{MIX}, kind: greater, column: both, published: {{lhs: .nan, rhs: 1}}", "should be a finite number"),
        (f"{MIX}, kind: greater, column: ''", "claims.0.column: String should have at least 1 character"),
        ("id: X, statement: s, kind: less, lhs: Real, rhs: Real, column: both", "row 'Real' is compared with itself"),
        (f"{MIX}, kind: less, column: both, compare: [{{lhs: Real}}]", "row 'Real' is compared with itself"),
        (
            "id: X, statement: s, kind: interior_argmax, lhs: Blend, compare: [{column: both}]",
            "'column' does not belong",
        ),
        ("id: 'X y', statement: s, kind: less, needs: all", "claims.0.id: String should match pattern"),
        ("id: X, statement: '', kind: less, needs: all", "claims.0.statement: String should have at least 1 character"),
    ],
)
def test_a_mistake_is_told_at_its_line(tmp_path, inside, problem):
    found, problems = claims(tmp_path, inside)
    assert found is None
    assert all(line.startswith("claims.yaml:3:") for line in problems)
    assert any(problem in line for line in problems), problems


def test_every_problem_is_told_at_once(tmp_path):
    inside = "id: X, statement: s, kind: less, lhs: Blnd, rhs: Rael, column: bth"
    _, problems = claims(tmp_path, inside, f"{MIX}, kind: greater")
    assert [line.partition(": ")[0] for line in problems] == [
        *("claims.yaml:3:44", "claims.yaml:3:55", "claims.yaml:3:69", "claims.yaml:4:5"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("claims: [", "claims.yaml:1:10: not YAML"),
        ("- 1\n", "claims.yaml:1:1: a file of claims is a mapping of names to values"),
        ("schema: 2\nclaims: []\n", "claims.yaml:1:9: schema: this version of faceassay reads schema 1 of claims"),
        ("schema: 1\nclaims: []\n", "claims.yaml:2:9: claims: List should have at least 1 item"),
        (f"{HEAD}  - {{{MIX}, kind: no, {NEAR}}}\n", "is true or false in YAML 1.1"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, problem):
    found, problems = read(graph_of(MATRIX.replace("SEEDS", "[0]"))[0], tmp_path, text)
    assert found is None
    assert any(problem in line for line in problems), problems


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("judged_on: {smal: []}", "claims.yaml:2:19: no profile is called 'smal'; did you mean 'small'?"),
        ("judged_on: {small: [neer]}", "claims.yaml:2:21: no column of the matrix is called 'neer'"),
    ],
)
def test_stand_ins_are_checked(tmp_path, head, problem):
    _, problems = claims(
        tmp_path, f"{MIX}, kind: greater, {NEAR}", profile="small", head=f"schema: 1\n{head}\nclaims:\n"
    )
    assert [line for line in problems if line.startswith(problem)]
