"""Claims about synthetic sets: what `faceassay quality` measured, paired by identity, over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from claimed import HEAD, read
from faceassay.assessing.graph import expand_assessment
from faceassay.claims.check import check_claims
from faceassay.claims.verdicts import Verdict
from faceassay.expand import expand
from faceassay.inference import effect
from faceassay.results import collect
from faceassay.store import Store
from judged_matrix import MATRIX
from judged_matrix import read as read_judged
from tiny_matrix import run

LEFT_OUT = ("leak,",)
THREE = "\n".join(line for line in MATRIX.splitlines() if not any(name in line for name in LEFT_OUT)).replace(
    "seeds: [0, 1]", "seeds: [0, 1, 2]"
)
ROWS = "lhs: 'Asked W=1', rhs: 'Asked W=0'"


@pytest.fixture(scope="module")
def assessed(tmp_path_factory):
    """Return the results of a matrix and what was measured of it: two rows with three seeds, no other."""
    folder = tmp_path_factory.mktemp("assessed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        matrix, store = read_judged(folder, THREE), Store.open(folder / "store")
        plan = expand_assessment(matrix, ["Asked W=0", "Asked W=1"])
        assert not run(plan.graph, store)
    return collect(matrix, expand(matrix), store), plan


def findings(assessed, folder, *claims):
    results, _ = assessed
    claims, problems = read(results.matrix, folder, HEAD + "".join(f"  - {{{claim}}}\n" for claim in claims))
    assert problems == []
    results.matrix.__dict__["claims"] = claims
    return check_claims([results])


def stored(assessed, row, name):
    """Return an array of each seed's set from the files in the store."""
    results, plan = assessed
    sets = [one for one in plan.sets if row in one.methods]
    stages = [one.agreement if name == "cosines" else one.classes for one in sets]
    return [np.load(results.store.folder(stage.kind, stage.digest) / f"{name}.npy") for stage in stages]


def test_the_difference_is_that_of_the_stored_classes(assessed, tmp_path):
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: greater, quality: consistency, {ROWS}")
    ours, theirs = (stored(assessed, row, "consistency") for row in ("Asked W=1", "Asked W=0"))
    means = [float(np.mean(one - other)) for one, other in zip(ours, theirs, strict=True)]
    assert found.effect == pytest.approx(np.mean(means))
    assert (found.unit, found.seeds) == ("cosine", 3)


def test_images_nearer_to_what_was_asked_for_agree_more(assessed, tmp_path):
    """W=1 mixes in the images asked for; six images of each of two classes."""
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: greater, quality: agreement, {ROWS}")
    ours, theirs = (stored(assessed, row, "cosines") for row in ("Asked W=1", "Asked W=0"))
    means = [float(np.mean(one.astype(float) - other)) for one, other in zip(ours, theirs, strict=True)]
    assert found.effect == pytest.approx(np.mean(means), rel=1e-5)
    assert found.effect > 0


def test_the_interval_is_that_of_identities_drawn_together(assessed, tmp_path):
    """With two classes a draw holds one of them twice or both: the people's variance is that of these means."""
    from faceassay.assessment.resampling import drawn_identities

    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: greater, quality: consistency, {ROWS}")
    ours, theirs = (stored(assessed, row, "consistency") for row in ("Asked W=1", "Asked W=0"))
    between = [one - other for one, other in zip(ours, theirs, strict=True)]
    drawn = [np.array([values[rows].mean() for rows in drawn_identities(2)]) for values in between]
    wanted = effect([float(values.mean()) for values in between], drawn).interval()
    assert (found.low, found.high) == pytest.approx(wanted)


