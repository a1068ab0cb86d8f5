"""Several processes that share a training: together they compute what one computes slice by slice."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from faceassay.contracts import FaceassayError
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from fakes import stage_context
from iresnet_shares import KEPT, faces, fit_together, reference

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


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    fit_together(RECIPE, folder, keep=LAST_BUT_ONE)
    return folder


@pytest.fixture(scope="module")
def alone(together, tmp_path_factory):
    """Make the last step alone, from the state in which the processes made it."""
    return reference(RECIPE, tmp_path_factory.mktemp("alone"), start=together / KEPT)


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
    fit_together(ADAFACE, tmp_path / "two", keep=LAST_BUT_ONE)
    _, tensors, _ = stage_context(tmp_path / "two").checkpoints.load()
    one = reference(ADAFACE, tmp_path / "one", start=tmp_path / "two" / KEPT)
    assert distance({name: tensors[name] for name in one.weights}, one.weights) < ROUNDING


def test_the_running_statistics_of_the_first_process_are_kept(together, alone, tmp_path):
    kept = load_file(together / "work" / "network.safetensors")["stem.1.running_mean"]
    second = reference(RECIPE, tmp_path, keeps=1)
    assert torch.allclose(kept, alone.network.stem[1].running_mean, rtol=ROUNDING)
    assert not torch.allclose(kept, second.network.stem[1].running_mean, rtol=0.01)


def test_a_shared_training_that_was_killed_ends_in_the_same_bytes(together, tmp_path):
    shutil.copytree(together / KEPT, tmp_path / "checkpoints")
    fit_together(RECIPE, tmp_path)
    assert contents(tmp_path / "work") == contents(together / "work")
    assert (tmp_path / "progress-0").read_text() == "1"


def test_the_first_process_alone_reports(together):
    assert [(together / f"progress-{rank}").read_text() for rank in (0, 1)] == ["4", "0"]


def test_a_checkpoint_of_another_number_of_processes_is_refused(together):
    with pytest.raises(FaceassayError, match="world 2 there and 1 here"):
        RECIPE.fit(faces(), stage_context(together))
