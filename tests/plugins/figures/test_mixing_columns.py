"""Mixed images between their sources, each column against where it comes from."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from faceassay.contracts import FaceassayError, LabelMix, SynthesisPlan
from faceassay.sampling import heun, to_images, to_noise
from faceassay.seeds import row_noise
from faceassay.stages.plan import StoredPlan
from faceassay_plugins.figures.mixing_columns import MixingColumns
from gaussians import SIZE, UNEQUAL, GaussianGenerator

PAIRS = np.array([[0, 3], [2, 1], [0, 1]])
ROWS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
"""The pair of each row: four, three and five images."""
SMALL = {"steps": 4, "guidance": 1}


def plan_of(made_from, noise):
    none = np.zeros(len(made_from), np.int64)
    return StoredPlan(SynthesisPlan(("new",), none, made_from, np.ones(made_from.shape), 32), noise)


@pytest.fixture
def inputs(real, synthesis, noise):
    plan = plan_of(PAIRS[ROWS], noise)
    return {"real": real, "synthesis": synthesis, "plan": plan, "generator": GaussianGenerator(UNEQUAL)}


def columns(draw, inputs, **parameters):
    return np.load(draw(MixingColumns(**SMALL, **parameters), **inputs).folder / "columns.npy")


def test_the_mixed_images_are_those_of_the_synthesis(draw, inputs, synthesis):
    shown = columns(draw, inputs, pairs=2, images=2)
    assert np.array_equal(shown[:, :, 2], synthesis.pixels[[[0, 1], [4, 5]]])


def test_all_pairs_show_as_many_images_as_the_one_that_has_fewest(draw, inputs):
    assert columns(draw, inputs, pairs=1, images=9).shape[:3] == (1, 4, 5)
    assert columns(draw, inputs, pairs=9, images=9).shape[:3] == (3, 3, 5)


def test_the_originals_are_photographs_of_the_two_classes_from_the_start_again_where_they_run_out(draw, inputs, real):
    shown = columns(draw, inputs, pairs=1, images=4)[0]
    for column, identity in ((0, 0), (4, 3)):
        of_class = real.pixels[real.labels == identity]
        assert np.array_equal(shown[:, column], of_class[[0, 1, 2, 0]])


def test_a_reproduction_is_a_plain_sample_from_the_noise_of_its_row(draw, inputs, noise):
    shown = columns(draw, inputs)
    for pair, image, side in np.ndindex(3, 3, 2):
        row = np.flatnonzero(pair == ROWS)[image]
        condition = LabelMix(PAIRS[[pair]][:, [side]], np.ones((1, 1)))
        start = to_noise(row_noise(noise[[row]], SIZE))
        plain = to_images(heun(GaussianGenerator(UNEQUAL).denoiser(condition), start, steps=4))
        assert np.array_equal(shown[pair, image, 1 + 2 * side], plain[0])


def test_rows_and_names_are_written(draw, inputs):
    folder = draw(MixingColumns(**SMALL, pairs=2, images=2), **inputs).folder
    with (folder / "rows.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["row", "first", "second"], ["0", "s1", "s4"], ["1", "s1", "s4"], ["4", "s3", "s2"], ["5", "s3", "s2"],
        ]  # fmt: skip


def test_only_the_reproductions_are_sampled(draw, inputs):
    draw(MixingColumns(steps=4, guidance=1.3, pairs=2, images=3), **inputs)
    pairs, images, sides, calls, networks = 2, 3, 2, 7, 2
    assert inputs["generator"].evaluations == pairs * images * sides * calls * networks


@pytest.mark.parametrize("made_from", [np.array([[0]]), np.array([[0, 1, 2]]), np.zeros((1, 0), np.int64)])
def test_images_that_are_not_made_from_pairs_are_refused(made_from, draw, inputs, noise):
    inputs["plan"] = plan_of(made_from, noise[:1])
    with pytest.raises(FaceassayError, match=f"this row are made from {made_from.shape[1]}: choose another row"):
        draw(MixingColumns(**SMALL), **inputs)


def test_a_generator_of_other_classes_is_refused(draw, inputs):
    inputs["generator"].identities = ("s1", "s2", "s4", "s3")
    with pytest.raises(FaceassayError, match="the generator knows 4 classes"):
        draw(MixingColumns(**SMALL), **inputs)


@pytest.mark.parametrize("pairs", [1, 3])
def test_columns_are_drawn_the_same_again(pairs, saved, inputs):
    assert saved(MixingColumns(**SMALL, pairs=pairs), **inputs) == saved(MixingColumns(**SMALL, pairs=pairs), **inputs)
