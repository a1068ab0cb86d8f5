"""How rows stand in a column: verdicts against the baseline, ties as letters, winners, what could have been found."""

from __future__ import annotations

from itertools import combinations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.inference import detectable
from faceassay.paired import difference
from faceassay.standings import tie_letters
from faceassay.table import build
from scored_matrix import MATRIX, NEAR, ROWS, scored, steady

rows = list("vwxyz")
every_pair = list(combinations(rows, 2))


@given(st.sets(st.sampled_from(every_pair)))
def test_two_rows_share_a_letter_exactly_where_they_are_not_apart(apart):
    letters = tie_letters(rows, apart)
    for one, other in every_pair:
        assert bool({*letters[one]} & {*letters[other]}) == ((one, other) not in apart)


@given(st.sets(st.sampled_from(every_pair)))
def test_letters_are_those_of_the_largest_groups_and_begin_with_the_best_row(apart):
    letters = tie_letters(rows, apart)
    alike = [
        set(group)
        for size in range(1, 6)
        for group in combinations(rows, size)
        if not any(pair in apart for pair in combinations(group, 2))
    ]
    largest = [group for group in alike if not any(group < other for other in alike)]
    assert len(set("".join(letters.values()))) == len(largest)
    assert "a" in letters[rows[0]]


def test_letters_of_a_chain_of_ties():
    """v and w tie, w and x tie, v and x do not."""
    assert tie_letters(["v", "w", "x"], [("v", "x")]) == {"v": "a", "w": "ab", "x": "b"}


def test_more_groups_than_letters_still_differ():
    many = [str(number) for number in range(60)]
    letters = tie_letters(many, combinations(many, 2))
    assert len(set(letters.values())) == 60


def near(tmp_path, values, drawn, seeds=4, text=MATRIX):
    table = build(scored(tmp_path, values, drawn, seeds=seeds, text=text))
    return table.standings[0], {row.facts[0]: row.cells[0] for row in table.rows}


def test_verdicts_and_their_adjusted_p(tmp_path):
    results = scored(tmp_path, *steady(4), seeds=4)
    standings, _ = near(tmp_path, *steady(4))
    assert [one.verdict for one in standings.standings] == ["better", "not separable"]
    raw = [difference([results], row, "Real", [NEAR]).effect.p_different() for row in ROWS[1:]]
    assert [one.p for one in standings.standings] == pytest.approx([2 * raw[0], max(2 * raw[0], raw[1])])


def test_a_row_that_reaches_less_than_the_baseline_is_worse(tmp_path):
    values, drawn = steady(4)
    values["Blend", "near"] = [value - 0.2 for value in values["Blend", "near"]]
    standings, cells = near(tmp_path, values, drawn)
    assert [one.verdict for one in standings.standings] == ["better", "worse"]
    assert [cells[row].letters for row in ROWS] == ["b", "a", "c"]


def test_the_baseline_is_the_one_that_the_matrix_names(tmp_path):
    standings, _ = near(tmp_path, *steady(4), text=MATRIX + "baseline: Blend + real\n")
    assert [(one.difference.method, one.verdict) for one in standings.standings] == [
        ("Real", "worse"),
        ("Blend", "worse"),
    ]


def test_the_winner_is_better_than_every_other_row(tmp_path):
    standings, cells = near(tmp_path, *steady(4))
    assert standings.winner == "Blend + real"
    assert [cells[row].winner for row in ROWS] == [False, True, False]
    assert [cells[row].letters for row in ROWS] == ["b", "a", "b"]


def test_a_winner_inside_a_tie_is_none(tmp_path):
    values, drawn = steady(4)
    values["Blend", "near"] = [value + 0.199 for value in values["Blend", "near"]]
    standings, cells = near(tmp_path, values, drawn)
    assert standings.winner is None
    assert [cells[row].letters for row in ROWS] == ["b", "a", "a"]


def test_two_of_three_seeds_are_too_few_for_letters(tmp_path):
    standings, cells = near(tmp_path, *steady(2), seeds=2)
    assert ({one.verdict for one in standings.standings}, standings.winner) == ({"inconclusive"}, None)
    assert {cell.letters for cell in cells.values()} == {""}


def test_a_row_that_failed_has_no_letter_and_leaves_no_winner(tmp_path):
    values, drawn = steady(4)
    values["Blend", "near"] = ["failed: x"] * 4
    standings, cells = near(tmp_path, values, drawn)
    assert [one.verdict for one in standings.standings] == ["better", "inconclusive"]
    assert ([cells[row].letters for row in ROWS], standings.winner) == (["b", "a", ""], None)


def test_a_row_that_is_inconclusive_counts_in_its_family(tmp_path):
    values, drawn = steady(4)
    whole, _ = near(tmp_path, values, drawn)
    values["Blend", "near"][0] = "not run"
    assert near(tmp_path, values, drawn)[0].standings[0].p == whole.standings[0].p


def test_a_baseline_that_failed_leaves_all_inconclusive_and_ties_among_the_others(tmp_path):
    values, drawn = steady(4)
    values["Real", "near"][2] = "failed: x"
    standings, cells = near(tmp_path, values, drawn)
    assert {(one.verdict, one.p, one.detectable) for one in standings.standings} == {("inconclusive", None, None)}
    assert [cells[row].letters for row in ROWS] == ["", "a", "b"]


def test_a_benchmark_without_replicates_has_no_letters(tmp_path):
    standings, cells = near(tmp_path, steady(4)[0], {})
    assert {one.difference.reason for one in standings.standings} == {"no replicates"}
    assert {cell.letters for cell in cells.values()} == {""}


def test_equal_rows_are_tied(tmp_path):
    values, drawn = steady(4)
    values["Blend", "near"], drawn["Blend", "near"] = values["Real", "near"], drawn["Real", "near"]
    _, cells = near(tmp_path, values, drawn)
    assert [cells[row].letters for row in ROWS] == ["b", "a", "b"]


def test_a_single_row_has_nothing_to_stand_to(tmp_path):
    text = MATRIX.replace("  - {name: Blend + real, group: FR_mix, augmentation: {plugin: tiny-blend}}\n", "")
    text = text.replace("  - {name: Blend, group: FR_syn, augmentation: {plugin: tiny-blend}}\n", "")
    standings, cells = near(tmp_path, *steady(4), text=text)
    assert (standings.standings, standings.detectable, cells["Real"].letters) == ((), None, "")


@pytest.mark.parametrize("seeds", [2, 4])
def test_what_could_have_been_found_follows_from_the_estimated_variances(tmp_path, seeds):
    standings, _ = near(tmp_path, *steady(seeds), seeds=seeds)
    errors = [one.difference.estimate.standard_error for one in standings.standings]
    expected = [detectable(error, seeds - 1) for error in errors]
    assert [one.detectable for one in standings.standings] == pytest.approx(expected)
    assert standings.detectable == pytest.approx(median(expected))


def test_averages_stand_too(tmp_path):
    table = build(scored(tmp_path, *steady(4), seeds=4))
    assert [len(column.standings) for column in table.standings] == [2, 2, 2]
    assert table.rows[1].cells[2].winner
