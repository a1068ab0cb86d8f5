"""Repro, AugGen and ScoreMix on a generator whose classes are Gaussians, so that every image has a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay.contracts import FaceassayError, LabelMix
from faceassay.seeds import noise_keys, row_noise
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.repro import Repro
from faceassay_plugins.augmentations.scoremix import ScoreMix
from fakes import sources, stage_context, toy_faces
from gaussians import EQUAL, MEANS, SIZE, UNEQUAL, GaussianGenerator, assert_images

HIGH = 80.0


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def real():
    return toy_faces(identities=4, per_identity=3, size=SIZE)


def rendered(plugin, real, generator, folder, index=0):
    """Return a block, its noise and its images."""
    opened = sources(real=real, generator=generator)
    block = plugin.plan(opened, stage_context(folder)).block(index)
    noise = row_noise(noise_keys(5, block.start, len(block)), SIZE)
    return block, noise, plugin.render(opened, block, noise)


FINE = {"pairs": 3, "images_per_pair": 2, "block_size": 4, "steps": 256, "guidance": 1}


# --- AugGen


def test_auggen_asks_for_the_mixed_condition(real, tmp_path):
    generator = GaussianGenerator()
    block, _, _ = rendered(AugGen(**{**FINE, "steps": 2, "alpha": 0.8, "beta": 0.3}), real, generator, tmp_path)
    [(role, condition)] = generator.asked
    assert role == "main"
    assert isinstance(condition, LabelMix)
    assert np.array_equal(condition.indices, block.sources)
    assert condition.weights.tolist() == [[0.8, 0.3]] * 4


def test_auggen_gives_the_guide_the_same_condition(real, tmp_path):
    generator = GaussianGenerator()
    rendered(AugGen(**{**FINE, "steps": 2, "guidance": 1.3}), real, generator, tmp_path)
    (first, main), (second, guide) = generator.asked
    assert (first, second) == ("main", "guide")
    assert np.array_equal(main.indices, guide.indices)
    assert np.array_equal(main.weights, guide.weights)


def test_auggen_images_have_the_closed_form_of_the_mixed_condition(real, tmp_path):
    block, noise, images = rendered(AugGen(**FINE), real, GaussianGenerator(UNEQUAL), tmp_path)
    mean, variance = (0.7 * values[block.sources].sum(1) for values in (MEANS, UNEQUAL))
    assert_images(images, mean, np.sqrt(variance), noise)


def test_auggen_images_with_guidance_are_extrapolated_from_the_guide(real, tmp_path):
    # Equal variances: the guided mean is m_guide + w (m_main - m_guide), the spread stays.
    generator = GaussianGenerator(EQUAL, guide_shift=-0.1)
    block, noise, images = rendered(AugGen(**{**FINE, "guidance": 2.0}), real, generator, tmp_path)
    mean = 0.7 * MEANS[block.sources].sum(1)
    assert_images(images, mean - 0.1 + 2.0 * 0.1, np.sqrt(1.4 * EQUAL[:4]), noise)


# --- ScoreMix


def test_scoremix_asks_for_each_class_of_the_pair(real, tmp_path):
    generator = GaussianGenerator()
    block, _, _ = rendered(ScoreMix(**{**FINE, "steps": 2}), real, generator, tmp_path)
    assert [role for role, _ in generator.asked] == ["main", "main"]
    for place, (_, condition) in enumerate(generator.asked):
        assert np.array_equal(condition.indices[:, 0], block.sources[:, place])
        assert condition.weights.tolist() == [[1.0]] * 4


def test_scoremix_gives_the_guide_the_same_two_conditions(real, tmp_path):
    generator = GaussianGenerator()
    block, _, _ = rendered(ScoreMix(**{**FINE, "steps": 2, "guidance": 1.3}), real, generator, tmp_path)
    asked = [(role, tuple(condition.indices[:, 0])) for role, condition in generator.asked]
    conditions = [tuple(block.sources[:, place]) for place in (0, 1)]
    assert asked == [(role, condition) for role in ("main", "guide") for condition in conditions]


@pytest.mark.parametrize("mixing", [0.5, 0.25, -0.5])
def test_scoremix_ends_at_the_weighted_mean_of_equally_spread_classes(mixing, real, tmp_path):
    block, noise, images = rendered(ScoreMix(**FINE, mixing=mixing), real, GaussianGenerator(EQUAL), tmp_path)
    mean = MEANS[block.sources] @ np.array([1 - mixing, mixing])
    start_is_off = 1 - np.sqrt(EQUAL[0] / (EQUAL[0] + HIGH**2))  # the start has mean 0
    assert_images(images, mean * start_is_off, np.sqrt(EQUAL), noise)


@pytest.mark.parametrize("mixing", [0.5, 0.25])
def test_scoremix_ends_at_the_geometric_mean_of_the_spreads(mixing, real, tmp_path):
    generator = GaussianGenerator(UNEQUAL)
    plugin = ScoreMix(**FINE, mixing=mixing)
    block, noise, images = rendered(plugin, real, generator, tmp_path)
    spreads = np.sqrt(UNEQUAL)[block.sources]
    wanted = spreads[:, 0] ** (1 - mixing) * spreads[:, 1] ** mixing
    for row, z, sd in zip(images, noise, wanted, strict=True):
        inside = (row > 0) & (row < 255)
        values, at = row.astype(float)[inside] / 127.5, z.transpose(1, 2, 0)[inside]
        # A grey level is 1/127.5; truncation spreads the slope by 1 / (127.5 sqrt(12 n)), some 0.0002.
        assert np.polyfit(at, values, 1)[0] == pytest.approx(sd, rel=0.01, abs=0.001)


def spread(images, noise):
    """Return the slope of grey levels over noise, in the data range, where no level is clipped."""
    inside = (images > 0) & (images < 255)
    values = images.astype(float)[inside] / 127.5
    return np.polyfit(noise.transpose(0, 2, 3, 1)[inside], values, 1)[0]


# Off the line the spread is owed to the sum of the weights alone; the variances are equal, so rows may be pooled.


@pytest.mark.parametrize("weights", [(0.4, 0.5), (0.6, 0.5)])
def test_mixed_scores_off_the_line_end_at_the_predicted_spread(weights, real, tmp_path):
    plugin, total = ScoreMix(**FINE, weights=weights), sum(weights)
    _, noise, images = rendered(plugin, real, centred(), tmp_path)
    wanted = HIGH ** (1 - total) * EQUAL[0] ** (total / 2)
    assert spread(images, noise) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("weights", [(0.4, 0.5), (0.6, 0.5)])
def test_mixed_denoised_images_off_the_line_end_at_the_predicted_spread(weights, real, tmp_path):
    plugin, total = ScoreMix(**FINE, weights=weights, space="denoised"), sum(weights)
    _, noise, images = rendered(plugin, real, centred(), tmp_path)
    wanted = total * plugin.sigma_min ** (1 - total) * EQUAL[0] ** (total / 2)
    assert spread(images, noise) == pytest.approx(wanted, rel=0.02)


def centred():
    """Return a generator whose classes have the mean 0, so that a wide spread is not clipped on one side."""
    generator = GaussianGenerator(EQUAL)
    function = generator.networks["main"].function
    generator.networks["main"].function = lambda x, sigma, c: function(x, sigma, c * torch.tensor([0.0, 1.0]))
    return generator


@pytest.mark.parametrize("mixing", [0.5, -0.5])
def test_on_the_line_both_spaces_make_the_same_images(mixing, real, tmp_path):
    made = [
        rendered(ScoreMix(**FINE, mixing=mixing, space=space), real, GaussianGenerator(), tmp_path)[2].astype(int)
        for space in ("score", "denoised")
    ]
    assert np.abs(made[0] - made[1]).max() <= 1


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (1.5, -0.25, -0.25)])
def test_a_mix_of_three_ends_at_the_weighted_mean(weights, real, tmp_path):
    plugin = ScoreMix(**FINE, classes_per_mix=3, weights=weights)
    block, noise, images = rendered(plugin, real, GaussianGenerator(EQUAL), tmp_path)
    assert block.sources.shape == (4, 3)
    start_is_off = 1 - np.sqrt(EQUAL[0] / (EQUAL[0] + HIGH**2))
    assert_images(images, MEANS[block.sources] @ np.array(weights) * start_is_off, np.sqrt(EQUAL), noise)


def test_each_row_of_a_sweep_ends_where_its_own_mixing_does(real, tmp_path):
    plugin = ScoreMix(**{**FINE, "images_per_pair": 3, "block_size": 9}, mixing=(0, 0.3, 1.2))
    block, noise, images = rendered(plugin, real, GaussianGenerator(EQUAL), tmp_path)
    mixing = np.array([0, 0.3, 1.2] * 3)
    mean = MEANS[block.sources[:, 0]] * (1 - mixing) + MEANS[block.sources[:, 1]] * mixing
    assert_images(images, mean * (1 - np.sqrt(EQUAL[0] / (EQUAL[0] + HIGH**2))), np.full(9, np.sqrt(EQUAL[0])), noise)


WAYS = {
    "pair": ({}, 2),
    "one class": ({"mixing": 1}, 1),
    "sweep": ({"mixing": (0, 0.5)}, 2),
    "three": ({"classes_per_mix": 3}, 3),
    "three, one without weight": ({"classes_per_mix": 3, "weights": (0.5, 0, 0.7)}, 2),
    "denoised": ({"weights": (0.5, 0.7), "space": "denoised"}, 2),
    "nothing": ({"weights": (0, 0)}, 0),
}


@pytest.mark.parametrize("guidance", [1, 1.3])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_mixing_makes_the_evaluations_announced(way, guidance, real, tmp_path):
    parameters, branches = WAYS[way]
    generator, plugin = GaussianGenerator(), small("scoremix", guidance=guidance, **parameters)
    rendered(plugin, real, generator, tmp_path)
    assert plugin.evaluations_per_image() == 9 * branches * (2 if guidance != 1 else 1)
    assert generator.evaluations == 4 * plugin.evaluations_per_image()


# --- Repro


def test_repro_images_have_the_closed_form_of_their_class(real, tmp_path):
    plugin = Repro(images_per_class=2, block_size=8, steps=256, guidance=1)
    block, noise, images = rendered(plugin, real, GaussianGenerator(UNEQUAL), tmp_path)
    classes = block.sources[:, 0]
    assert classes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert_images(images, MEANS[classes], np.sqrt(UNEQUAL)[classes], noise)


def test_repro_lists_every_class_in_order(real, tmp_path):
    plan = Repro(images_per_class=3, block_size=5).plan(sources(real=real), stage_context(tmp_path))
    assert plan.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert plan.sources.tolist() == [[k] for k in plan.labels]
    assert plan.weights.tolist() == [[1.0]] * 12
    assert plan.block_size == 5


def test_repro_lists_the_images_announced(real, tmp_path):
    plugin = Repro(images_per_class=3)
    assert len(plugin.plan(sources(real=real), stage_context(tmp_path))) == plugin.planned_images(4) == 12


def test_repro_under_its_own_label_joins_the_real_people(real, tmp_path):
    assert Repro(label="own").plan(sources(real=real), stage_context(tmp_path)).identities == real.identities


def test_repro_under_new_labels_joins_nobody(real, tmp_path):
    names = Repro(label="new").plan(sources(real=real), stage_context(tmp_path)).identities
    assert names == ("synthetic:s1", "synthetic:s2", "synthetic:s3", "synthetic:s4")


@pytest.mark.parametrize("guidance", [1.0, 1.3])
def test_the_label_changes_no_image(guidance, real, tmp_path):
    made = [rendered(Repro(images_per_class=1, steps=4, guidance=guidance, label=label), real, GaussianGenerator(),
                     tmp_path / label)[2] for label in ("own", "new")]  # fmt: skip
    assert np.array_equal(*made)


# --- what all three share


METHODS = {"auggen": AugGen, "scoremix": ScoreMix, "repro": Repro}


def small(name, **parameters):
    amount = {"images_per_class": 2} if name == "repro" else {"pairs": 4, "images_per_pair": 2}
    return METHODS[name](**{**amount, "block_size": 4, "steps": 5, **parameters})


@pytest.mark.parametrize("name", METHODS)
def test_without_guidance_the_guide_is_not_even_asked_for(name, real, tmp_path):
    generator = GaussianGenerator(has_guide=False)
    rendered(small(name, guidance=1), real, generator, tmp_path)
    assert generator.networks["guide"].evaluations == 0


@pytest.mark.parametrize("guidance", [0, 1, 1.3])
@pytest.mark.parametrize("name", METHODS)
def test_as_many_evaluations_are_made_as_announced(name, guidance, real, tmp_path):
    generator, plugin = GaussianGenerator(), small(name, guidance=guidance)
    block, _, _ = rendered(plugin, real, generator, tmp_path)
    assert generator.evaluations == len(block) * plugin.evaluations_per_image()


@pytest.mark.parametrize("name", METHODS)
def test_noise_levels_reach_the_sampler(name, real, tmp_path):
    seen = []
    generator = GaussianGenerator()
    network = generator.networks["main"].function
    generator.networks["main"].function = lambda x, sigma, c: seen.append(sigma[0].item()) or network(x, sigma, c)
    plugin = small(name, guidance=1, steps=3, sigma_min=1.0, sigma_max=4.0, rho=1.0)
    rendered(plugin, real, generator, tmp_path)
    assert seen == [4, 2.5, 2.5, 1, 1]


@pytest.mark.parametrize("name", METHODS)
def test_the_noise_of_a_row_is_left_as_it_is(name, real, tmp_path):
    _, noise, _ = rendered(small(name), real, GaussianGenerator(), tmp_path)
    assert np.array_equal(noise, row_noise(noise_keys(5, 0, 4), SIZE))


@pytest.mark.parametrize("name", METHODS)
def test_a_block_is_rendered_the_same_again(name, real, tmp_path):
    made = [rendered(small(name), real, GaussianGenerator(), tmp_path, index=1)[2] for _ in range(2)]
    assert np.array_equal(*made)
    assert made[0].shape == (4, SIZE, SIZE, 3)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("known", [("s1", "s2", "s3"), ("s2", "s1", "s3", "s4"), ("s1", "s2", "s3", "s4", "s5")])
def test_a_generator_of_other_classes_is_refused(known, name, real, tmp_path):
    generator = GaussianGenerator()
    generator.identities = known
    with pytest.raises(
        FaceassayError, match=f"the generator knows {len(known)} classes .* the real images have 4 .*train"
    ):
        small(name).plan(sources(real=real, generator=generator), stage_context(tmp_path))


def test_any_image_size_and_any_number_of_people_pass_the_check_of_repro():
    assert Repro().check(image_size=32, identities=1) is None