@pytest.mark.parametrize(("bounds", "verdict"), [("[0, 1000]", "supported"), ("[900, 1000]", "contradicted")])
def test_a_measure_lies_within_limits(assessed, tmp_path, bounds, verdict):
    claim = f"id: X, statement: s, kind: within, quality: pixel_diversity, bounds: {bounds}, lhs: 'Asked W=1'"
    (found,) = findings(assessed, tmp_path, claim)
    levels = [float(np.mean(values)) for values in stored(assessed, "Asked W=1", "pixel_spread")]
    assert found.effect == pytest.approx(np.mean(levels))
    assert (found.unit, found.verdict) == ("grey levels", verdict)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("lhs: Blend, rhs: 'Asked W=0'", "consistency of row 'Blend + real' was not measured: faceassay quality"),
        ("lhs: Copies, rhs: 'Asked W=0'", "row 'Copies' trains on data, which no seed varies"),
        ("lhs: Real, rhs: 'Asked W=0'", "row 'Real' has no synthetic set"),
    ],
)
def test_what_was_not_measured_says_how(assessed, tmp_path, claim, reason):
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: less, quality: consistency, {claim}")
    assert (found.verdict, found.p) == (Verdict.NOT_RUN, None)
    assert found.reason.startswith(reason)


def test_a_matrix_without_a_judge_says_so(assessed, tmp_path, monkeypatch):
    results, _ = assessed
    monkeypatch.setitem(results.matrix.__dict__, "judge", None)
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: less, quality: consistency, {ROWS}")
    assert found.verdict is Verdict.NOT_RUN
    assert "has no judge" in found.reason


def test_identities_of_other_plans_are_drawn_apart(tmp_path):
    """Two sets whose classes vary alike: what they share cancels only where the same identities were asked for."""
    from faceassay.claims.sets import Classes, _differences

    values = np.array([0.1, 0.5, 0.9, 0.3])
    one, same, other = (Classes(values + add, tuple("abcd"), of) for add, of in ((0.0, "x"), (0.1, "x"), (0.1, "y")))
    (mean,), (together,) = _differences([same], [one])
    assert (mean, float(np.ptp(together))) == (pytest.approx(0.1), pytest.approx(0, abs=1e-12))
    (mean,), (apart,) = _differences([other], [one])
    assert mean == pytest.approx(0.1)
    assert np.var(apart) == pytest.approx(2 * np.var(values) / 4, rel=0.2)


def shared_classes(unknown):
    """Return 40 people who differ and whom three seeds draw alike; ``unknown[seed]`` have no number at that seed."""
    from faceassay.claims.sets import Classes

    values = np.random.default_rng(0).normal(0, 1, 40)
    sets = [Classes(values.copy(), tuple(map(str, range(40))), "x") for _ in unknown]
    for one, place in zip(sets, unknown, strict=True):
        one.values[place] = np.nan
    return values, sets


def test_a_draw_holds_the_same_people_at_every_seed_whoever_has_no_number(tmp_path):
    """Seeds that show the same people do not average people away: the variance stays that of one seed."""
    from faceassay.claims.sets import _differences, _levels

    values, sets = shared_classes([[], [0], [1, 2]])
    means, replicates = _levels(sets)
    assert means == pytest.approx([np.mean(values), np.mean(values[1:]), np.mean([values[0], *values[3:]])])
    assert effect(means, replicates).people == pytest.approx(np.var(values) / 40, rel=0.2)
    _, none = shared_classes([[], [], []])
    for one in none:
        one.values[:] = 0
    assert effect(*_differences(sets, none)).people == pytest.approx(np.var(values) / 40, rel=0.2)


def test_a_set_none_of_whose_classes_has_a_number_concludes_nothing(assessed, tmp_path, monkeypatch):
    from faceassay.claims import sets

    monkeypatch.setitem(sets.MEASURES, "consistency", lambda measured, data: np.full(len(data.identities), np.nan))
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: greater, quality: consistency, {ROWS}")
    assert (found.verdict, found.effect, found.p) == (Verdict.INCONCLUSIVE, None, None)
    assert found.reason == "of a seed no class has a number of consistency"


def test_sets_of_several_generators_rest_on_as_many_degrees_of_freedom_as_generators_less_one(
    assessed, tmp_path, monkeypatch
):
    """Two generators are one degree of freedom, so that 2 and 1 seeds of them cannot be judged at all."""
    from faceassay.claims import sets

    monkeypatch.setattr(sets, "generators_read", lambda matrix, graph, lhs, rhs: (7, 7, 9))
    (found,) = findings(assessed, tmp_path, f"id: X, statement: s, kind: greater, quality: consistency, {ROWS}")
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "generators with 2, 1 seeds: give each as many")
