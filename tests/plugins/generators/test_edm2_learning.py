"""A short training on clearly different classes: samples must look like the class they were asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay import LabelMix, sampling, seeds
from faceassay_plugins.generators.edm2 import Edm2
from fakes import sources, stage_context, toy_faces

CLASSES = np.repeat(np.arange(3), 4)


@pytest.fixture(scope="module")
def patterns():
    return toy_faces(identities=3, per_identity=6, size=8, noise=6.0)


@pytest.fixture(scope="module")
def learned(patterns, tmp_path_factory):
    plugin = Edm2(
        channels=16,
        channel_multipliers=(1, 2),
        blocks=1,
        attention_resolutions=(),
        images=4096,
        batch_size=16,
        learning_rate=0.04,
        main_length=0.1,
        held_out=0.1,
    )
    run = stage_context(tmp_path_factory.mktemp("learned"))
    plugin.fit(sources(real=patterns), run)
    return plugin.load(run.folder, "cpu")


def distances(fitted, patterns, role="main"):
    """Return the root-mean-square distance of samples of CLASSES to the class means, [12, 3]."""
    denoiser = fitted.denoiser(LabelMix(CLASSES[:, None], np.ones((12, 1))), role=role)
    noise = seeds.row_noise(seeds.noise_keys(0, 0, 12), 8)
    samples = sampling.to_images(sampling.heun(denoiser, sampling.to_noise(noise), steps=12)).astype(float)
    means = np.stack([patterns.pixels[patterns.labels == k].mean(0) for k in range(3)])
    return np.sqrt(((samples[:, None] - means) ** 2).mean((2, 3, 4)))


def test_samples_are_nearest_to_the_mean_of_their_class(learned, patterns):
    distance = distances(learned, patterns)
    assert distance.argmin(1).tolist() == CLASSES.tolist()
    assert distance[np.arange(12), CLASSES].mean() < 30


def test_the_guide_is_worse_than_the_main_network(learned, patterns):
    own = {role: distances(learned, patterns, role)[np.arange(12), CLASSES].mean() for role in ("main", "guide")}
    assert own["guide"] > own["main"] + 5


def test_held_out_images_of_known_classes_are_denoised_better_than_at_the_start(learned):
    history = json.loads((learned.folder / "history.json").read_text())
    assert history[-1]["held_out_error"] < 0.5 * history[0]["held_out_error"]
    assert history[-1]["training_error"] < 0.5 * history[0]["training_error"]
