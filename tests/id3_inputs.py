"""What the tests of id3 condition on: a linear recognizer, and attributes of toy people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from faceassay import Attribute, AttributeTable
from faceassay.sampling import from_images

YAW = Attribute("yaw", "degrees", -90, 90)
AGE = Attribute("age", "years", 0, 100)
WIDTH = 5


@dataclass
class Blind:
    """A recognizer that embeds and passes no gradient: an embedding is a linear map of the pixels."""

    image_size: int = 8
    width: int = WIDTH
    seed: int = 0

    @property
    def matrix(self):
        """The map, float32 [d, 3 S S]."""
        shape = (self.width, 3 * self.image_size**2)
        return torch.from_numpy(np.random.default_rng(self.seed).standard_normal(shape).astype(np.float32))

    def embed(self, images):
        return (from_images(images).flatten(1) @ self.matrix.T).numpy()

    def class_centres(self):
        return None


@dataclass
class Linear(Blind):
    """A recognizer that is a linear map of the pixels."""

    def features(self, x):
        return x.flatten(1) @ self.matrix.T


def attributes_of(data, seed=1):
    """Return yaw and age of each image; nothing is known of the third, and not the age of the fifth."""
    values = np.random.default_rng(seed).uniform((-60, 10), (60, 70), (len(data), 2)).astype(np.float32)
    values[2] = np.nan
    values[4, 1] = np.nan
    return AttributeTable((YAW, AGE), values)
