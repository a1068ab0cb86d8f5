"""What a training shows of itself: samples, their distances to training images, and a statement."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from edm2_fits import fit
from faceassay import LabelMix, sampling, seeds
from faceassay_plugins.generators.edm2 import Edm2
from faceassay_plugins.generators.edm2.memorisation import grid, summary
from fakes import Log, sources, stage_context, toy_faces


@pytest.fixture(scope="module")
def shown(small, faces, one_thread, tmp_path_factory):
    """Return the folder and the log of a short training that shows its samples."""
    plugin, log = small.model_copy(update={"sample_steps": 3, "held_out": 0.3}), Log()
    run = stage_context(tmp_path_factory.mktemp("shown"), log=log)
    plugin.fit(sources(real=faces), run)
    return plugin, run.folder, log


@pytest.fixture(scope="module")
def overfitted(one_thread, tmp_path_factory):
    """Return ten people and the folder of a training that learned their two images each by heart."""
    people = toy_faces(identities=10, per_identity=2, size=8, noise=20.0)
    plugin = Edm2(
        channels=16, channel_multipliers=(1, 2), blocks=1, attention_resolutions=(), images=8192, batch_size=16,
        learning_rate=0.04, main_length=0.1,
    )  # fmt: skip
    run = stage_context(tmp_path_factory.mktemp("overfitted"))
    plugin.fit(sources(real=people), run)
    return people, run.folder


def document(folder):
    return json.loads((folder / "memorisation.json").read_text())


def brute_force(images, references):
    differences = images[:, None].astype(float) - references[None].astype(float)
    return np.sqrt((differences**2).mean((2, 3, 4)))


def sampled(plugin, folder, classes, seed=7):
    """Sample as the stage says it does."""
    fitted = plugin.load(folder, "cpu")
    noise = seeds.row_noise(seeds.noise_keys(seeds.derive(seed, "samples"), 0, len(classes)), 8)
    denoiser = fitted.denoiser(LabelMix(classes[:, None], np.ones((len(classes), 1))))
    return sampling.to_images(sampling.heun(denoiser, sampling.to_noise(noise), steps=plugin.sample_steps))


def test_the_grid_shows_one_sample_of_each_class(shown):
    plugin, folder, _ = shown
    assert (np.asarray(Image.open(folder / "samples.png")) == grid(sampled(plugin, folder, np.arange(4)))).all()


def test_the_evaluations_of_the_samples_are_counted(shown):
    assert shown[2].evaluations == 4 * 5


def test_distances_are_those_to_the_nearest_training_image(shown, faces):
    plugin, folder, _ = shown
    names = json.loads((folder / "config.json").read_text())["held_out_items"]
    held_out = np.isin(faces.item_ids, names)
    training = faces.pixels[~held_out]
    among = brute_force(training, training)
    np.fill_diagonal(among, np.inf)
    wanted = {
        "samples": brute_force(sampled(plugin, folder, np.arange(4)), training).min(1),
        "held_out": brute_force(faces.pixels[held_out], training).min(1),
        "real": among.min(1),
    }
    for name, distances in wanted.items():
        assert np.allclose(np.load(folder / f"nearest_of_{name}.npy"), distances)
        assert document(folder)["nearest_training"][name]["median"] == pytest.approx(np.median(distances))
    nearer = (wanted["samples"] < np.quantile(wanted["held_out"], 0.05)).mean()
    assert (document(folder)["yardstick"], document(folder)["nearer"]) == ("held_out", nearer)


def test_samples_of_a_training_that_overfitted_are_nearest_to_their_own_class(overfitted):
    people, folder = overfitted
    samples = np.asarray(Image.open(folder / "samples.png"))
    cells = samples.reshape(2, 8, 8, 8, 3).swapaxes(1, 2).reshape(16, 8, 8, 3)[:10]
    nearest = brute_force(cells, people.pixels).argmin(1)
    assert people.labels[nearest].tolist() == list(range(10))


def test_a_training_that_overfitted_says_so(overfitted):
    found = document(overfitted[1])
    assert found["own_class"] == 1
    assert found["yardstick"] == "real"
    assert found["nearer"] >= 0.9
    assert found["statement"].startswith("100.0% of 10 samples are nearest to an image of the class asked for; ")
    assert "are nearer to a training image than 5 % of the training images (to another one) are" in found["statement"]


def test_without_steps_nothing_is_shown(small, faces, tmp_path):
    names = fit(small, faces, tmp_path)
    assert not [name for name in names if name.startswith(("samples", "memorisation", "nearest"))]


def test_a_set_of_one_image_has_no_yardstick(small, tmp_path):
    one = toy_faces(identities=1, per_identity=1, size=8)
    fit(small.model_copy(update={"sample_steps": 2}), one, tmp_path)
    found = document(tmp_path / "work")
    assert (found["yardstick"], found["nearer"], found["own_class"]) == (None, None, 1)


def test_many_classes_are_shown_by_64_evenly_chosen(small, tmp_path):
    many = toy_faces(identities=130, per_identity=1, size=8)
    fit(small.model_copy(update={"sample_steps": 2, "images": 4}), many, tmp_path)
    assert Image.open(tmp_path / "work" / "samples.png").size == (64, 64)
    assert document(tmp_path / "work")["images"] == {"samples": 64, "real": 128}


def test_the_grid_fills_rows_of_eight():
    images = np.arange(1, 11, dtype=np.uint8)[:, None, None, None] * np.ones((2, 3, 3), np.uint8)
    cells = grid(images)
    assert cells.shape == (4, 24, 3)
    assert cells[0, ::3, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert cells[2, ::3, 0].tolist() == [9, 10, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("distances", "nearer"), [([1.0, 1.0], 1.0), ([0.5, 30.0], 0.5), ([30.0, 30.0], 0.0)])
def test_the_share_of_near_samples_is_against_the_nearest_twentieth_of_held_out_images(distances, nearer):
    held_out = np.arange(10.0, 31.0)  # its 5 % quantile is 11
    found = summary({"samples": np.array(distances), "held_out": held_out, "real": np.zeros(3)}, 0.5)
    assert found["nearer"] == nearer
    assert "50.0% of 2 samples are nearest" in found["statement"]
    assert (
        f"{nearer:.1%} are nearer to a training image than 5 % of the held-out images are (11.0 grey levels)"
        in found["statement"]
    )


def test_a_single_step_is_refused():
    with pytest.raises(ValidationError, match="at least 2 steps"):
        Edm2(sample_steps=1)
