"""A short training on clearly different people: samples must look like the person whose embedding they were given."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay import Attribute, AttributeTable, sampling, seeds
from faceassay.identity import embedded
from faceassay_plugins.generators.id3 import Id3
from fakes import sources, stage_context, toy_faces
from id3_inputs import Linear

PEOPLE = np.repeat(np.arange(3), 4)
DIMMED = 0.35


@pytest.fixture(scope="module")
def patterns():
    """Return three people, half of whose images are dark, and how bright each image is."""
    faces = toy_faces(identities=3, per_identity=8, size=8, noise=6.0)
    bright = np.tile([1.0, 0.0], 12).astype(np.float32)
    factor = DIMMED + (1 - DIMMED) * bright
    faces.pixels = (faces.pixels * factor[:, None, None, None]).astype(np.uint8)
    return faces, AttributeTable((Attribute("light", "share", 0, 1),), bright[:, None])


@pytest.fixture(scope="module")
def learned(patterns, one_thread, tmp_path_factory):
    faces, light = patterns
    plugin = Id3(
        channels=16, channel_multipliers=(1, 2), blocks=1, attention_resolutions=(), images=3072, batch_size=16,
        learning_rate=0.04, main_length=0.1, sample_steps=0, drop_identity=0.3,
    )  # fmt: skip
    run = stage_context(tmp_path_factory.mktemp("learned"))
    plugin.fit(sources(real=faces, recognizer=Linear(), attributes=light), run)
    return plugin.load(run.folder, "cpu")


def samples(learned, **condition):
    """Return 12 samples, float [12, 8, 8, 3]."""
    noise = sampling.to_noise(seeds.row_noise(seeds.noise_keys(0, 0, 12), 8))
    return sampling.to_images(sampling.heun(learned.denoiser(condition), noise, steps=12)).astype(float)


def test_samples_are_nearest_to_the_person_of_the_embedding(learned, patterns):
    faces, light = patterns
    shown = np.array([0, 8, 16])[PEOPLE]  # a bright image of each
    made = samples(learned, identity=embedded(Linear(), faces, shown), attributes=light.values[shown])
    means = np.stack([faces.pixels[(faces.labels == k) & (light.values[:, 0] == 1)].mean(0) for k in range(3)])
    distances = ((made[:, None] - means) ** 2).mean((2, 3, 4))
    assert (distances.argmin(1) == PEOPLE).mean() >= 0.9


def test_the_attribute_decides_the_light_of_nobody_in_particular(learned):
    dark, bright = (samples(learned, attributes=np.full((12, 1), light)).mean() for light in (0, 1))
    assert dark < 0.7 * bright
