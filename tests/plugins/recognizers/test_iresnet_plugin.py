"""The parameters of the recognizer: what is accepted, how long a training is, what stays out of memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from faceassay_plugins.recognizers.iresnet.plugin import IResNet


def strict(**parameters):
    return IResNet.model_validate_json(json.dumps(parameters), strict=True)


def test_the_defaults_are_the_papers_recipe():
    recipe = IResNet()
    assert (recipe.blocks, recipe.scale, recipe.margin, recipe.image_size) == ((3, 4, 14, 3), 64, 0.5, 112)
    assert (recipe.crop_probability, recipe.low_resolution_probability, recipe.photometric_probability) == (0.2,) * 3
    assert recipe.flip_probability == 0.5


def test_a_named_depth_stays_an_integer_in_strict_json():
    assert strict(depth=100).blocks == (3, 13, 30, 3)


def test_block_counts_become_a_tuple_in_strict_json():
    assert strict(depth=[1, 1, 2, 1]).depth == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("name", "depth"), [("ir18", 18), ("ir34", 34), ("ir50", 50), ("ir101", 100), ("ir100", 100), (101, 100)]
)
def test_a_network_has_one_name_in_keys(name, depth):
    assert strict(depth=name) == strict(depth=depth)
    assert strict(depth=name).model_dump(mode="json")["depth"] == depth


def test_the_architecture_names_family_blocks_and_width():
    shape = strict(family="adaface", depth=18, width=32).architecture()
    assert shape == {"family": "adaface", "blocks": [2, 2, 2, 2], "width": 32}


@pytest.mark.parametrize("depth", [19, "50", [1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1, 1]])
def test_any_other_depth_is_an_error(depth):
    with pytest.raises(ValidationError, match="depth"):
        strict(depth=depth)


def test_milestones_become_a_tuple_in_strict_json():
    assert strict(milestones=[0.5, 0.75]).milestones == (0.5, 0.75)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 100},
        {"batch_size": 1},
        {"milestones": [1.0]},
        {"crop_probability": 1.1},
        {"loss": "softmax"},
        {"learning_rate": 0},
        {"sample_rate": 0},
        {"norm_decay": 0},
        {"gradient": "none"},
        {"unknown": 1},
    ],
)
def test_a_value_out_of_bounds_is_an_error(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        strict(**wrong)


def test_a_dump_reads_back():
    for recipe in (IResNet(), IResNet(depth=(1, 2, 1, 1), updates=7)):
        assert IResNet.model_validate_json(recipe.model_dump_json(), strict=True) == recipe


def test_epochs_and_updates_together_are_an_error():
    with pytest.raises(ValidationError, match="once"):
        strict(epochs=3, updates=10)


def test_a_training_of_unsaid_length_has_the_epochs_of_adaface():
    assert strict().updates_for(1000) == strict(epochs=26).updates_for(1000)


@pytest.mark.parametrize(("images", "updates"), [(512, 26), (513, 27), (100, 6), (490_414, 24_904)])
def test_epochs_are_rounded_up_to_full_batches(images, updates):
    assert IResNet().updates_for(images) == updates


def test_updates_do_not_depend_on_the_images():
    assert IResNet(updates=33).updates_for(5) == IResNet(updates=33).updates_for(10**6) == 33


def test_a_recognizer_trained_for_updates_makes_exactly_those():
    recipe = IResNet(depth=(1, 1, 1, 1), epochs=3)
    matched = recipe.trained_for(recipe.updates_for(10_000))
    assert matched.updates_for(77) == recipe.updates_for(10_000)
    assert matched.model_copy(update={"epochs": 3, "updates": None}) == recipe


def test_training_for_no_updates_is_an_error():
    with pytest.raises(ValidationError, match="updates"):
        IResNet().trained_for(0)


def test_work_counts_the_images_of_all_batches():
    assert IResNet(epochs=2, batch_size=64).work(100) == 4 * 64


def test_every_parameter_is_described():
    assert all(field.description for field in IResNet.model_fields.values())


def test_data_of_the_right_size_passes_the_check():
    IResNet(image_size=32).check(32, 2)


@pytest.mark.parametrize(
    ("image_size", "identities", "message"), [(112, 5, "set image_size to 112"), (32, 1, "at least 2")]
)
def test_data_that_cannot_be_trained_on_fails_the_check(image_size, identities, message):
    with pytest.raises(ValueError, match=message):
        IResNet(image_size=32).check(image_size, identities)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_that_divide_the_batch_can_share_it(world):
    IResNet(batch_size=8).check_world(world)
    IResNet(batch_size=8, sample_rate=0.1).check_world(world)


@pytest.mark.parametrize(
    ("parameters", "world", "message"),
    [
        ({"batch_size": 8}, 3, "3 processes cannot share batches of 8 images.*choose a batch_size that 3 divides"),
        ({"batch_size": 8}, 8, "two or more each"),
    ],
)
def test_a_world_that_cannot_train_together_fails_the_check(parameters, world, message):
    with pytest.raises(ValueError, match=message):
        IResNet(**parameters).check_world(world)


def preset(name):
    return strict(**IResNet.presets[name])


@pytest.mark.parametrize("name", IResNet.presets)
def test_presets_are_valid(name):
    assert preset(name) == IResNet(**IResNet.presets[name])


def test_presets_are_the_recipes_of_public_code():
    """Parameters of networks, batches, epochs, decay: read from the codes that the presets name."""
    names = ("adaface", "cvlface", "arcface_torch", "admis")
    networks = {name: preset(name).parameter_count() for name in names}
    assert networks == dict.fromkeys(names, 43_585_600) | {"arcface_torch": 43_590_848}
    assert {name: (preset(name).epochs, preset(name).batch_size) for name in names} == {
        "adaface": (26, 512), "cvlface": (26, 1792), "arcface_torch": (20, 1024), "admis": (40, 512),
    }  # fmt: skip
    decays = {name: preset(name).decay for name in names}
    assert decays == {"adaface": "not_batchnorm", "cvlface": "matrices", "arcface_torch": "all", "admis": "all"}


def test_describing_the_recognizer_does_not_import_torch():
    code = (
        "import sys; from faceassay_plugins.recognizers.iresnet.plugin import IResNet; "
        "IResNet().trained_for(9).updates_for(9); IResNet().parameter_count(); "
        "IResNet.model_json_schema(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
