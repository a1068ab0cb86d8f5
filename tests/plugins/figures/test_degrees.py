"""How often a plan uses each class, by counting."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from faceassay.contracts import FaceassayError, SynthesisPlan
from faceassay.stages.plan import StoredPlan, degrees_of
from faceassay_plugins.figures.degrees import Degrees


def stored(classes=30, pairs=12, seed=0):
    rng = np.random.default_rng(seed)
    mixes = np.stack([rng.choice(classes, 2, replace=False) for _ in range(pairs)])
    labels = np.arange(pairs).repeat(3)
    plan = SynthesisPlan(tuple(map(str, range(pairs))), labels, mixes[labels], np.ones((3 * pairs, 2)), 32)
    return StoredPlan(plan, np.zeros(3 * pairs, np.uint64), degrees_of(plan, classes))


def test_degrees_are_those_of_the_plan(draw):
    plan = stored()
    degrees = np.load(draw(Degrees(), plan=plan).folder / "degrees.npy")
    made = zip(plan.plan.labels, plan.plan.sources, strict=True)
    used = {(label, k) for label, row in made for k in row}
    assert degrees.tolist() == [sum(k == source for _, source in used) for k in range(30)]


def test_the_title_tells_the_share_that_is_never_used_and_the_largest_degree(draw):
    plan = SimpleNamespace(degrees=np.array([0, 0, 3, 1, 1, 0, 7, 2]))
    assert "37.5 % of 8 classes never used, largest degree 7" in draw(Degrees(), plan=plan).text


def test_a_plan_without_sources_is_refused(draw):
    with pytest.raises(FaceassayError, match="names no classes"):
        draw(Degrees(), plan=SimpleNamespace(degrees=None))


@pytest.mark.parametrize("classes", [30, 3000])
def test_degrees_are_drawn_the_same_again(classes, saved):
    assert saved(Degrees(), plan=stored(classes, 200)) == saved(Degrees(), plan=stored(classes, 200))
