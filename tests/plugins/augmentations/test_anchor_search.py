"""The search for ID3's anchors on a recognizer whose embeddings are given, and through the stage that keeps it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from faceassay.contracts import DataError
from faceassay.stages import search as stage
from faceassay_plugins.augmentations.id3.anchor_search import AnchorSearch
from fakes import Log, sources, stage_context, toy_faces

FACES = toy_faces(identities=4, per_identity=3, size=8)
WIDTH = 6


class Given:
    """A recognizer that embeds an image by a fixed random projection."""

    image_size = 8

    def __init__(self, centres=None, width=WIDTH, spoiled=None):
        self.centres = centres
        self.projection = np.random.default_rng(1).normal(size=(8 * 8 * 3, width)).astype(np.float32)
        self.spoiled = spoiled

    def embed(self, images):
        found = (images.reshape(len(images), -1) / np.float32(255) - np.float32(0.5)) @ self.projection
        if self.spoiled is not None:
            found[0] = self.spoiled
        return found

    def class_centres(self):
        return self.centres


def searched(folder, recognizer, passes=None, log=None, **parameters):
    """Run the search as its stage does, and open what it kept."""
    run = stage_context(folder, log=log)
    run = replace(run, count_passes=Counter().update if passes is None else passes.update)
    plugin = AnchorSearch(**parameters)
    stage.run(plugin, sources(real=FACES, recognizer=recognizer), run)
    return stage.load(plugin, run.folder, "cpu")


def nearest(vectors, others=None):
    """Return the largest cosine of each row, by brute force in float64."""
    first = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    second = first if others is None else others / np.linalg.norm(others, axis=1, keepdims=True)
    cosines = first @ second.T
    return (cosines - (4 * np.eye(len(first)) if others is None else 0)).max(1)


def mean_embeddings(recognizer):
    rows = recognizer.embed(FACES.pixels).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.array([rows[FACES.labels == k].mean(0) for k in range(4)])


def test_it_reads_the_recognizer_alone():
    assert AnchorSearch().needs() == {"recognizer"}
    assert (AnchorSearch().work(100), AnchorSearch().evaluations_per_image()) == (0, 0)


def test_anchors_have_the_width_of_the_embeddings(tmp_path):
    found = searched(tmp_path, Given(), count=20, optimiser_steps=20)
    assert (found["anchors"].dtype, found["anchors"].shape) == (np.float32, (20, WIDTH))
    assert (found["width"], found["kind"]) == (WIDTH, "tammes")


@pytest.mark.parametrize("kind", ["tammes", "random"])
def test_the_document_says_how_far_they_are_from_each_other(tmp_path, kind):
    found = searched(tmp_path, Given(), count=20, kind=kind, optimiser_steps=20)
    expected = nearest(found["anchors"])
    assert found["largest_cosine"] == pytest.approx(expected.max(), abs=1e-6)
    assert found["mean_nearest_cosine"] == pytest.approx(expected.mean(), abs=1e-6)
    assert found["bound"] < found["largest_cosine"]


def test_seven_anchors_of_six_dimensions_are_a_simplex(tmp_path):
    found = searched(tmp_path, Given(), count=7)
    assert found["bound"] == pytest.approx(-1 / 6, abs=1e-12)
    assert found["largest_cosine"] == pytest.approx(-1 / 6, abs=1e-6)
    assert found["mean_nearest_cosine"] == pytest.approx(-1 / 6, abs=1e-6)


def test_real_people_are_the_class_centres(tmp_path):
    passes, own = Counter(), 5 * np.random.default_rng(2).normal(size=(4, WIDTH)).astype(np.float32)
    found = searched(tmp_path, Given(own), passes, count=7)
    expected = nearest(found["anchors"], own)
    assert found["to_real_centres"]["centres"] == "class centres of the recognizer"
    assert found["to_real_centres"]["largest"] == pytest.approx(expected.max(), abs=1e-6)
    assert found["to_real_centres"]["mean_nearest"] == pytest.approx(expected.mean(), abs=1e-6)
    assert passes == {"recognizer_forward": 1}


@pytest.mark.parametrize("own", [None, np.ones((3, WIDTH), np.float32), np.ones((4, WIDTH + 1), np.float32)])
def test_real_people_are_mean_embeddings_where_there_are_no_centres_of_theirs(tmp_path, own):
    passes, recognizer = Counter(), Given(own)
    found = searched(tmp_path, recognizer, passes, count=7)
    expected = nearest(found["anchors"], mean_embeddings(recognizer))
    assert found["to_real_centres"]["centres"] == "mean embeddings of the real images"
    assert found["to_real_centres"]["largest"] == pytest.approx(expected.max(), abs=1e-6)
    assert passes == {"recognizer_forward": 1 + len(FACES)}


def test_the_log_says_it_in_one_sentence(tmp_path):
    log = Log()
    found = searched(tmp_path, Given(), log=log, count=7)
    (line,) = log.lines
    assert line.startswith(
        "7 tammes anchors in 6 dimensions: the largest cosine between two is -0.1667 (none can be below -0.1667)"
    )
    real = found["to_real_centres"]
    assert line.endswith(f"at most {real['largest']:.4f}, {real['mean_nearest']:.4f} on average")


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_recognizer_without_use_is_refused(tmp_path, value):
    with pytest.raises(DataError, match=r"embedding of image 0 .*zero or not finite"):
        searched(tmp_path, Given(spoiled=value), count=7)


def test_class_centres_without_direction_are_refused(tmp_path):
    with pytest.raises(DataError, match="vector 2"):
        searched(tmp_path, Given(np.diag([1.0, 1, 0, 1]) @ np.ones((4, WIDTH))), count=7)


def test_an_embedding_of_one_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        searched(tmp_path, Given(width=1), count=7)


def test_an_interrupted_search_goes_on_to_the_same_bytes(tmp_path):
    class Interruption(Exception):
        pass

    def interrupt(done, total):
        if (done, total) == (25, 40):
            raise Interruption

    plugin, inputs = AnchorSearch(count=30, optimiser_steps=40), sources(real=FACES, recognizer=Given())
    whole = plugin.run(inputs, stage_context(tmp_path / "whole"))
    with pytest.raises(Interruption):
        plugin.run(inputs, replace(stage_context(tmp_path / "cut", interval=0), progress=interrupt))
    log = Log()
    resumed = plugin.run(inputs, stage_context(tmp_path / "cut", log=log))
    assert resumed["anchors"].tobytes() == whole["anchors"].tobytes()
    assert {**resumed, "anchors": None} == {**whole, "anchors": None}
    assert next(done for done, total in log.progress if total == 40) >= 25
