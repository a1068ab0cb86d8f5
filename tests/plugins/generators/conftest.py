"""Fixtures of the generator tests: one thread, a forked random state, a small trained generator."""

from __future__ import annotations

import pytest
import torch

from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.id3 import Id3
from fakes import sources, stage_context, toy_faces
from id3_inputs import Linear, attributes_of


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Compute with one thread, so that all trainings of these tests make the same bytes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _forked_randomness():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def small():
    """Return a plugin that trains in a fraction of a second on images of 8 px."""
    return Edm2(
        channels=8,
        channel_multipliers=(1, 2),
        blocks=1,
        attention_resolutions=(),
        images=24,
        batch_size=4,
        learning_rate=0.02,
        guide_fraction=0.5,
        sample_steps=0,
    )


@pytest.fixture(scope="session")
def faces():
    """Return 4 identities with 6 images each, 8 px."""
    return toy_faces(identities=4, per_identity=6, size=8)


@pytest.fixture(scope="package")
def trained(one_thread, small, faces, tmp_path_factory):
    """Return the folder of a finished training of ``small`` on ``faces``."""
    run = stage_context(tmp_path_factory.mktemp("trained"))
    small.fit(sources(real=faces), run)
    return run.folder


@pytest.fixture(scope="session")
def identical(small):
    """Return an id3 of the size and the course of ``small``; one image of each batch of four is reconstructed."""
    shared = {name: value for name, value in small.model_dump().items() if name in Id3.model_fields}
    return Id3(**shared)


@pytest.fixture(scope="session")
def inputs(faces):
    """Return the recognizer and the attributes that ``identical`` needs, by the names of inputs."""
    return {"recognizer": Linear(), "attributes": attributes_of(faces)}


@pytest.fixture(scope="package")
def trained_id3(one_thread, identical, faces, inputs, tmp_path_factory):
    """Return the folder of a finished training of ``identical`` on ``faces``."""
    run = stage_context(tmp_path_factory.mktemp("trained-id3"))
    identical.fit(sources(real=faces, **inputs), run)
    return run.folder
