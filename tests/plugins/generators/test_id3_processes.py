"""Several processes that share a training of id3: together they compute what one computes."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from edm2_fits import contents, fit
from edm2_shares import fit_together

ROUNDING = 1.5e-5
"""A gradient of these networks is a sum over 4 images of 64 pixels; float32 (6e-8) in another order changes it by at
most 256 x 6e-8 of the sum of magnitudes."""


@pytest.fixture(scope="module")
def shared(identical):
    """Return a training whose one reconstructed image of each batch is in the share of the second process."""
    return identical.model_copy(update={"held_out": 0.3, "drop_identity": 0.3, "images": 12})


@pytest.fixture(scope="module")
def together(shared, inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    fit_together(shared, folder, **inputs)
    return folder / "work"


@pytest.fixture(scope="module")
def alone(shared, faces, inputs, one_thread, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    fit(shared, faces, folder, interval=0, **inputs)
    return folder / "work"


@pytest.mark.parametrize("name", ["main", "guide"])
def test_two_processes_make_the_networks_of_one(name, together, alone):
    # Adam divides by the size of the gradient: a number whose gradient is all rounding moves by the learning rate.
    two, one = (load_file(folder / f"{name}.safetensors") for folder in (together, alone))
    assert two.keys() == one.keys()
    assert max((torch.dist(two[key], one[key]) / (one[key].norm() + 1e-12)).item() for key in one) < 10 * ROUNDING


def test_two_processes_note_what_one_notes(together, alone):
    two, one = (json.loads((folder / "history.json").read_text()) for folder in (together, alone))
    for first, second in zip(two, one, strict=True):
        for key in ("loss", "identity_cosine", "training_error", "held_out_error"):
            assert first[key] == pytest.approx(second[key], rel=10 * ROUNDING, abs=1e-6)


def test_the_first_process_writes(together, alone):
    assert contents(together).keys() == contents(alone).keys()
    assert contents(together)["config.json"] == contents(alone)["config.json"]
