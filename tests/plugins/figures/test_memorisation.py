"""How near synthetic images are to training images, against all pairs."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from faceassay_plugins.figures.memorisation import Memorisation


def all_distances(first, second):
    flat = [images.reshape(len(images), -1).astype(float) for images in (first, second)]
    return cdist(*flat) / np.sqrt(flat[0].shape[1])


@pytest.fixture
def copied(synthesis, real):
    """Return a synthesis of which two images are (nearly) training images."""
    synthesis.pixels[7] = real.pixels[5]
    synthesis.pixels[2] = real.pixels[9] ^ 1
    return synthesis


def closest(drawn):
    with (drawn.folder / "closest.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_distances_are_those_of_all_pairs(draw, real, copied):
    folder = draw(Memorisation(), real=real, synthesis=copied).folder
    among = all_distances(real.pixels, real.pixels)
    np.fill_diagonal(among, np.inf)
    np.testing.assert_allclose(
        np.load(folder / "synthetic.npy"), all_distances(copied.pixels, real.pixels).min(1), atol=1e-12
    )
    np.testing.assert_allclose(np.load(folder / "real.npy"), among.min(1))


def test_the_nearest_pairs_are_listed_the_nearest_first(draw, real, copied):
    rows = closest(draw(Memorisation(closest=3), real=real, synthesis=copied))
    assert rows[:3] == [["synthetic", "training", "distance"], ["item7", "item5", "0.0"], ["item2", "item9", "1.0"]]
    assert len(rows) == 4


def test_of_few_images_all_are_listed(draw, real, copied):
    assert len(closest(draw(Memorisation(closest=40), real=real, synthesis=copied))) == 1 + 12


def test_of_many_images_an_even_choice_is_compared_with_every_training_image(draw, real, copied, monkeypatch):
    monkeypatch.setattr("faceassay_plugins.figures.memorisation.SAMPLE", 3)
    drawn = draw(Memorisation(closest=1), real=real, synthesis=copied)
    chosen = [0, 5, 11]
    wanted = all_distances(copied.pixels[chosen], real.pixels)
    np.testing.assert_allclose(np.load(drawn.folder / "synthetic.npy"), wanted.min(1))
    nearest = np.unravel_index(wanted.argmin(), wanted.shape)
    assert closest(drawn)[1][:2] == [f"item{chosen[nearest[0]]}", f"item{nearest[1]}"]


def test_medians_are_told(draw, real, copied):
    drawn = draw(Memorisation(), real=real, synthesis=copied)
    medians = [np.median(np.load(drawn.folder / f"{name}.npy")) for name in ("synthetic", "real")]
    assert "Median: synthetic {:.1f}, photographs {:.1f}.".format(*medians) in drawn.text


def test_memorisation_is_drawn_the_same_again(saved, real, copied):
    assert saved(Memorisation(), real=real, synthesis=copied) == saved(Memorisation(), real=real, synthesis=copied)
