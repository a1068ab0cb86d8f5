"""Training: resuming, determinism, what is written, what is refused."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from faceassay.contracts import DivergenceError, FaceassayError
from faceassay_plugins.recognizers.iresnet import batches, training
from faceassay_plugins.recognizers.iresnet.course import learning_rate
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from fakes import Log, stage_context, toy_faces

torch.set_num_threads(1)
FILES = ["centres.safetensors", "config.json", "history.json", "network.safetensors"]
UPDATES = 4


def recipe(**parameters):
    small = {"depth": (1, 1, 1, 1), "width": 4, "image_size": 16, "embedding": 8, "batch_size": 8, "warmup": 0.25}
    return IResNet(**{**small, "updates": UPDATES, **parameters})


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "work").iterdir())}


def trained(folder, seed=7, data=None, **parameters):
    recipe(**parameters).fit(data or toy_faces(), stage_context(folder, seed))
    return contents(folder)


def test_a_training_writes_its_four_files(tmp_path):
    assert sorted(trained(tmp_path)) == FILES


def test_the_configuration_names_identities_and_parameters(tmp_path):
    document = json.loads(trained(tmp_path)["config.json"])
    assert (document["identity_count"], document["identities"]) == (4, ["s1", "s2", "s3", "s4"])
    assert IResNet.model_validate_json(json.dumps(document["parameters"]), strict=True) == recipe()


def test_the_history_has_steps_losses_and_rates(tmp_path):
    rows = json.loads(trained(tmp_path)["history.json"])
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in rows] == [learning_rate(recipe(), step, 4) for step in range(4)]
    assert all(row["loss"] > 0 for row in rows)


def test_the_history_of_a_long_training_is_sparse_and_ends_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "HISTORY_ROWS", 2)
    whole = json.loads(trained(tmp_path / "a", updates=5)["history.json"])
    assert [row["step"] for row in whole] == [3, 5]


def test_a_row_of_history_is_the_mean_since_the_last(tmp_path, monkeypatch):
    every = json.loads(trained(tmp_path / "a")["history.json"])
    monkeypatch.setattr(training, "HISTORY_ROWS", 1)
    (row,) = json.loads(trained(tmp_path / "b")["history.json"])
    assert row["loss"] == pytest.approx(np.mean([row["loss"] for row in every]))


def test_class_centres_are_raw_rows_one_per_identity(tmp_path):
    trained(tmp_path, updates=1, learning_rate=1e-9)
    centres = load_file(tmp_path / "work" / "centres.safetensors")["centres"]
    assert centres.shape == (4, 8)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(0.01 * 8**0.5, rel=0.7)


def test_progress_counts_images(tmp_path):
    log = Log()
    recipe().fit(toy_faces(), stage_context(tmp_path, log=log))
    assert log.progress == [(8, 32), (16, 32), (24, 32), (32, 32)]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    assert trained(tmp_path / "a", dropout=0.3) == trained(tmp_path / "b", dropout=0.3)


def test_another_seed_gives_other_weights(tmp_path):
    first, second = trained(tmp_path / "a", seed=7), trained(tmp_path / "b", seed=8)
    assert first["network.safetensors"] != second["network.safetensors"]
    assert first["centres.safetensors"] != second["centres.safetensors"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.3, "momentum": 0.0},
        {"dropout": 0.3},
        {"loss": "cosface", "margin": 0.3, "sample_rate": 0.5, "batch_size": 4},
        {"loss": "adaface", "margin": 0.4, "family": "adaface", "decay": "not_batchnorm"},
        {"gradient": "straight_through", "crop_mode": "stretch", "precision": "bfloat16"},
    ],
    ids=["no-momentum", "arcface", "cosface-sampled", "adaface", "straight-through-bfloat16"],
)
@pytest.mark.parametrize("interruption", range(1, UPDATES + 1))
def test_an_interrupted_training_ends_in_the_same_bytes(tmp_path, interruption, parameters):
    whole = trained(tmp_path / "whole", **parameters)

    def interrupt(done, total):
        if done == interruption * parameters.get("batch_size", 8):
            raise KeyboardInterrupt

    context = stage_context(tmp_path / "cut", interval=0)
    with pytest.raises(KeyboardInterrupt):
        recipe(**parameters).fit(toy_faces(), dataclasses.replace(context, progress=interrupt))
    log = Log()
    recipe(**parameters).fit(toy_faces(), stage_context(tmp_path / "cut", log=log))
    assert contents(tmp_path / "cut") == whole
    assert log.lines == [f"resumed after {interruption} of {UPDATES} updates"]
    assert len(log.progress) == UPDATES - interruption


def checkpointed(folder, **parameters):
    """Train, with a checkpoint after the last step, as if killed before the result was committed."""
    recipe(**parameters).fit(toy_faces(), stage_context(folder, interval=0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 0.05}, r"learning_rate 0\.1 there and 0\.05 here"),
        ({"loss": "cosface", "margin": 0.4}, "loss arcface there and cosface here, margin 0.5 there and 0.4 here"),
        ({"updates": 9}, "updates 4 there and 9 here"),
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused_with_the_difference(tmp_path, changes, said):
    checkpointed(tmp_path)
    with pytest.raises(FaceassayError, match=said):
        recipe(**changes).fit(toy_faces(), stage_context(tmp_path))


@pytest.mark.parametrize(
    ("data", "context", "said"),
    [
        (toy_faces(5), {}, "identities 4 there and 5 here"),
        (toy_faces(), {"seed": 8}, "seed 7 there and 8 here"),
    ],
    ids=["classes", "seed"],
)
def test_a_checkpoint_of_other_classes_or_seed_is_refused(tmp_path, data, context, said):
    checkpointed(tmp_path)
    with pytest.raises(FaceassayError, match=said):
        recipe().fit(data, stage_context(tmp_path, **context))


def test_threads_that_read_do_not_change_the_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "CACHED_BYTES", 0)
    found = []
    for threads in (1, 3, 8):
        recipe(updates=9).fit(toy_faces(), stage_context(tmp_path / str(threads), threads=threads))
        found.append(contents(tmp_path / str(threads)))
    assert found[0] == found[1] == found[2]


def test_as_many_batches_are_read_at_once_as_there_are_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "CACHED_BYTES", 0)
    data, together = toy_faces(), threading.Barrier(3, timeout=20)
    read = data.images
    data.images = lambda index: (together.wait(), read(index))[1]
    recipe(updates=9).fit(data, stage_context(tmp_path, threads=3))


def test_history_goes_on_after_an_interruption_within_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "HISTORY_ROWS", 2)
    whole = trained(tmp_path / "whole")

    def interrupt(done, total):
        if done == 3 * 8:
            raise KeyboardInterrupt

    context = stage_context(tmp_path / "cut", interval=0)
    with pytest.raises(KeyboardInterrupt):
        recipe().fit(toy_faces(), dataclasses.replace(context, progress=interrupt))
    recipe().fit(toy_faces(), stage_context(tmp_path / "cut"))
    assert contents(tmp_path / "cut") == whole


def test_images_too_many_to_keep_give_the_same_bytes(tmp_path, monkeypatch):
    kept = trained(tmp_path / "a")
    monkeypatch.setattr(batches, "CACHED_BYTES", 0)
    assert trained(tmp_path / "b") == kept


def test_images_too_many_to_keep_are_read_by_the_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "CACHED_BYTES", 0)
    data, sizes = toy_faces(), []
    read = data.images
    data.images = lambda index: sizes.append(len(index)) or read(index)
    trained(tmp_path, data=data)
    assert sizes == [8] * UPDATES


def test_an_unreadable_image_stops_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "CACHED_BYTES", 0)
    data = toy_faces()
    data.images = lambda index: (_ for _ in ()).throw(FaceassayError("item3 is corrupt"))
    with pytest.raises(FaceassayError, match="item3"):
        trained(tmp_path, data=data)


def test_the_global_random_states_are_left_alone(tmp_path):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    trained(tmp_path, dropout=0.3)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_dropout_changes_the_training(tmp_path):
    plain, dropped = trained(tmp_path / "a"), trained(tmp_path / "b", dropout=0.3)
    assert plain["network.safetensors"] != dropped["network.safetensors"]


def test_dropout_differs_by_step_and_keeps_the_mean(tmp_path):
    run = training.Training(recipe(dropout=0.3, batch_size=500), 4, UPDATES, stage_context(tmp_path))
    first, second = run._kept(0), run._kept(1)
    assert first.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert first.mean().item() == pytest.approx(1, abs=0.02)
    assert not torch.equal(first, second)


def test_the_transforms_draw_by_seed_and_step(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        training.Transforms, "__call__", lambda self, x, seed, step, share: drawn.append((seed, step)) or x
    )
    trained(tmp_path / "a", seed=7)
    trained(tmp_path / "b", seed=8)
    assert [step for _, step in drawn] == [0, 1, 2, 3] * 2
    assert len({seed for seed, _ in drawn}) == 2


def test_every_probability_reaches_its_transform(tmp_path):
    probabilities = {"crop_probability": 0.1, "low_resolution_probability": 0.3, "photometric_probability": 0.4}
    run = training.Training(recipe(**probabilities, flip_probability=0.6), 4, UPDATES, stage_context(tmp_path))
    assert run.transforms == training.Transforms(crop=0.1, low_resolution=0.3, photometric=0.4, flip=0.6)


def test_cosface_trains_too(tmp_path):
    angular, additive = trained(tmp_path / "a"), trained(tmp_path / "b", loss="cosface", margin=0.4)
    assert angular["centres.safetensors"] != additive["centres.safetensors"]


def test_a_set_smaller_than_the_batch_trains(tmp_path):
    assert sorted(trained(tmp_path, data=toy_faces(2, 1), epochs=3, updates=None)) == FILES


def test_weight_decay_spares_weights_of_one_axis(tmp_path):
    run = training.Training(recipe(decay="matrices"), 4, UPDATES, stage_context(tmp_path))
    decayed, spared = run.optimizer.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (5e-4, 0.0)
    assert min(weight.ndim for weight in decayed["params"]) == 2
    assert {weight.ndim for weight in spared["params"]} == {1}
    assert any(weight is run.head.centres for weight in decayed["params"])


def spared_weights(folder, decay):
    run = training.Training(recipe(decay=decay), 4, UPDATES, stage_context(folder))
    _, spared = run.optimizer.param_groups
    kinds = {
        id(weight): type(module).__name__ for module in run.network.modules() for weight in module.parameters(False)
    }
    return {kinds[id(weight)] for weight in spared["params"]}


def test_what_decays_can_be_chosen(tmp_path):
    """insightface: everything; AdaFace: all but BatchNorm; CVLface: what has more than one axis."""
    assert spared_weights(tmp_path / "a", "all") == set()
    assert spared_weights(tmp_path / "b", "not_batchnorm") == {"BatchNorm1d", "BatchNorm2d"}
    assert spared_weights(tmp_path / "c", "matrices") == {"BatchNorm1d", "BatchNorm2d", "PReLU", "Linear"}


def test_the_clipped_gradient_has_the_largest_allowed_norm(tmp_path):
    run = training.Training(recipe(gradient_clip=0.01), 4, UPDATES, stage_context(tmp_path))
    data = toy_faces()
    run.update(0, data.images(np.arange(8)), data.labels[:8])
    gradients = [weight.grad.flatten() for weight in run.network.parameters() if weight.grad is not None]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_an_update_is_momentum_sgd_by_hand(tmp_path):
    run = training.Training(recipe(gradient_clip=None, warmup=0.0), 4, UPDATES, stage_context(tmp_path))
    data, velocity = toy_faces(), 0.0
    for step in range(2):
        before = run.head.centres.detach().clone()
        run.update(step, data.images(np.arange(8)), data.labels[:8])
        velocity = 0.9 * velocity + run.head.centres.grad + 5e-4 * before
        rate = learning_rate(run.recipe, step, UPDATES)
        assert torch.allclose(run.head.centres, before - rate * velocity, atol=1e-6)


def test_images_of_another_size_are_refused_before_training(tmp_path):
    with pytest.raises(FaceassayError, match="set image_size to 32"):
        trained(tmp_path, data=toy_faces(size=32))


def test_a_single_identity_is_refused(tmp_path):
    with pytest.raises(FaceassayError, match="at least 2 identities"):
        trained(tmp_path, data=toy_faces(identities=1))


def test_processes_that_do_not_know_each_other_are_refused(tmp_path):
    with pytest.raises(FaceassayError, match=r"2 processes, but torch\.distributed is not initialised"):
        recipe().fit(toy_faces(), dataclasses.replace(stage_context(tmp_path), world=2))


def test_a_diverging_training_names_the_step(tmp_path):
    with pytest.raises(DivergenceError, match=r"loss is nan at step [12] of 4"):
        trained(tmp_path, learning_rate=1e38, gradient_clip=None, warmup=0.0)


def test_a_divergence_in_the_last_update_is_seen(tmp_path):
    with pytest.raises(DivergenceError, match="not finite after step 0 of 1"):
        trained(tmp_path, updates=1, learning_rate=3e38, gradient_clip=None, warmup=0.0)


def test_a_diverging_training_writes_no_result(tmp_path):
    with pytest.raises(DivergenceError):
        trained(tmp_path, learning_rate=1e38, gradient_clip=None, warmup=0.0)
    assert contents(tmp_path) == {}


def test_a_loss_that_is_no_number_saves_the_state_before(tmp_path):
    with pytest.raises(DivergenceError, match=r"the state after [12] steps is saved") as raised:
        trained(tmp_path, learning_rate=1e38, gradient_clip=None, warmup=0.0)
    steps, _, document = stage_context(tmp_path).checkpoints.load()
    assert f"after {steps} steps" in str(raised.value)
    assert len(document["history"]) == steps


def losses(values):
    """Let the loss of every step be the next of ``values``."""
    given = iter(values)
    return lambda self, loss: next(given)


def watched(folder, monkeypatch, values, patience=3, **parameters):
    monkeypatch.setattr(training, "PATIENCE_STEPS", patience)
    monkeypatch.setattr(training.Training, "_averaged_over_processes", losses(values))
    return trained(folder, **{"updates": 12, "warmup": 0.0, **parameters})


# log(4) + 64 sin(0.5) = 32.1
HIGH, LOW = 33.0, 32.0


def test_a_loss_too_high_for_too_long_stops_the_training_with_advice(tmp_path, monkeypatch):
    with pytest.raises(DivergenceError, match=r"at step 5 of 12 and has been above 32\.1.* for 3 steps.*learning_rate"):
        watched(tmp_path, monkeypatch, [HIGH, HIGH, LOW, HIGH, HIGH, HIGH, LOW])
    assert stage_context(tmp_path).checkpoints.load()[0] == 5


def test_a_high_loss_of_some_steps_is_borne(tmp_path, monkeypatch):
    assert sorted(watched(tmp_path, monkeypatch, [HIGH, HIGH, LOW] * 4)) == FILES


def test_a_high_loss_is_borne_for_a_tenth_of_the_training(tmp_path, monkeypatch):
    assert sorted(watched(tmp_path, monkeypatch, [HIGH, LOW] * 20, patience=0, updates=40)) == FILES


def test_a_high_loss_is_borne_while_the_rate_warms_up(tmp_path, monkeypatch):
    assert sorted(watched(tmp_path, monkeypatch, [HIGH] * 6 + [LOW] * 6, warmup=0.5)) == FILES


def test_patience_goes_on_after_an_interruption(tmp_path, monkeypatch):
    def interrupt(done, total):
        if done == 2 * 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "PATIENCE_STEPS", 3)
    monkeypatch.setattr(training.Training, "_averaged_over_processes", lambda self, loss: HIGH)
    patient, context = recipe(updates=12, warmup=0.0), stage_context(tmp_path, interval=0)
    with pytest.raises(KeyboardInterrupt):
        patient.fit(toy_faces(), dataclasses.replace(context, progress=interrupt))
    with pytest.raises(DivergenceError, match="step 2 of 12"):
        patient.fit(toy_faces(), stage_context(tmp_path))
