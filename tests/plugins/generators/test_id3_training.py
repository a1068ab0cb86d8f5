"""Trainings of id3: bytes that depend on seed and inputs alone, resuming, counts, what is written and noted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from edm2_fits import Interruption, contents, fit, training_of
from faceassay_plugins.generators.id3 import Id3
from fakes import Log, sources, stage_context
from id3_inputs import Linear, attributes_of


@pytest.fixture(scope="module")
def restless(identical):
    """Return ``identical`` with everything random switched on, and a wider guide of its own."""
    more = {"dropout": 0.2, "held_out": 0.3, "guide_channels": 16, "drop_identity": 0.4, "drop_attributes": 0.4}
    return identical.model_copy(update=more)


@pytest.fixture(scope="module")
def whole(restless, faces, inputs, one_thread, tmp_path_factory):
    return fit(restless, faces, tmp_path_factory.mktemp("whole"), **inputs)


def counted(plugin, data, folder, interval=60, **inputs):
    """Return the passes that a training counts."""
    passes = Counter()
    run = replace(stage_context(folder, interval=interval), count_passes=passes.update)
    plugin.fit(sources(real=data, **inputs), run)
    return dict(passes)


@pytest.mark.parametrize("step", [1, 3, 4, 7])
def test_a_training_interrupted_after_any_step_makes_the_same_bytes(step, restless, faces, inputs, whole, tmp_path):
    with pytest.raises(Interruption):
        fit(restless, faces, tmp_path, stop_at=4 * step, interval=0, **inputs)
    assert fit(restless, faces, tmp_path, interval=0, **inputs) == whole


def test_the_same_seed_makes_the_same_bytes(identical, faces, inputs, trained_id3, tmp_path):
    torch.manual_seed(12345)
    assert fit(identical, faces, tmp_path, **inputs) == contents(trained_id3)


def test_another_seed_makes_other_weights(identical, faces, inputs, trained_id3, tmp_path):
    other = fit(identical, faces, tmp_path, seed=8, **inputs)
    assert other["main.safetensors"] != contents(trained_id3)["main.safetensors"]


def test_training_leaves_global_random_state_alone(restless, faces, inputs, tmp_path):
    before = torch.get_rng_state()
    fit(restless, faces, tmp_path, **inputs)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "change",
    [
        {"identity_weight": 0.0},
        {"reconstruction_share": 0.0},
        {"noise_levels": "uniform_t"},
        {"drop_identity": 0.9},
        {"drop_attributes": 0.9},
        {"timesteps": 10},
        {"attributes": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_choice_changes_the_weights(change, identical, faces, inputs, trained_id3, tmp_path):
    changed = fit(identical.model_copy(update=change), faces, tmp_path, **inputs)
    assert changed["main.safetensors"] != contents(trained_id3)["main.safetensors"]


@pytest.mark.parametrize("which", ["recognizer", "attributes"])
def test_what_is_conditioned_on_changes_the_weights(which, identical, faces, inputs, trained_id3, tmp_path):
    other = {"recognizer": Linear(seed=1), "attributes": attributes_of(faces, seed=2)}[which]
    changed = fit(identical, faces, tmp_path, **{**inputs, which: other})
    assert changed["main.safetensors"] != contents(trained_id3)["main.safetensors"]


def test_passes_through_the_recognizer_are_counted(identical, faces, inputs, tmp_path):
    # 24 images are embedded once; 6 batches of 4 have one image each that is reconstructed.
    passes = {"recognizer_forward": 24 + 6 * 3, "recognizer_backward": 6 * 3}
    assert counted(identical, faces, tmp_path, **inputs) == identical.passes_for(24) == passes


@pytest.mark.parametrize("step", [3, 7])
def test_a_training_that_went_on_counts_the_steps_before_the_interruption(step, restless, faces, inputs, tmp_path):
    whole = counted(restless, faces, tmp_path / "whole", **inputs)
    with pytest.raises(Interruption):
        fit(restless, faces, tmp_path, stop_at=4 * step, interval=0, **inputs)
    assert counted(restless, faces, tmp_path, interval=0, **inputs) == whole


def test_without_the_identity_term_nothing_is_looked_at_in_training(identical, faces, inputs, tmp_path):
    class Watched(Linear):
        def features(self, x):
            raise AssertionError("a pass through the recognizer")

        def embed(self, images):
            return Linear.features(self, torch.from_numpy(images.transpose(0, 3, 1, 2)).float() / 127.5 - 1).numpy()

    plugin = identical.model_copy(update={"identity_weight": 0.0})
    passes = counted(plugin, faces, tmp_path, **{**inputs, "recognizer": Watched()})
    assert {name: count for name, count in passes.items() if count} == {"recognizer_forward": 24}
    history = json.loads((tmp_path / "work" / "history.json").read_text())
    assert "identity_cosine" not in history[0]


def test_the_config_says_what_was_conditioned_on(identical, faces, inputs, trained_id3):
    config = json.loads((trained_id3 / "config.json").read_text())
    assert Id3.model_validate(config["parameters"]) == identical
    assert config["conditions"]["identity"] == 5
    yaw, age = config["conditions"]["attributes"]
    values = inputs["attributes"].values.astype(np.float64)
    assert {key: yaw[key] for key in ("name", "unit", "low", "high")} == {
        "name": "yaw", "unit": "degrees", "low": -90, "high": 90,
    }  # fmt: skip
    assert (age["mean"], age["deviation"]) == pytest.approx((np.nanmean(values[:, 1]), np.nanstd(values[:, 1])))
    tensors = load_file(trained_id3 / "main.safetensors")
    learned = [name for name in tensors if not name.startswith("embedding.features")]
    assert config["weights"]["main"] == sum(tensors[name].numel() for name in learned)


def test_the_history_tells_the_mean_cosine_since_its_last_row(identical, faces, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.generators.edm2.training.HISTORY_ROWS", 2)
    training, seen = training_of(identical, faces, tmp_path, **inputs), []
    training.objective.register_forward_hook(lambda _, __, found: seen.append([value.item() for value in found]))
    for _ in range(6):
        training.advance()
    rows, seen = training.results.history, np.array(seen)
    assert [row["identity_cosine"] for row in rows] == pytest.approx([seen[:3, 2].mean(), seen[3:, 2].mean()])
    assert [row["loss"] for row in rows] == pytest.approx([seen[:3, 0].mean(), seen[3:, 0].mean()])


def test_held_out_images_never_reach_the_weights(identical, faces, inputs, tmp_path):
    plugin = identical.model_copy(update={"held_out": 0.3})
    result = fit(plugin, faces, tmp_path / "a", **inputs)
    held_out = [faces.item_ids.index(item) for item in json.loads(result["config.json"])["held_out_items"]]
    pixels, table = faces.pixels.copy(), attributes_of(faces)
    pixels[held_out] = 255 - pixels[held_out]
    table.values[held_out] = 5
    changed = fit(plugin, replace(faces, pixels=pixels), tmp_path / "b", **{**inputs, "attributes": table})
    assert changed["main.safetensors"] == result["main.safetensors"]
    assert changed["history.json"] != result["history.json"]


def test_a_finished_training_shows_samples_of_its_people(identical, faces, inputs, tmp_path):
    log, plugin = Log(), identical.model_copy(update={"sample_steps": 3})
    run = stage_context(tmp_path, log=log)
    plugin.fit(sources(real=faces, **inputs), run)
    assert Image.open(run.folder / "samples.png").size == (32, 8)
    assert json.loads((run.folder / "memorisation.json").read_text())["images"]["samples"] == 4
    assert log.evaluations == 4 * 5


def test_training_for_identity_raises_the_cosine(identical, faces, inputs, tmp_path):
    cosines = []
    for weight in (1e-6, 100.0):
        plugin = identical.model_copy(update={"identity_weight": weight, "images": 240, "batch_size": 8})
        rows = json.loads(fit(plugin, faces, tmp_path / str(weight), **inputs)["history.json"])
        cosines.append(rows[-1]["identity_cosine"])
    assert cosines[1] > cosines[0] + 0.02
