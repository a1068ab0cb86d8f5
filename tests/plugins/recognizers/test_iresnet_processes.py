"""Several processes that share a training: together they compute what one computes slice by slice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from faceassay.contracts import FaceassayError
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from faceassay_plugins.recognizers.iresnet.training import Training
from fakes import stage_context
from iresnet_shares import KEPT, START, faces, fit_together, reference

torch.set_num_threads(1)
ROUNDING = 1.2e-4
"""A gradient of these networks is a sum over 8 images of at most 256 pixels; float32 (6e-8) in another order changes it
by at most 8 x 256 x 6e-8 of the sum of magnitudes. That is of one step: compared is one step from one state."""
RECIPE = IResNet(
    depth=(1, 1, 1, 1), width=4, image_size=16, embedding=8, batch_size=8, updates=4, warmup=0.25, dropout=0.3
)
ADAFACE = RECIPE.model_copy(update={"loss": "adaface", "margin": 0.4, "family": "adaface"})
ONE_STEP = {"updates": 1, "learning_rate": 1e-3}
LAST_BUT_ONE = 3
PEOPLE = 11
"""More than a batch of 8 or 9 images holds, and a number that no number of processes divides."""
SAMPLED = ADAFACE.model_copy(update={"sample_rate": 0.85})
"""9 of 11 classes take part: those of the batch, which two processes see in part, and others."""
BY_THREE = RECIPE.model_copy(update={"sample_rate": 0.5, "batch_size": 9})


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    fit_together(RECIPE, folder, keep=[2, LAST_BUT_ONE])
    return folder


@pytest.fixture(scope="module")
def alone(together, tmp_path_factory):
    """Make the last step alone, from the state in which the processes made it."""
    return reference(RECIPE, tmp_path_factory.mktemp("alone"), start=started(together))


def started(folder):
    return folder / f"{START}-{LAST_BUT_ONE}"


def distance(a, b):
    """Return the largest relative distance (Euclidean norm) of tensors of the same name.

    Some are zero but for rounding, as a mean behind a BatchNorm is: what counts of those is the distance to 0.01.
    """
    assert a.keys() == b.keys()
    pairs = [(a[name].double(), b[name].double()) for name in b]
    return max(((x - y).norm() / y.norm().clamp(min=0.01)).item() for x, y in pairs)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_two_processes_find_the_gradient_of_one(tmp_path):
    one_step = RECIPE.model_copy(update=ONE_STEP)
    fit_together(one_step, tmp_path / "two")
    _, tensors, _ = stage_context(tmp_path / "two").checkpoints.load()
    moments = {name: tensor for name, tensor in tensors.items() if name.startswith("momentum")}
    assert distance(moments, reference(one_step, tmp_path / "one")._momenta()) < ROUNDING


def test_two_processes_make_the_network_of_one(together, alone):
    two = load_file(together / "work" / "network.safetensors")
    assert distance(two, alone.network.state_dict()) < ROUNDING
    assert distance(load_file(together / "work" / "centres.safetensors"), {"centres": alone.head.centres}) < ROUNDING


def test_two_processes_note_the_loss_of_one(together, alone):
    *_, two = json.loads((together / "work" / "history.json").read_text())
    assert two["step"] == alone.history[-1]["step"] == RECIPE.updates
    assert two["loss"] == pytest.approx(alone.history[-1]["loss"], rel=ROUNDING)


def test_adaface_judges_by_the_norms_of_the_whole_batch(tmp_path):
    fit_together(ADAFACE, tmp_path / "two", keep=[LAST_BUT_ONE])
    _, tensors, _ = stage_context(tmp_path / "two").checkpoints.load()
    one = reference(ADAFACE, tmp_path / "one", start=started(tmp_path / "two"))
    assert distance({name: tensors[name] for name in one.weights}, one.weights) < ROUNDING


def test_the_running_statistics_of_the_first_process_are_kept(together, alone, tmp_path):
    kept = load_file(together / "work" / "network.safetensors")["stem.1.running_mean"]
    second = reference(RECIPE, tmp_path, keeps=1)
    assert torch.allclose(kept, alone.network.stem[1].running_mean, rtol=ROUNDING)
    assert not torch.allclose(kept, second.network.stem[1].running_mean, rtol=0.01)


def test_a_shared_training_that_was_killed_ends_in_the_same_bytes(together, tmp_path):
    (together / f"{KEPT}-2" / "checkpoints").rename(tmp_path / "checkpoints")
    fit_together(RECIPE, tmp_path)
    assert contents(tmp_path / "work") == contents(together / "work")
    assert (tmp_path / "progress-0").read_text() == "2"


def test_the_first_process_alone_reports(together):
    assert [(together / f"progress-{rank}").read_text() for rank in (0, 1)] == ["4", "0"]


def test_a_checkpoint_of_another_number_of_processes_is_refused(together):
    with pytest.raises(FaceassayError, match="world 2 there and 1 here"):
        RECIPE.fit(faces(), stage_context(together))


@pytest.fixture(scope="module")
def sampled_together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled-together")
    fit_together(SAMPLED, folder, keep=[1, 2, 3], resume=True, people=PEOPLE)
    return folder


def test_two_processes_that_sample_centres_train_as_one(sampled_together, tmp_path):
    """Centres, momenta and running norms too: those of classes that were left out in a step among them."""
    _, tensors, document = stage_context(sampled_together).checkpoints.load()
    one = reference(SAMPLED, tmp_path, people=PEOPLE, start=started(sampled_together))
    assert distance(tensors, {**one.weights, **one._momenta()}) < ROUNDING
    assert document["history"][-1]["loss"] == pytest.approx(one.history[-1]["loss"], rel=ROUNDING)


def test_all_sampled_centres_are_exported(sampled_together):
    centres = load_file(sampled_together / "work" / "centres.safetensors")["centres"]
    assert torch.equal(centres, stage_context(sampled_together).checkpoints.load()[1]["head.centres"])
    assert centres.shape == (PEOPLE, 8)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_shared_training_that_samples_centres_resumes_from_every_step(sampled_together, steps):
    assert contents(sampled_together / f"{KEPT}-{steps}" / "work") == contents(sampled_together / "work")


def test_three_processes_resume_with_the_same_bytes(tmp_path):
    """Of two numbers the sum is the same in any order, of three it is not."""
    fit_together(BY_THREE, tmp_path, world=3, keep=[1], resume=True, people=PEOPLE)
    assert contents(tmp_path / f"{KEPT}-1" / "work") == contents(tmp_path / "work")


def taking_part(recipe, world, rank, labels, folder):
    """Return the labels and classes that the objective of process ``rank`` is given."""
    context = replace(stage_context(folder), rank=rank, world=world)
    training, given = Training(recipe, 100, 4, context), []
    training.objective = lambda x, own, kept, classes: given.extend([own.tolist(), classes.tolist()])
    training._loss(2, np.zeros((training.share.count, 16, 16, 3), np.uint8), labels)
    return given


@pytest.mark.parametrize(("rate", "count"), [(0.25, 25), (0.01, 7)])
def test_every_process_takes_the_same_classes_those_of_the_whole_batch_among_them(tmp_path, rate, count):
    labels = np.array([90, 3, 3, 41, 8, 99, 0, 57])
    recipe = RECIPE.model_copy(update={"sample_rate": rate})
    (own, alone), *shares = [
        taking_part(recipe, world, rank, labels, tmp_path) for world, rank in [(1, 0), (2, 0), (2, 1)]
    ]
    assert own == [label for labels_there, _ in shares for label in labels_there] == labels.tolist()
    assert all(classes == alone for _, classes in shares)
    assert set(labels.tolist()) <= set(alone)
    assert len(alone) == count
