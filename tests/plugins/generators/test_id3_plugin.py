"""The parameters of id3: what it needs, its presets, its bounds, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.network import Denoiser
from faceassay_plugins.generators.id3 import Id3
from faceassay_plugins.generators.id3.conditioning import VectorConditioning

SIDES = {"toy": 32, "c64-112": 112, "s-112": 112}


def test_it_needs_recognizer_and_attributes():
    assert Id3().needs() == {"recognizer", "attributes"}
    assert Id3(attributes=False).needs() == {"recognizer"}


def test_a_gradient_is_needed_where_the_identity_term_is_on():
    assert Id3().needs_gradient()
    assert not Id3(identity_weight=0).needs_gradient()


def test_every_parameter_is_described():
    assert all(field.description for field in Id3.model_fields.values())


def test_images_are_never_mirrored():
    assert "flip" not in Id3.model_fields


def test_there_is_no_preset_but_these():
    assert set(Id3.presets) == set(SIDES)


@pytest.mark.parametrize("name", SIDES)
def test_a_preset_is_edm2_s_of_that_name_but_for_the_conditions(name):
    ours, theirs = Id3(**Id3.presets[name]), Edm2(**Edm2.presets[name])
    ours.check(SIDES[name], 10)
    shape, other = ours.architecture(SIDES[name], 10), theirs.architecture(SIDES[name], 10)
    assert shape.parameters - other.parameters == (512 + 4 - 10) * shape.embedding_channels
    assert ours.work(1) == theirs.work(1)


@pytest.mark.parametrize("name", SIDES)
def test_the_network_of_a_preset_has_as_many_weights(name):
    shape = Id3(**Id3.presets[name]).shape(SIDES[name], VectorConditioning(128, 2))
    with torch.device("meta"):
        network = Denoiser(shape)
    assert sum(tensor.numel() for tensor in network.parameters()) == shape.parameters


def test_images_that_do_not_fit_the_network_are_found_before_training():
    with pytest.raises(ValueError, match="match no level"):
        Id3(channel_multipliers=(1, 1)).check(32, 10)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drop_identity": 1}, "drop_identity"),
        ({"identity_weight": -1}, "identity_weight"),
        ({"reconstruction_share": 1}, "reconstruction_share"),
        ({"timesteps": 1}, "timesteps"),
        ({"beta_first": 0}, "beta_first"),
        ({"beta_first": 0.03}, "beta_first 0.03 is above beta_last 0.02: noise must rise"),
        ({"batch_size": 1}, "1 of the 1 images of a batch are for the reconstruction term: lower reconstruction_share"),
        ({"noise_levels": "uniform"}, "noise_levels"),
        ({"flip": True}, "flip"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_parameters_out_of_bounds_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Id3(**wrong)


def test_a_batch_of_one_trains_without_the_reconstruction_term():
    assert Id3(batch_size=1, reconstruction_share=0).reconstructed == 0


def test_importing_the_plugin_imports_no_torch():
    program = "import sys, faceassay_plugins.generators.id3; sys.exit('torch' in sys.modules)"
    paths = [path for path in sys.path if path]
    assert subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"]).returncode == 0


@pytest.mark.parametrize(("attributes", "expected"), [(True, {"identities", "attributes"}), (False, {"identities"})])
def test_it_says_what_it_is_conditioned_on(attributes, expected):
    assert Id3(attributes=attributes).conditioned_on() == expected
