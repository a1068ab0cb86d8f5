"""Claims about cells whose numbers are made up: every verdict, what was not run, several metrics, several parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from claimed import MIX, checked
from faceassay.claims.verdicts import Verdict
from scored_matrix import scored

NEAR, FAR = "column: 'near distance:1'", "column: 'far distance:2'"
DRAWS = np.random.default_rng(0).normal(0, 0.001, (6, 200))
S, C, I, N = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE, Verdict.NOT_RUN  # noqa: E741


def made(folder, near, far=0.0, *, seeds=3, other=0.0):
    """Return results in which 'Blend + real' is above 'Real' by ``near`` and ``far``; its seeds lie 0.002 apart.

    With three seeds the standard error over them is 0.00115 and over people about 0.0001, so what is detectable is near
    0.005 and the interval is 0.005 wide either way.
    """
    steps = 0.002 * (np.arange(seeds) - (seeds - 1) / 2)
    shift = {"Real": 0.0, "Blend + real": 1.0, "Blend": 0.0}
    values, drawn = {}, {}
    for k, (row, share) in enumerate(shift.items()):
        for m, (name, gain) in enumerate((("near", near), ("far", far))):
            by = share * (gain + steps) + (other if row == "Blend" else 0)
            values[row, name] = [float(0.5 + one) for one in by]
            drawn[row, name] = DRAWS[2 * k + m] / 10
    return scored(folder, values, drawn, seeds=seeds)


def verdicts(parts, folder, *claims):
    return [one.verdict for one in checked(parts, folder, *claims)]


@pytest.mark.parametrize(("gain", "wanted"), [(0.02, S), (0.001, I), (-0.02, C)])
def test_a_difference_supports_contradicts_or_leaves_open(tmp_path, gain, wanted):
    (found,) = checked([made(tmp_path, gain)], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    assert found.verdict is wanted
    assert found.effect == pytest.approx(100 * gain)
    assert found.seeds == 3
    assert found.low < found.effect < found.high
    assert found.high - found.effect == pytest.approx(found.effect - found.low)
    assert (found.low > 0, found.high < 0) == (wanted is S, wanted is C)


def test_the_interval_is_students_over_seeds_and_people(tmp_path):
    """Seeds 0.002 apart have s = 0.002; half the width is 4.302653 standard errors (tables, 2 degrees of freedom)."""
    (found,) = checked([made(tmp_path, 0.01)], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    people = np.var((DRAWS[2] - DRAWS[0]) / 10, ddof=1)
    assert found.high - found.effect == pytest.approx(100 * 4.302653 * np.sqrt(0.002**2 / 3 + people), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "gain", "wanted"),
    [
        ("kind: less", -0.02, S),
        ("kind: less", 0.02, C),
        ("kind: equivalent, margin: {value: 1, reason: small}", 0.0, S),
        ("kind: equivalent, margin: {value: 0.1, reason: small}", 0.0, I),
        ("kind: equivalent, margin: {value: 1, reason: small}", 0.03, C),
        ("kind: greater_or_equal, margin: {value: 1, reason: small}", -0.002, S),
        ("kind: greater_or_equal, margin: {value: 1, reason: small}", -0.03, C),
    ],
)
def test_margins_are_in_points(tmp_path, kind, gain, wanted):
    assert verdicts([made(tmp_path, gain)], tmp_path, f"{MIX}, {kind}, {NEAR}") == [wanted]


@pytest.mark.parametrize(
    ("near", "far", "wanted"), [(0.02, 0.02, [S, S, S]), (0.02, 0.0, [I, S, I]), (0.02, -0.02, [C, S, C])]
)
def test_every_metric(tmp_path, near, far, wanted):
    claim = f"{MIX}, kind: greater, every: true, compare: [{{{NEAR}}}, {{{FAR}}}]"
    assert verdicts([made(tmp_path, near, far)], tmp_path, claim) == wanted


@pytest.mark.parametrize(
    ("near", "far", "wanted"), [(0.02, 0.02, [C, I, I]), (0.02, 0.0, [I, I, I]), (0.02, -0.02, [S, I, S])]
)
def test_not_every_metric(tmp_path, near, far, wanted):
    claim = f"{MIX}, kind: not_all_greater, compare: [{{{NEAR}}}, {{{FAR}}}]"
    assert verdicts([made(tmp_path, near, far)], tmp_path, claim) == wanted


def test_an_average_is_a_column(tmp_path):
    (found,) = checked([made(tmp_path, 0.02, 0.04)], tmp_path, f"{MIX}, kind: greater, column: both")
    assert (found.verdict, found.effect) == (S, pytest.approx(3.0))


def test_claims_of_one_id_are_a_family(tmp_path):
    """Three seeds 0.02 and 0.006 above: the second is significant alone (t = 5.2) and not beside another like it."""
    results = made(tmp_path, 0.006)
    alone = checked([results], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    claim = f"{MIX}, kind: greater, {NEAR}"
    twice = checked([results], tmp_path, claim, claim)
    apart = checked([results], tmp_path, claim, f"{claim}, family: another")
    assert [one.verdict for one in (*alone, *twice, *apart)] == [S, I, I, S, S]
    assert twice[0].p == pytest.approx(2 * alone[0].p)


@pytest.mark.parametrize(("seeds", "reason"), [(1, "1 seed: inconclusive, 3 are needed"), (2, "2 seeds: inconc")])
def test_few_seeds_conclude_nothing(tmp_path, seeds, reason):
    (found,) = checked([made(tmp_path, 0.02, seeds=seeds)], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    assert (found.verdict, found.low, found.p) == (I, None, None)
    assert found.effect == pytest.approx(2.0)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("not run", "row 'Real' on near was not run: faceassay run matrix.yaml"),
        ("failed: out of memory", "row 'Real' on near failed: out of memory: faceassay run matrix.yaml"),
        ("absent: data 'x' is not there: supply x", "row 'Real' on near is absent: data 'x' is not there: supply x"),
    ],
)
def test_a_cell_without_a_number_is_not_run_and_says_what_it_needs(tmp_path, failure, reason):
    results = made(tmp_path, 0.02)
    cells = tuple(
        replace(one, failure=failure, metrics={}) if (one.cell.method, one.cell.benchmark) == ("Real", "near") else one
        for one in results.cells
    )
    lost = replace(
        results, cells=cells, matrix=replace(results.matrix, path=results.matrix.path.parent / "matrix.yaml")
    )
    claim = f"{MIX}, kind: greater, every: true, compare: [{{{NEAR}}}, {{{FAR}}}]"
    together, near, far = checked([lost], tmp_path, claim)
    assert (near.verdict, far.verdict) == (N, I)
    folder = f"{results.matrix.path.parent}/"
    assert near.reason.replace(folder, "") == reason
    assert (together.verdict, together.effect) == (I, None)
    assert together.reason.startswith("1 of 2 comparisons cannot be judged: ")


def test_one_significant_comparison_the_other_way_decides_though_another_was_not_run(tmp_path):
    results = made(tmp_path, -0.02)
    cells = tuple(replace(one, failure="not run") if one.cell.benchmark == "far" else one for one in results.cells)
    claim = f"{MIX}, kind: greater, every: true, compare: [{{{NEAR}}}, {{{FAR}}}]"
    assert verdicts([replace(results, cells=cells)], tmp_path, claim) == [C, C, N]


@pytest.mark.parametrize("lost", ["not run", "failed: out of memory", "absent: supply it"])
def test_a_comparison_without_a_number_counts_in_its_family(tmp_path, lost):
    """What has failed or is yet to run must not make what has a number significant."""
    results = made(tmp_path, 0.006)
    cells = tuple(replace(one, failure=lost) if one.cell.benchmark == "far" else one for one in results.cells)
    claim = f"{MIX}, kind: greater, compare: [{{{NEAR}}}, {{{FAR}}}]"
    (alone,) = checked([results], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    beside, _ = checked([replace(results, cells=cells)], tmp_path, claim)
    assert (alone.verdict, beside.verdict) == (S, I)
    assert beside.p == pytest.approx(2 * alone.p)


def test_a_comparison_that_cannot_be_made_counts_in_no_family(tmp_path):
    claims = f"{MIX}, kind: greater, {NEAR}", "id: X, statement: s, kind: less, lhs: a, rhs: b, needs: a bed"
    alone, _ = checked([made(tmp_path, 0.006)], tmp_path, *claims)
    assert alone.verdict is S


def test_what_a_claim_needs_is_said_and_nothing_is_looked_up(tmp_path):
    claim = "id: X, statement: s, kind: greater, lhs: a dream, rhs: waking, column: sleep, needs: a bed"
    (found,) = checked([made(tmp_path, 0.02)], tmp_path, claim)
    assert (found.verdict, found.reason) == (N, "needs a bed")


def test_parts_are_pooled_seed_by_seed(tmp_path):
    """Gains of 0.03 and 0.01 in two halves: 2 points together, and the noise of seeds that the halves share stays."""
    parts = [made(tmp_path, 0.03), made(tmp_path, 0.01)]
    (found,) = checked(parts, tmp_path, f"{MIX}, kind: greater, {NEAR}")
    assert (found.verdict, found.effect, found.seeds) == (S, pytest.approx(2.0), 3)


def test_what_a_run_could_have_found_stands_beside_what_it_found(tmp_path):
    """80 % power at 5 % with 2 degrees of freedom by the noncentral t of SciPy."""
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    (found,) = checked([made(tmp_path, 0.0)], tmp_path, f"{MIX}, kind: greater, {NEAR}")
    error, critical = (found.high - found.effect) / t.ppf(0.975, 2), t.ppf(0.975, 2)
    shift = brentq(lambda x: nct.sf(critical, 2, x) - 0.8, 1, 10)  # the other tail has less than 1e-6 of it
    assert found.detectable == pytest.approx(error * shift, rel=1e-4)


def test_a_metric_that_an_evaluation_lacks_concludes_nothing(tmp_path):
    results = made(tmp_path, 0.02)
    lost = results.cells[0].cell
    cells = tuple(replace(one, metrics={}) if one.cell == lost else one for one in results.cells)
    found = checked(
        [replace(results, cells=cells)], tmp_path, f"{MIX}, kind: greater, {NEAR}", f"{MIX}, kind: less, {FAR}"
    )
    assert {(one.verdict, one.effect) for one in found if one.effect is None} == {(I, None)}
