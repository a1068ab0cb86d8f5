"""ID3's gradient through networks as they are trained and loaded, under torch's deterministic settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay.contracts import LabelMix
from faceassay.torching import torch_settings
from faceassay_plugins.augmentations.id3.adjusted import AdjustedDenoiser
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from fakes import sources, stage_context, toy_faces

SIDE = 16
TINY = {"channels": 16, "channel_multipliers": [1, 1], "blocks": 1, "attention_resolutions": [8], "batch_size": 8}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Return the denoiser of four classes and the recognizer, each after a few steps of training."""
    faces, folder = toy_faces(4, 6, SIDE), tmp_path_factory.mktemp("networks")
    generator, recognizer = stage_context(folder / "generator"), stage_context(folder / "recognizer")
    edm2 = Edm2(images=64, learning_rate=0.01, **TINY)
    iresnet = IResNet(depth=[1, 1, 1, 1], width=8, embedding=16, image_size=SIDE, updates=3, batch_size=8)
    with torch_settings(1):
        edm2.fit(sources(real=faces), generator)
        iresnet.fit(faces, recognizer)
        every = LabelMix(np.arange(4)[:, None], np.ones((4, 1)))
        yield edm2.load(generator.folder, "cpu").denoiser(every), iresnet.load(recognizer.folder, "cpu").features


def test_along_its_gradient_the_agreement_rises_as_the_gradient_says(networks):
    denoise, features = networks
    rng = torch.Generator().manual_seed(0)
    identity = torch.nn.functional.normalize(torch.randn(4, 16, generator=rng))
    x, sigma = 1.2 * torch.randn(4, 3, SIDE, SIDE, generator=rng), torch.full((4,), 0.8)

    @torch.no_grad()
    def agreement(x):
        return torch.nn.functional.cosine_similarity(features(denoise(x, sigma)), identity).double().sum().item()

    adjusted = AdjustedDenoiser(denoise, features, identity, 1.0)
    with torch.no_grad():
        gradient = (adjusted(x, sigma) - denoise(x, sigma)) / 0.8**2
        again = adjusted(x, sigma)
    step = 0.05 * gradient / gradient.norm()
    slope = (agreement(x + step) - agreement(x - step)) / (2 * 0.05)
    assert slope == pytest.approx(gradient.norm().item(), rel=0.02)
    assert torch.equal(again, adjusted(x, sigma))
