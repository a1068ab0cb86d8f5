"""The grid of weights on a generator of Gaussian classes, against closed forms and plain sampling."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay.contracts import DataError, FaceassayError, LabelMix
from faceassay.sampling import heun, to_images, to_noise
from faceassay.seeds import noise_keys, row_noise
from faceassay_plugins.figures.mixing_grid import MixingGrid
from gaussians import EQUAL, MEANS, SIZE, UNEQUAL, GaussianGenerator, assert_images

SMALL = {"steps": 4, "weights": (0.0, 0.5, 1.0), "guidance": 1}
FINE = {**SMALL, "steps": 256}


def noise(seed=0):
    return row_noise(noise_keys(seed, 0, 1), SIZE)


def plain(generator, identity, steps):
    condition = LabelMix(np.array([[identity]]), np.ones((1, 1)))
    return to_images(heun(generator.denoiser(condition), to_noise(noise()), steps=steps))[0]


@pytest.mark.parametrize("space", ["score", "denoised"])
def test_the_corners_of_one_class_are_plain_samples_of_it(space, draw):
    generator = GaussianGenerator(UNEQUAL)
    grid = np.load(draw(MixingGrid(**SMALL), generator=generator).folder / f"{space}.npy")
    assert np.array_equal(grid[0, 2], plain(generator, 0, steps=4))  # beta = 0, alpha = 1
    assert np.array_equal(grid[2, 0], plain(generator, 1, steps=4))


def test_the_middle_of_the_line_has_the_closed_form_of_the_mean(draw):
    grid = np.load(draw(MixingGrid(**FINE), generator=GaussianGenerator(EQUAL)).folder / "score.npy")
    assert_images(grid[1, 1][None], MEANS[:2].mean(keepdims=True), np.sqrt(EQUAL[:1]), noise())


def test_on_the_line_both_spaces_are_the_same_and_off_it_not(draw):
    folder = draw(MixingGrid(**SMALL), generator=GaussianGenerator(UNEQUAL)).folder
    score, denoised = (np.load(folder / f"{space}.npy") for space in ("score", "denoised"))
    same = [place for place in np.ndindex(3, 3) if np.array_equal(score[place], denoised[place])]
    assert same == [(0, 2), (1, 1), (2, 0)]


def test_without_any_weight_the_scores_leave_the_noise_and_denoised_images_are_grey(draw):
    folder = draw(MixingGrid(**SMALL), generator=GaussianGenerator()).folder
    score, denoised = (np.load(folder / f"{space}.npy")[0, 0] for space in ("score", "denoised"))
    assert np.array_equal(score, to_images(80 * to_noise(noise()))[0])
    assert np.unique(denoised).tolist() == [128]


def test_the_pair_is_that_of_the_names(draw):
    generator = GaussianGenerator()
    folder = draw(MixingGrid(**SMALL, first="s4", second="s2"), generator=generator).folder
    grid, document = np.load(folder / "score.npy"), json.loads((folder / "grid.json").read_text())
    assert np.array_equal(grid[0, 2], plain(generator, 3, steps=4))
    assert np.array_equal(grid[2, 0], plain(generator, 1, steps=4))
    assert (document["first"], document["second"]) == ("s4", "s2")


@pytest.mark.parametrize(
    ("named", "pair"),
    [
        ({}, ("s1", "s2")),
        ({"first": "s2"}, ("s2", "s1")),
        ({"second": "s1"}, ("s2", "s1")),
        ({"first": "s4"}, ("s4", "s1")),
    ],
)
def test_who_is_not_named_is_the_first_other_identity(named, pair, draw):
    folder = draw(MixingGrid(**SMALL, **named), generator=GaussianGenerator()).folder
    document = json.loads((folder / "grid.json").read_text())
    assert (document["first"], document["second"]) == pair


def test_an_identity_that_is_not_known_is_named_with_the_nearest(draw):
    with pytest.raises(DataError, match=r"among the 4 of this set: 's22' \(did you mean 's2'\?\)"):
        draw(MixingGrid(**SMALL, second="s22"), generator=GaussianGenerator())


def test_a_generator_of_one_identity_has_no_pair(draw):
    generator = GaussianGenerator()
    generator.identities = ("s1",)
    with pytest.raises(FaceassayError, match="a pair takes two identities, the generator knows 1"):
        draw(MixingGrid(**SMALL), generator=generator)


def test_the_noise_seed_changes_the_noise_of_every_image(draw):
    drawn = (draw(MixingGrid(**SMALL, noise_seed=seed), generator=GaussianGenerator()) for seed in (0, 6))
    first, other = (np.load(one.folder / "score.npy") for one in drawn)
    assert all((first[place] != other[place]).any() for place in np.ndindex(3, 3))


def test_an_image_does_not_depend_on_the_other_weights(draw):
    few, many = (
        np.load(draw(MixingGrid(steps=4, weights=weights), generator=GaussianGenerator()).folder / "score.npy")
        for weights in ((0.25, 0.75), (0, 0.25, 0.5, 0.75, 1))
    )
    assert np.array_equal(few[0, 1], many[1, 3])


@pytest.mark.parametrize(("guidance", "networks"), [(1, 1), (1.3, 2), (0, 1)])
def test_each_image_takes_two_classes_at_every_call(guidance, networks, draw):
    generator = GaussianGenerator()
    draw(MixingGrid(**{**SMALL, "guidance": guidance}), generator=generator)
    spaces, images, calls, classes = 2, 9, 7, 2
    assert generator.evaluations == spaces * images * calls * classes * networks


def test_one_space_alone_is_one_panel(draw):
    drawn = draw(MixingGrid(**SMALL, spaces=("denoised",)), generator=GaussianGenerator())
    assert {path.name for path in drawn.folder.iterdir()} == {"denoised.npy", "grid.json"}
    assert len(drawn.drawing.axes) == 1
    assert "Denoised images mixed" in drawn.text


def test_the_line_of_weights_that_sum_to_one_is_framed_where_it_meets_the_grid():
    plugin = MixingGrid(weights=(-0.5, 0.1, 0.3, 0.7, 0.9, 1.5))
    assert plugin._convex() == [(0, 5), (1, 4), (2, 3), (3, 2), (4, 1), (5, 0)]


def test_a_grid_is_drawn_the_same_again(saved):
    first, second = (saved(MixingGrid(**SMALL), generator=GaussianGenerator()) for _ in range(2))
    assert first == second
