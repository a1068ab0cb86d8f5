"""A guide with a network of its own, and averages of several lengths."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from edm2_fits import Interruption, fit
from faceassay import LabelMix, seeds
from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.courses import courses
from fakes import Log, sources, stage_context

ONE_CLASS = LabelMix(np.array([[0]]), np.ones((1, 1)))


@pytest.fixture(scope="module")
def guided(small):
    """Return ``small`` with a wider guide of its own, everything random switched on, and two more averages."""
    more = {"guide_channels": 16, "dropout": 0.2, "flip": True, "held_out": 0.3, "further_lengths": (0.2, 0.15)}
    return small.model_copy(update=more)


@pytest.fixture(scope="module")
def whole(guided, faces, one_thread, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guided")
    return folder / "work", fit(guided, faces, folder)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, 9])
def test_an_interruption_in_either_training_changes_no_byte(step, guided, faces, whole, tmp_path):
    with pytest.raises(Interruption):
        fit(guided, faces, tmp_path, stop_at=4 * step, interval=0)
    assert fit(guided, faces, tmp_path, interval=0) == whole[1]


@pytest.mark.parametrize(("step", "role"), [(1, "guide"), (2, "guide"), (4, "main")])
def test_the_checkpoint_says_which_training_is_under_way(step, role, guided, faces, tmp_path):
    with pytest.raises(Interruption):
        fit(guided, faces, tmp_path, stop_at=4 * (step + 1), interval=0)
    saved, _, document = stage_context(tmp_path).checkpoints.load()
    assert (saved, document["role"]) == (step + 1, role)


def test_progress_counts_the_images_of_both(guided, faces, tmp_path):
    log = Log()
    guided.fit(sources(real=faces), stage_context(tmp_path, log=log))
    assert log.progress == [(4 * done, 36) for done in range(1, 10)]


def test_the_main_network_does_not_depend_on_the_guide(guided, faces, whole, tmp_path):
    alone = fit(guided.model_copy(update={"guide_channels": None}), faces, tmp_path)
    assert alone["main.safetensors"] == whole[1]["main.safetensors"]
    assert alone["guide.safetensors"] != whole[1]["guide.safetensors"]


def test_the_guide_is_what_a_training_of_its_width_makes(small, faces, tmp_path):
    schedule = {"decay_images": 8, "rampup_images": 8}
    both = small.model_copy(update={**schedule, "guide_channels": 16})
    alone = small.model_copy(update={**schedule, "channels": 16, "images": 12, "main_length": small.guide_length})
    guide = fit(both, faces, tmp_path / "both")["guide.safetensors"]
    assert guide == fit(alone, faces, tmp_path / "alone", seed=seeds.derive(7, "guide"))["main.safetensors"]


def test_each_network_is_loaded_in_its_own_width(guided, faces, whole):
    fitted = guided.load(whole[0], "cpu")
    sizes = {}
    for role in ("main", "guide"):
        denoiser = fitted.denoiser(ONE_CLASS, role=role)
        assert denoiser(torch.randn(1, 3, 8, 8), torch.ones(1)).isfinite().all()
        sizes[role] = sum(tensor.numel() for tensor in denoiser.network.function.parameters())
    config = json.loads((whole[0] / "config.json").read_text())
    assert config["weights"] == sizes
    assert sizes["guide"] > sizes["main"]
    assert config["images_seen"] == {"main": 24, "guide": 12}


def test_the_cost_of_the_guide_is_that_of_its_width(guided, small):
    assert guided.multiply_adds(8, 4) == small.multiply_adds(8, 4, "guide")
    wide = small.model_copy(update={"channels": 16})
    assert guided.multiply_adds(8, 4, "guide") == wide.multiply_adds(8, 4)


def test_a_guide_that_cannot_be_built_is_found_before_training():
    narrow = {"channels": 192, "channel_multipliers": (1,), "attention_resolutions": ()}
    with pytest.raises(ValueError, match="3 attention heads do not divide the 200 channels"):
        Edm2(**narrow, guide_channels=200).check(64, 10)


def test_the_history_tells_the_trainings_apart(whole):
    rows = json.loads(whole[1]["history.json"])
    assert [row["role"] for row in rows] == ["guide"] * 3 + ["main"] * 6
    assert [row["images"] for row in rows] == [4, 8, 12, 4, 8, 12, 16, 20, 24]


def test_further_averages_are_written_under_their_length(whole):
    assert {"average-0.150.safetensors", "average-0.200.safetensors"} <= set(whole[1])


def test_a_further_average_is_the_main_network_of_that_length(guided, faces, whole, tmp_path):
    long = fit(guided.model_copy(update={"main_length": 0.2}), faces, tmp_path)
    assert long["main.safetensors"] == whole[1]["average-0.200.safetensors"]
    assert long["average-0.200.safetensors"] == whole[1]["average-0.200.safetensors"]


def test_the_errors_of_further_averages_stand_beside_that_of_the_main_network(guided, faces, whole, tmp_path):
    long = fit(guided.model_copy(update={"main_length": 0.2}), faces, tmp_path)
    expected = json.loads(long["history.json"])[-1]
    others = json.loads(whole[1]["history.json"])[-1]["others"]
    assert sorted(others) == ["average-0.150", "average-0.200"]
    assert others["average-0.200"]["held_out_error"] == expected["held_out_error"]
    assert others["average-0.200"]["training_error"] == expected["training_error"]


def test_the_error_of_an_early_guide_is_noted_until_it_is_taken(small, faces, tmp_path):
    rows = json.loads(fit(small, faces, tmp_path)["history.json"])
    assert [list(row["others"]) for row in rows] == [["guide"]] * 3 + [[]] * 3


def test_an_average_keeps_every_tensor_of_the_network(whole):
    assert load_file(whole[0] / "average-0.150.safetensors").keys() == load_file(whole[0] / "main.safetensors").keys()


@pytest.mark.parametrize("lengths", [(0.1, 0.1), (0.1, 0.1001), (0.3,), (0.0,)])
def test_lengths_without_a_file_of_their_own_are_refused(lengths):
    with pytest.raises(ValidationError):
        Edm2(further_lengths=lengths)


def test_the_guide_with_its_own_network_comes_first(guided):
    first, second = courses(guided, 8, guided.conditioning(4))
    assert (first.role, first.start, first.updates) == ("guide", 0, 3)
    assert (second.role, second.start, second.updates) == ("main", 3, 6)
