"""Training: results that depend on seed and data alone, resuming, divergence, history, held-out images."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edm2_fits import Interruption, contents, fit, training_of
from faceassay_plugins.generators.edm2 import Edm2
from fakes import Log, sources, stage_context

FILES = ("config.json", "guide.safetensors", "history.json", "main.safetensors")


def restless(small):
    """Return ``small`` with everything that draws random numbers switched on."""
    return small.model_copy(update={"dropout": 0.2, "flip": True, "held_out": 0.3})


def test_training_writes_its_four_files(trained):
    assert sorted(contents(trained)) == sorted(FILES)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_training_interrupted_after_any_step_makes_the_same_bytes(step, small, faces, tmp_path):
    plugin = restless(small)
    whole = fit(plugin, faces, tmp_path / "whole")
    with pytest.raises(Interruption):
        fit(plugin, faces, tmp_path / "cut", stop_at=4 * step, interval=0)
    assert fit(plugin, faces, tmp_path / "cut", interval=0) == whole


def test_a_resumed_training_goes_on_where_it_was(small, faces, tmp_path):
    with pytest.raises(Interruption):
        fit(small, faces, tmp_path, stop_at=16, interval=0)
    log = Log()
    small.fit(sources(real=faces), stage_context(tmp_path, log=log))
    assert log.progress == [(20, 24), (24, 24)]


def test_the_same_seed_makes_the_same_bytes(small, faces, trained, tmp_path):
    assert fit(small, faces, tmp_path) == contents(trained)


def test_another_seed_makes_other_weights(small, faces, trained, tmp_path):
    other = fit(small, faces, tmp_path, seed=8)
    assert all(other[name] != contents(trained)[name] for name in ("main.safetensors", "guide.safetensors"))


def test_training_leaves_global_random_state_alone(small, faces, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    fit(restless(small), faces, tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_global_random_state_does_not_reach_the_training(small, faces, trained, tmp_path):
    torch.manual_seed(12345)
    assert fit(small, faces, tmp_path) == contents(trained)


def test_progress_counts_images(small, faces, tmp_path):
    log = Log()
    small.fit(sources(real=faces), stage_context(tmp_path, log=log))
    assert log.progress == [(done, 24) for done in (4, 8, 12, 16, 20, 24)]


class NoGradient(torch.nn.Module):
    """An objective whose loss is finite and whose gradients are not."""

    def __init__(self, training):
        super().__init__()
        self.training_parameters = training.parameters

    def forward(self, *batch):
        everything = sum(parameter.sum() for parameter in self.training_parameters)
        return (everything * 0).sqrt(), torch.zeros(())


def test_gradients_that_are_not_finite_count_as_zero(small, faces, tmp_path):
    training = training_of(small, faces, tmp_path)
    before = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    training.shared = NoGradient(training)
    training.advance()
    after = training.network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_images_that_do_not_fit_the_network_are_refused(faces, tmp_path):
    with pytest.raises(ValueError, match="match no level"):
        fit(Edm2(channel_multipliers=(1, 1)), faces, tmp_path)


def test_the_weights_written_are_float32_and_finite(trained):
    for role in ("main", "guide"):
        tensors = load_file(trained / f"{role}.safetensors").values()
        assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors)


def test_the_guide_is_not_the_main_network(trained):
    assert (trained / "guide.safetensors").read_bytes() != (trained / "main.safetensors").read_bytes()


def test_the_guide_is_the_long_average_of_a_training_that_stopped_early(small, faces, tmp_path):
    schedule = {"decay_images": 8, "rampup_images": 8}
    whole = small.model_copy(update=schedule)
    early = small.model_copy(update={**schedule, "images": 12, "main_length": small.guide_length})
    guide = fit(whole, faces, tmp_path / "whole")["guide.safetensors"]
    assert guide == fit(early, faces, tmp_path / "early")["main.safetensors"]


def test_the_config_says_what_was_trained(small, faces, trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["image_size"] == 8
    assert config["identities"] == list(faces.identities)
    assert Edm2.model_validate(config["parameters"]) == small
    assert config["images_seen"] == {"main": 24, "guide": 12}
    assert (config["training_images"], config["held_out_items"]) == (24, [])


def test_held_out_images_are_named_and_never_trained_on(small, faces, tmp_path):
    plugin = small.model_copy(update={"held_out": 0.3})
    result = fit(plugin, faces, tmp_path / "a")
    held_out = [faces.item_ids.index(item) for item in json.loads(result["config.json"])["held_out_items"]]
    assert np.bincount(faces.labels[held_out]).tolist() == [2] * 4
    pixels = faces.pixels.copy()
    pixels[held_out] = 255 - pixels[held_out]
    changed = fit(plugin, replace(faces, pixels=pixels), tmp_path / "b")
    assert changed["main.safetensors"] == result["main.safetensors"]
    assert changed["history.json"] != result["history.json"]


def test_training_sees_every_image_that_is_not_held_out(small, faces, tmp_path):
    seen = []
    training = training_of(small, faces, tmp_path)
    shown = training.batches.shown
    read = shown.read
    shown.read = lambda rows: seen.extend(rows) or read(rows)
    for step in range(60):
        training.batches.draw(step)
    assert set(seen) == set(range(24))


def test_a_set_that_does_not_fit_into_memory_trains_to_the_same_bytes(small, faces, tmp_path, monkeypatch):
    plugin = restless(small)
    resident = fit(plugin, faces, tmp_path / "resident")
    monkeypatch.setattr("faceassay_plugins.generators.edm2.images.RESIDENT_BYTES", 0)
    assert fit(plugin, faces, tmp_path / "read") == resident


def test_the_history_has_a_row_for_each_stretch(small, faces, tmp_path):
    plugin = small.model_copy(update={"images": 4 * 70})
    rows = json.loads(fit(plugin, faces, tmp_path)["history.json"])
    assert [row["images"] for row in rows] == [*range(20, 281, 20)]
    assert all(row["learning_rate"] == plugin.learning_rate_at(row["images"]) for row in rows)


def test_the_history_averages_the_loss_per_value_since_its_last_row(small, faces, tmp_path, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.generators.edm2.training.HISTORY_ROWS", 2)
    training, losses = training_of(small, faces, tmp_path), []
    training.objective.register_forward_hook(lambda _, __, seen: losses.append(seen[0].item() / (3 * 8 * 8)))
    for _ in range(6):
        training.advance()
    expected = [np.mean(losses[:3]), np.mean(losses[3:])]
    assert [row["loss"] for row in training.results.history] == pytest.approx(expected, rel=1e-6)


def test_the_history_measures_held_out_images_where_there_are_any(small, faces, trained, tmp_path):
    plugin = small.model_copy(update={"held_out": 0.3})
    with_held_out = json.loads(fit(plugin, faces, tmp_path)["history.json"])
    without = json.loads((trained / "history.json").read_text())
    assert all(row["held_out_error"] > 0 for row in with_held_out)
    assert all(row["held_out_error"] is None for row in without)


def test_flipping_shows_mirrored_images(small, faces, tmp_path):
    assert fit(small.model_copy(update={"flip": True}), faces, tmp_path / "flip") != fit(
        small, faces, tmp_path / "plain"
    )


def test_bfloat16_trains_float32_weights_and_samples(small, faces, tmp_path):
    plugin = small.model_copy(update={"precision": "bfloat16", "sample_steps": 2})
    assert "samples.png" in fit(plugin, faces, tmp_path)
    tensors = load_file(tmp_path / "work" / "main.safetensors").values()
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors)
