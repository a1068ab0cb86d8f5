"""When a claim is supported: by tables of Student's t, and by the rules of Holm and Berger."""

from __future__ import annotations

import pytest

from faceassay.claims.verdicts import (
    Outcome,
    PValues,
    Verdict,
    as_one_of_several,
    every,
    judged,
    not_all,
    p_values,
    within,
)
from faceassay.inference import Effect

TWO_SIDED, ONE_SIDED = 4.302653, 2.919986
"""Student's t with two degrees of freedom at 97.5 and at 95 % (tables)."""
S, C, I = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE  # noqa: E741


def estimated(mean):
    """Return an effect of three seeds with a standard error of one."""
    return Effect(mean, 0.25, 0.75, 0.0, 2, 3)


def verdict(kind, mean, margin=0.0):
    return judged([p_values(kind, estimated(mean), margin)])[0].verdict


@pytest.mark.parametrize(
    ("kind", "mean", "margin", "wanted"),
    [
        ("greater", TWO_SIDED + 0.001, 0, S),
        ("greater", TWO_SIDED - 0.001, 0, I),
        ("greater", -TWO_SIDED + 0.001, 0, I),
        ("greater", -TWO_SIDED - 0.001, 0, C),
        ("less", -TWO_SIDED - 0.001, 0, S),
        ("less", TWO_SIDED + 0.001, 0, C),
        ("greater_or_equal", TWO_SIDED - 1 + 0.001, 1, S),
        ("greater_or_equal", TWO_SIDED - 1 - 0.001, 1, I),
        ("greater_or_equal", -TWO_SIDED - 1 - 0.001, 1, C),
        ("equivalent", 0.0, ONE_SIDED + 0.001, S),
        ("equivalent", 0.0, ONE_SIDED - 0.001, I),
        ("equivalent", 0.5, ONE_SIDED + 0.501, S),
        ("equivalent", 0.5, ONE_SIDED + 0.499, I),
        ("equivalent", -TWO_SIDED - 1.001, 1, C),
        ("equivalent", TWO_SIDED + 0.999, 1, I),
        ("not_all_greater", -TWO_SIDED - 0.001, 0, S),
    ],
)
def test_a_single_claim_turns_at_the_critical_value(kind, mean, margin, wanted):
    assert verdict(kind, mean, margin) is wanted


@pytest.mark.parametrize(
    ("mean", "wanted"), [(4.5, S), (3.5, S), (3 + TWO_SIDED, I), (8 + TWO_SIDED + 0.001, C), (5 + ONE_SIDED, I)]
)
def test_a_number_lies_within_limits_by_two_one_sided_tests(mean, wanted):
    """Limits 0 and 8, standard error 1: supported from 2.92 to 5.08, contradicted above 8 + 4.30."""
    assert judged([within(estimated(mean), 0, 8)])[0].verdict is wanted


def test_p_is_two_sided():
    """Of three seeds t = 4.302653 has a two-sided p of 0.05."""
    assert p_values("greater", estimated(TWO_SIDED), 0).toward == pytest.approx(0.05, abs=1e-6)
    assert p_values("greater", estimated(-TWO_SIDED), 0).toward == 1


def test_more_comparisons_ask_for_more():
    """Holm: of three p the smallest counts three times, the next twice."""
    outcomes = judged([PValues(0.02, 1), PValues(0.01, 1), PValues(0.04, 1)])
    assert [outcome.p for outcome in outcomes] == pytest.approx([0.04, 0.03, 0.04])
    assert [outcome.verdict for outcome in outcomes] == [S, S, S]
    assert judged([PValues(0.02, 1), PValues(0.03, 1)])[0] == Outcome(S, pytest.approx(0.04))
    assert judged([PValues(0.03, 1), PValues(0.04, 1)])[0].verdict is I


def test_both_directions_are_one_family():
    """As the two-sided tests that they are: the smallest of three counts three times, whatever its sign."""
    outcomes = judged([PValues(0.02, 1), PValues(1, 0.001), PValues(0.9, 0.4)])
    assert [(one.verdict, one.p) for one in outcomes] == [(S, 0.04), (C, 0.003), (I, 0.4)]


@pytest.mark.parametrize(
    ("tests", "wanted"),
    [
        ([PValues(0.04, 1), PValues(0.05, 1)], Outcome(S, 0.05)),
        ([PValues(0.001, 1), PValues(0.06, 0.9)], Outcome(I, 0.06)),
        ([PValues(0.001, 1), PValues(1, 0.02)], Outcome(C, 0.02)),
        ([PValues(0.01, 1), PValues(1, 0.03)], Outcome(C, 0.03)),
        ([PValues(0.03, 1), PValues(1, 0.04)], Outcome(I, 1)),
    ],
)
def test_every_needs_no_adjustment_to_be_supported_and_one_other_way_to_be_contradicted(tests, wanted):
    assert every(tests, judged(tests)) == wanted


@pytest.mark.parametrize(
    ("tests", "wanted"),
    [
        ([PValues(0.02, 1), PValues(1, 0.03)], Outcome(S, 0.04)),
        ([PValues(1, 0.04), PValues(1, 0.05)], Outcome(C, 0.05)),
        ([PValues(0.03, 1), PValues(1, 0.2)], Outcome(I, 1)),
    ],
)
def test_not_all_greater_is_the_contrary_of_every_greater(tests, wanted):
    """toward is p of less here, away p of greater."""
    assert not_all(tests, judged(tests)) == wanted


def test_one_greater_comparison_contradicts_nothing_by_itself():
    assert as_one_of_several(Outcome(C, 0.01)) == Outcome(I, 0.01)
    assert as_one_of_several(Outcome(S, 0.01)) == Outcome(S, 0.01)
