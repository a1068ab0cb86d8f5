"""A generator whose classes are Gaussians, so that every image has a closed form.

Under class k the pixels are N(mean_k, variance_k). The sampler takes standard noise z to m + sd z (up to its own error
at the number of steps used), with the m and sd that a method's mixing yields.
"""

from __future__ import annotations

import numpy as np
import torch

from faceassay.sampling import CountedNetwork, NetworkDenoiser

SIZE = 8
MEANS = np.array([0.3, -0.4, 0.1, 0.6])
EQUAL = np.full(4, 0.0225)
UNEQUAL = np.array([0.04, 0.0025, 0.0225, 0.09])


class GaussianGenerator:
    """A fitted generator of Gaussian classes; a mix of labels mixes means and variances. Records what it is asked."""

    image_size = SIZE
    identities = ("s1", "s2", "s3", "s4")
    device = "cpu"

    def __init__(self, variances=EQUAL, guide_shift=0.0, has_guide=True):
        self.variances = variances
        self.has_guide = has_guide
        self.asked = []
        self.networks = {"main": CountedNetwork(denoise_with(0.0)), "guide": CountedNetwork(denoise_with(guide_shift))}

    @property
    def evaluations(self):
        return sum(network.evaluations for network in self.networks.values())

    def denoiser(self, condition, *, role="main"):
        if role == "guide" and not self.has_guide:
            raise LookupError("this generator has no guide")
        self.asked.append((role, condition))
        mixed = [(values[condition.indices] * condition.weights).sum(1) for values in (MEANS, self.variances)]
        return NetworkDenoiser(self.networks[role], torch.from_numpy(np.stack(mixed, 1)))

    def condition_vectors(self):
        return None


def denoise_with(shift):
    def network(x, sigma, condition):
        mean, variance = (condition[:, k].view(-1, 1, 1, 1).to(x.dtype) for k in (0, 1))
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (variance * x + noise * (mean + shift)) / (variance + noise)

    return network


def pixels(mean, sd, noise):
    """Return the images of mean + sd z as float grey levels: the formula of EDM2 before it truncates."""
    x = mean[:, None, None, None] + sd[:, None, None, None] * noise
    return np.clip(x * 127.5 + 128, 0, 255).transpose(0, 2, 3, 1)


def assert_images(images, mean, sd, noise, off=1.0):
    """Compare with the closed form; ``off`` grey levels are the sampler's own error, and truncation takes one more."""
    assert images.dtype == np.uint8
    difference = pixels(mean, sd, noise) - images
    assert difference.min() >= -off
    assert difference.max() < 1 + off
