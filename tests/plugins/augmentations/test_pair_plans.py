"""The plans of AugGen, ScoreMix and the blend: the same pairs, each a new class; and the parameters they share."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.blend import Blend
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.selection import random_mixes, random_pairs
from fakes import sources, stage_context, toy_faces

METHODS = [AugGen, ScoreMix, Blend]


@pytest.fixture
def real():
    return sources(real=toy_faces(identities=5, per_identity=3, size=8))


def made(cls, real, folder, seed=7, **parameters):
    return cls(**{"pairs": 4, "images_per_pair": 3, "block_size": 5, **parameters}).plan(
        real, stage_context(folder, seed)
    )


@pytest.fixture(params=METHODS, ids=lambda cls: cls.name)
def method(request):
    return request.param


def test_each_pair_is_a_new_class_named_after_its_people(method, real, tmp_path):
    pairs = random_pairs(5, 4, seed=7)
    names = tuple(f"synthetic:s{i + 1}+s{j + 1}" for i, j in pairs)
    assert made(method, real, tmp_path).identities == names


def test_no_new_class_has_the_name_of_a_real_person(method, real, tmp_path):
    assert not set(made(method, real, tmp_path).identities) & set(real.real.identities)


def test_each_class_has_its_images_in_a_row(method, real, tmp_path):
    assert made(method, real, tmp_path).labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_each_image_is_made_from_the_pair_of_its_class(method, real, tmp_path):
    plan = made(method, real, tmp_path)
    for label, (i, j) in zip(plan.labels, plan.sources, strict=True):
        assert plan.identities[label] == f"synthetic:s{i + 1}+s{j + 1}"


@pytest.mark.parametrize(
    ("cls", "parameters", "weights"),
    [
        (AugGen, {}, [0.7, 0.7]),
        (AugGen, {"alpha": 0.8, "beta": 0.3}, [0.8, 0.3]),
        (ScoreMix, {}, [0.5, 0.5]),
        (ScoreMix, {"mixing": 0.25}, [0.75, 0.25]),
        (ScoreMix, {"mixing": -0.5}, [1.5, -0.5]),
        (ScoreMix, {"weights": (0.6, 0.6)}, [0.6, 0.6]),
        (ScoreMix, {"classes_per_mix": 4}, [0.25] * 4),
        (ScoreMix, {"classes_per_mix": 3, "weights": (1.5, -0.25, -0.25)}, [1.5, -0.25, -0.25]),
        (Blend, {}, [0.5, 0.5]),
    ],
)
def test_the_weights_are_those_of_the_method(cls, parameters, weights, real, tmp_path):
    assert made(cls, real, tmp_path, **parameters).weights.tolist() == [weights] * 12


def test_a_plan_has_the_types_that_the_contract_names(method, real, tmp_path):
    plan = made(method, real, tmp_path)
    assert (plan.labels.dtype, plan.sources.dtype, plan.weights.dtype) == (np.int64, np.int64, np.float64)


def test_a_plan_has_the_block_size_asked_for(method, real, tmp_path):
    plan = made(method, real, tmp_path)
    assert (plan.block_size, plan.blocks, [len(plan.block(k)) for k in range(3)]) == (5, 3, [5, 5, 2])


def test_a_plan_lists_the_images_announced(method, real, tmp_path):
    assert len(made(method, real, tmp_path)) == method(pairs=4, images_per_pair=3).planned_images(5) == 12


def test_methods_with_one_seed_draw_the_same_pairs(real, tmp_path):
    plans = [made(cls, real, tmp_path) for cls in METHODS]
    assert all(np.array_equal(plan.sources, plans[0].sources) for plan in plans)
    assert len({plan.identities for plan in plans}) == 1


def test_more_images_of_a_pair_change_no_pair(method, real, tmp_path):
    assert made(method, real, tmp_path).identities == made(method, real, tmp_path, images_per_pair=9).identities


def test_the_same_seed_makes_the_same_plan(method, real, tmp_path):
    one, other = made(method, real, tmp_path), made(method, real, tmp_path)
    assert one.identities == other.identities
    assert np.array_equal(one.sources, other.sources)
    assert all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)


def test_another_seed_makes_another_plan(method, real, tmp_path):
    assert made(method, real, tmp_path).identities != made(method, real, tmp_path, seed=8).identities


# --- several weights, several classes, labels of real people


def test_the_images_of_a_pair_take_the_mixings_in_turn(real, tmp_path):
    plan = made(ScoreMix, real, tmp_path, mixing=(0.25, 0.5), images_per_pair=3)
    assert plan.weights.tolist() == [[0.75, 0.25], [0.5, 0.5], [0.75, 0.25]] * 4


def test_a_sweep_of_mixings_changes_neither_pairs_nor_classes(real, tmp_path):
    one, other = made(ScoreMix, real, tmp_path), made(ScoreMix, real, tmp_path, mixing=(0.25, 0.5))
    assert one.identities == other.identities
    assert np.array_equal(one.sources, other.sources)


def test_a_mix_of_three_is_a_new_class_named_after_its_people(real, tmp_path):
    plan = made(ScoreMix, real, tmp_path, classes_per_mix=3)
    mixes = random_mixes(5, 3, 4, seed=7)
    assert plan.identities == tuple(f"synthetic:s{i + 1}+s{j + 1}+s{k + 1}" for i, j, k in mixes)
    assert np.array_equal(plan.sources, mixes.repeat(3, axis=0))
    assert len(plan) == ScoreMix(pairs=4, images_per_pair=3, classes_per_mix=3).planned_images(5)


def joined(plan):
    """Return the real person that each image joins."""
    return [plan.identities[label] for label in plan.labels]


@pytest.mark.parametrize(
    ("cls", "parameters", "place"),
    [
        (AugGen, {}, 0),
        (AugGen, {"alpha": 0.3, "beta": 0.8}, 1),
        (ScoreMix, {}, 0),
        (ScoreMix, {"mixing": 0.75}, 1),
        (ScoreMix, {"mixing": -0.5}, 0),
        (ScoreMix, {"classes_per_mix": 3, "weights": (0.2, 0.4, 0.4)}, 1),
        (Blend, {}, 0),
    ],
)
def test_under_a_source_label_an_image_joins_the_person_of_larger_weight(cls, parameters, place, real, tmp_path):
    plan = made(cls, real, tmp_path, label_mode="source", **parameters)
    assert joined(plan) == [f"s{classes[place] + 1}" for classes in plan.sources]
    assert set(plan.identities) <= set(real.real.identities)


def test_images_of_one_pair_may_join_different_people(real, tmp_path):
    plan = made(ScoreMix, real, tmp_path, label_mode="source", mixing=(0.25, 0.75), images_per_pair=2)
    assert joined(plan) == [f"s{k + 1}" for k in plan.sources[::2].ravel()]


def test_the_label_mode_changes_neither_sources_nor_weights(method, real, tmp_path):
    one, other = made(method, real, tmp_path), made(method, real, tmp_path, label_mode="source")
    assert np.array_equal(one.sources, other.sources)
    assert np.array_equal(one.weights, other.weights)


def test_random_pairs_obey_a_limit(method, real, tmp_path):
    plan = made(method, real, tmp_path, max_uses=2)
    assert np.bincount(plan.sources[::3].ravel()).max() <= 2


# --- the check before anything runs


def test_fewer_pairs_than_asked_for_are_found_beforehand(method):
    with pytest.raises(ValueError, match="5 classes make 10 pairs, 11 are asked for: lower 'pairs'"):
        method(pairs=11).check(image_size=32, identities=5)


def test_enough_pairs_pass_the_check(method):
    method(pairs=10).check(image_size=32, identities=5)


def test_a_limit_that_cannot_be_kept_is_found_beforehand(method):
    with pytest.raises(ValueError, match="5 classes used at most 2 times each make 5 pairs at most, 6 are asked for"):
        method(pairs=6, max_uses=2).check(image_size=32, identities=5)


def test_fewer_mixes_of_three_than_asked_for_are_found_beforehand():
    ScoreMix(pairs=10, classes_per_mix=3).check(image_size=32, identities=5)
    with pytest.raises(ValueError, match="5 classes make 10 mixes of 3, 11 are asked for: lower 'pairs'"):
        ScoreMix(pairs=11, classes_per_mix=3).check(image_size=32, identities=5)


# --- parameters


def strict(cls, **parameters):
    return cls.model_validate_json(json.dumps(parameters), strict=True)


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (AugGen, {"pairs": 20, "images_per_pair": 10, "alpha": 0.8, "beta": 1, "steps": 16, "guidance": 1}),
        (ScoreMix, {"mixing": -0.5, "sigma_min": 0.01, "sigma_max": 50, "rho": 5.0}),
        (Blend, {"pairs": 3, "block_size": 1}),
        (Blend, {"selection": "dist-embedding-cosine", "max_uses": 2, "label_mode": "source"}),
        (ScoreMix, {"mixing": (0.25, 0.5), "space": "denoised"}),
        (ScoreMix, {"classes_per_mix": 3, "weights": (0.5, 0.25, 0.25)}),
    ],
)
def test_parameters_are_read_from_strict_json(cls, parameters):
    read = strict(cls, **parameters)
    assert {name: getattr(read, name) for name in parameters} == parameters


def test_a_dump_reads_back(method):
    plugin = method(pairs=3)
    assert method.model_validate_json(plugin.model_dump_json(), strict=True) == plugin


def test_the_defaults_are_the_papers(method):
    plugin = method()
    assert (plugin.pairs, plugin.images_per_pair) == (10_000, 20)


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (AugGen, {"pairs": 0}),
        (AugGen, {"images_per_pair": 0}),
        (AugGen, {"block_size": 0}),
        (AugGen, {"pairs": "20"}),
        (AugGen, {"pairs": 2.5}),
        (AugGen, {"alpha": -0.1}),
        (AugGen, {"mixing": 0.5}),
        (AugGen, {"steps": 1}),
        (AugGen, {"guidance": -1}),
        (ScoreMix, {"mixing": "half"}),
        (ScoreMix, {"mixing": []}),
        (ScoreMix, {"mixing": [0.5, 4]}),
        (ScoreMix, {"mixing": [0.5] * 21}),
        (ScoreMix, {"classes_per_mix": 1}),
        (ScoreMix, {"weights": [0.5, 0.25, 0.25]}),
        (ScoreMix, {"weights": [0.5, 0.5], "mixing": 0.25}),
        (ScoreMix, {"classes_per_mix": 3, "weights": [0.5, 0.5]}),
        (ScoreMix, {"mixing": 0.25, "classes_per_mix": 3}),
        (ScoreMix, {"selection": "close-condition-l2", "classes_per_mix": 3}),
        (ScoreMix, {"max_uses": 2, "classes_per_mix": 3}),
        (ScoreMix, {"space": "latent"}),
        (Blend, {"selection": "closest"}),
        (Blend, {"max_uses": 0}),
        (Blend, {"label_mode": "soft"}),
        (ScoreMix, {"sigma_min": 0}),
        (ScoreMix, {"rho": 0}),
        (Blend, {"steps": 16}),
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_it(cls, wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        strict(cls, **wrong)


@pytest.mark.parametrize("levels", [{"sigma_min": 80}, {"sigma_min": 5, "sigma_max": 1}, {"sigma_max": 0.002}])
def test_noise_levels_that_do_not_fall_are_an_error_at_once(levels):
    with pytest.raises(ValidationError, match="sigma_min must be below sigma_max"):
        strict(ScoreMix, **levels)


@pytest.mark.parametrize(("cls", "needs"), [(AugGen, {"generator"}), (ScoreMix, {"generator"}), (Blend, set())])
def test_only_methods_that_sample_need_a_generator(cls, needs):
    assert cls().needs() == needs


@pytest.mark.parametrize(
    ("cls", "parameters", "evaluations"),
    [
        (AugGen, {"guidance": 1}, 63),
        (AugGen, {"guidance": 1.3}, 126),
        (AugGen, {"guidance": 0}, 63),
        (ScoreMix, {"guidance": 1}, 126),
        (ScoreMix, {"guidance": 2.75}, 252),
        (ScoreMix, {"guidance": 1, "steps": 16}, 62),
        (ScoreMix, {"guidance": 1, "mixing": 0}, 63),
        (ScoreMix, {"guidance": 1, "mixing": (0, 0.5, 1)}, 126),
        (ScoreMix, {"guidance": 1, "classes_per_mix": 3}, 189),
        (ScoreMix, {"guidance": 1.3, "classes_per_mix": 4}, 504),
        (ScoreMix, {"guidance": 1, "classes_per_mix": 3, "weights": (0.5, 0, 0.5)}, 126),
        (ScoreMix, {"guidance": 1, "weights": (0, 0)}, 0),
        (Blend, {}, 0),
    ],
)
def test_the_expected_evaluations_are_those_of_the_cost_table(cls, parameters, evaluations):
    assert cls(**parameters).evaluations_per_image() == evaluations
