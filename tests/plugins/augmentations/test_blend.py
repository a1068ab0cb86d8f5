"""The pixel blend against averages taken one pixel at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from faceassay_plugins.augmentations.blend import Blend
from fakes import ArrayDataset, sources, stage_context, toy_faces


@pytest.fixture
def real():
    """People whose images are not in a row, with different numbers of images: 5, 3, 1 and 3."""
    faces = toy_faces(identities=4, per_identity=3, size=8, noise=60.0)
    labels = np.array([3, 0, 1, 0, 2, 3, 1, 0, 0, 3, 1, 0])
    return ArrayDataset(faces.pixels, labels, faces.identities)


def planned(real, folder, seed=7, **parameters):
    plugin = Blend(**{"pairs": 6, "images_per_pair": 20, "block_size": 16, **parameters})
    return plugin, plugin.plan(sources(real=real), stage_context(folder, seed))


def rendered(plugin, real, plan):
    blocks = [plan.block(k) for k in range(plan.blocks)]
    noise = [np.zeros((len(block), 3, 8, 8), np.float32) for block in blocks]
    opened = sources(real=real)
    return np.concatenate([plugin.render(opened, block, z) for block, z in zip(blocks, noise, strict=True)])


def test_an_image_is_the_average_of_its_two_to_the_nearest_grey_level(real, tmp_path):
    plugin, plan = planned(real, tmp_path)
    images = rendered(plugin, real, plan)
    for row, (a, b) in enumerate(plan.columns["images"]):
        for place in np.ndindex(8, 8, 3):
            exact = Fraction(int(real.pixels[a][place]) + int(real.pixels[b][place]), 2)
            assert images[row][place] == round(exact)  # halves to even, as round() of a fraction has it
        if row == 3:
            break


def test_all_images_agree_with_a_float64_average(real, tmp_path):
    plugin, plan = planned(real, tmp_path)
    first, second = (real.pixels[plan.columns["images"][:, k]].astype(np.float64) for k in (0, 1))
    assert np.array_equal(rendered(plugin, real, plan), np.rint((first + second) / 2).astype(np.uint8))


def test_rounding_favours_neither_light_nor_dark(tmp_path):
    pixels = np.zeros((2, 16, 16, 3), np.uint8)
    pixels[0] = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    pixels[1] = np.minimum(pixels[0].astype(int) + 1, 255)
    real = ArrayDataset(pixels, np.array([0, 1]), ("a", "b"))
    plugin = Blend(pairs=1, images_per_pair=1)
    opened = sources(real=real)
    block = plugin.plan(opened, stage_context(tmp_path)).block(0)
    mixed = plugin.render(opened, block, np.zeros((1, 3, 16, 16), np.float32))[0].astype(float)
    exact = (pixels[0].astype(float) + pixels[1]) / 2
    assert np.abs(mixed - exact).max() == 0.5
    assert abs((mixed - exact).mean()) < 0.01


def test_images_are_uint8_in_the_shape_of_the_block(real, tmp_path):
    images = rendered(*_with(real, planned(real, tmp_path)))
    assert (images.dtype, images.shape) == (np.uint8, (120, 8, 8, 3))


def test_both_images_belong_to_the_people_of_the_pair(real, tmp_path):
    _, plan = planned(real, tmp_path)
    assert np.array_equal(real.labels[plan.columns["images"]], plan.sources)


def test_every_image_of_a_person_is_used(real, tmp_path):
    _, plan = planned(real, tmp_path, images_per_pair=50)
    assert np.array_equal(np.unique(plan.columns["images"]), np.arange(12))


def test_the_images_of_a_person_are_used_equally_often(real, tmp_path):
    _, plan = planned(real, tmp_path, images_per_pair=400)
    drawn = plan.columns["images"][plan.sources == 0]  # 1200 draws among 5 images
    counts = np.bincount(drawn)[[1, 3, 7, 8, 11]]
    assert counts.sum() == 1200
    assert ((counts - 240) ** 2).sum() / 240 < 33.4  # chi-square of 4 degrees of freedom: once in a million


def test_the_images_of_a_plan_are_int64_pairs(real, tmp_path):
    column = planned(real, tmp_path)[1].columns["images"]
    assert (column.dtype, column.shape) == (np.int64, (120, 2))


def test_the_real_images_are_not_written_to(real, tmp_path):
    before = real.pixels.copy()
    plugin, plan = planned(real, tmp_path)
    rendered(plugin, real, plan)
    assert np.array_equal(real.pixels, before)


@pytest.mark.parametrize("size", [1, 7, 120, 500])
def test_the_block_size_changes_no_image(size, real, tmp_path):
    made = [rendered(*_with(real, planned(real, tmp_path, block_size=block))) for block in (16, size)]
    assert np.array_equal(*made)


def test_noise_changes_no_image(real, tmp_path):
    plugin, plan = planned(real, tmp_path)
    block, opened = plan.block(0), sources(real=real)
    made = [plugin.render(opened, block, np.full((16, 3, 8, 8), z, np.float32)) for z in (0.0, 3.0)]
    assert np.array_equal(*made)


def test_the_same_seed_draws_the_same_images(real, tmp_path):
    one, other = planned(real, tmp_path)[1], planned(real, tmp_path)[1]
    assert np.array_equal(one.columns["images"], other.columns["images"])


def test_another_seed_draws_other_images_of_the_same_pairs(tmp_path):
    real = toy_faces(identities=2, per_identity=30, size=8)
    plans = [planned(real, tmp_path, seed=seed, pairs=1)[1] for seed in (1, 2)]
    assert np.array_equal(plans[0].sources, plans[1].sources)
    assert not np.array_equal(plans[0].columns["images"], plans[1].columns["images"])


def test_a_blend_reads_no_generator(real, tmp_path):
    plugin, plan = planned(real, tmp_path)
    assert len(rendered(plugin, real, plan)) == 120


def _with(real, made):
    plugin, plan = made
    return plugin, real, plan
