"""Several processes that share a training: together they compute what one computes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from edm2_fits import contents, fit, scheme_of
from edm2_shares import fit_together
from faceassay import FaceassayError
from faceassay_plugins.generators.edm2.batches import Batches
from fakes import sources, stage_context

ROUNDING = 1.5e-5
"""A gradient of these networks is a sum over 4 images of 64 pixels; float32 (6e-8) in another order changes it by at
most 256 x 6e-8 of the sum of magnitudes."""


@pytest.fixture(scope="module")
def shared(small):
    return small.model_copy(update={"flip": True, "held_out": 0.3, "guide_channels": 16})


@pytest.fixture(scope="module")
def together(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    fit_together(shared, folder)
    return folder


@pytest.fixture(scope="module")
def alone(shared, faces, one_thread, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    fit(shared, faces, folder, interval=0)
    return folder


def distance(a, b):
    """Return the largest relative distance (Euclidean norm) of tensors of the same name."""
    assert a.keys() == b.keys()
    return max((torch.dist(a[name], b[name]) / (b[name].norm() + 1e-12)).item() for name in b)


def test_two_processes_find_the_gradient_of_one(small, faces, tmp_path):
    # After one step Adam's first moment is (1 - beta) x gradient; only the output gain has a gradient then.
    one_step = small.model_copy(update={"images": 8, "batch_size": 4})
    fit_together(one_step, tmp_path / "two")
    fit(one_step, faces, tmp_path / "one", interval=0)
    moments = []
    for folder in ("two", "one"):
        _, tensors, _ = stage_context(tmp_path / folder).checkpoints.load()
        moments.append({name: tensor for name, tensor in tensors.items() if name.endswith("exp_avg")})
    assert distance(*moments) < ROUNDING


def test_two_processes_make_the_networks_of_one(together, alone):
    # Adam divides by the size of the gradient: a number whose gradient is all rounding moves by the learning rate.
    for name in ("main", "guide"):
        two, one = (load_file(folder / "work" / f"{name}.safetensors") for folder in (together, alone))
        assert distance(two, one) < 10 * ROUNDING


def test_two_processes_note_the_losses_of_one(together, alone):
    two, one = (json.loads((folder / "work" / "history.json").read_text()) for folder in (together, alone))
    for first, second in zip(two, one, strict=True):
        for key in ("loss", "training_error", "held_out_error"):
            assert first[key] == pytest.approx(second[key], rel=10 * ROUNDING)


def test_the_first_process_writes_and_reports(together, alone):
    assert contents(together / "work").keys() == contents(alone / "work").keys()
    assert [(together / f"progress-{rank}").read_text() for rank in (0, 1)] == ["9", "0"]


def test_a_shared_training_goes_on_from_its_checkpoint(shared, together, alone, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (newest,) = (together / "checkpoints").iterdir()
    newest.rename(tmp_path / "checkpoints" / newest.name)
    fit_together(shared, tmp_path)
    assert contents(tmp_path / "work") == contents(together / "work")
    assert (tmp_path / "progress-0").read_text() == "0"


def test_the_shares_make_up_the_batch_of_one_process(shared, faces, tmp_path):
    run = stage_context(tmp_path)
    scheme = scheme_of(shared, faces, run)
    whole = Batches(scheme, run, 7).draw(3)
    shares = [Batches(scheme, replace(run, rank=rank, world=2), 7).draw(3) for rank in (0, 1)]
    for one, first, second in zip(whole, *shares, strict=True):
        assert torch.equal(one, torch.cat([first, second]))


def test_processes_drop_different_activations(shared, faces, tmp_path):
    run, masks = stage_context(tmp_path), []
    for rank in (0, 1):
        with Batches(scheme_of(shared, faces, run), run, 7).randomness("dropout", 3, rank):
            masks.append(torch.rand(8))
    assert not torch.equal(*masks)


def test_processes_that_cannot_share_a_batch_are_refused(small, faces, tmp_path):
    with pytest.raises(FaceassayError, match="3 processes cannot share batches of 4 images"):
        small.fit(sources(real=faces), replace(stage_context(tmp_path), world=3))


def test_processes_that_do_not_know_each_other_are_refused(small, faces, tmp_path):
    with pytest.raises(FaceassayError, match=r"2 processes, but torch\.distributed is not initialised"):
        small.fit(sources(real=faces), replace(stage_context(tmp_path), world=2))
