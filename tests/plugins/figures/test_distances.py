"""Distances of classes in two spaces: as matrices, as signals, and what is said of them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr

from faceassay.contracts import FaceassayError
from faceassay_plugins.figures.distance_matrices import DistanceMatrices
from faceassay_plugins.figures.distance_signal import DistanceSignal
from fakes import toy_faces

CLASSES = 9
RNG = np.random.default_rng(2)
CENTRES = RNG.normal(size=(CLASSES, 4)).astype(np.float32)
CONDITIONS = (RNG.normal(size=(CLASSES, 3)) * RNG.uniform(1, 4, (CLASSES, 1))).astype(np.float32)
SPACES = {"embedding": CENTRES, "condition": CONDITIONS}
FIGURES = [DistanceMatrices(), DistanceSignal(permutations=9)]


class Vectors:
    """Be a recognizer or a generator that has vectors and nothing else."""

    evaluations = 0

    def __init__(self, vectors, identities=None):
        self.identities = identities or tuple(f"s{k + 1}" for k in range(CLASSES))
        self.class_centres = self.condition_vectors = lambda: vectors


@pytest.fixture
def inputs():
    real = toy_faces(identities=CLASSES, per_identity=1, size=8)
    return {"real": real, "recognizer": Vectors(CENTRES), "generator": Vectors(CONDITIONS)}


def table(drawn):
    with (drawn.folder / "distances.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("space", SPACES)
def test_matrices_hold_all_cosine_distances_and_minus_one_on_the_diagonal(space, draw, inputs):
    matrix = np.load(draw(DistanceMatrices(), **inputs).folder / f"{space}.npy")
    wanted = cdist(SPACES[space].astype(float), SPACES[space].astype(float), "cosine")
    np.fill_diagonal(wanted, -1)
    np.testing.assert_allclose(matrix, wanted, atol=1e-12)


def test_of_many_classes_an_even_choice_is_shown_and_said(draw, inputs):
    drawn = draw(DistanceMatrices(classes=3), **inputs)
    chosen = [0, 4, 8]
    for space, vectors in SPACES.items():
        wanted = cdist(vectors[chosen].astype(float), vectors[chosen].astype(float), "cosine")
        np.fill_diagonal(wanted, -1)
        np.testing.assert_allclose(np.load(drawn.folder / f"{space}.npy"), wanted, atol=1e-12)
    assert json.loads((drawn.folder / "classes.json").read_text()) == ["s1", "s5", "s9"]
    assert drawn.drawing.get_suptitle() == "Cosine distances of 3 of 9 classes, evenly chosen"


def test_all_classes_are_said_to_be_all(draw, inputs):
    assert draw(DistanceMatrices(), **inputs).drawing.get_suptitle() == "Cosine distances of 9 classes"


def test_a_signal_holds_distinct_pairs_with_their_distances_in_both_spaces(draw, inputs):
    rows = table(draw(DistanceSignal(pairs=20, permutations=9), **inputs))
    pairs = [(int(row["first"][1:]) - 1, int(row["second"][1:]) - 1) for row in rows]
    assert len(set(pairs)) == 20
    assert pairs == sorted(pairs)
    for space, vectors in SPACES.items():
        wanted = [cdist(vectors[[i]].astype(float), vectors[[j]].astype(float), "cosine")[0, 0] for i, j in pairs]
        np.testing.assert_allclose([float(row[space]) for row in rows], wanted, atol=1e-12)


def test_of_few_classes_all_pairs_are_shown(draw, inputs):
    assert len(table(draw(DistanceSignal(pairs=200, permutations=9), **inputs))) == 36


def test_the_correlation_is_that_of_all_pairs_whichever_are_shown(draw, inputs):
    drawn = draw(DistanceSignal(pairs=5, permutations=9), **inputs)
    said = json.loads((drawn.folder / "correlation.json").read_text())
    upper = np.triu_indices(CLASSES, 1)
    first, second = (cdist(v.astype(float), v.astype(float), "cosine")[upper] for v in SPACES.values())
    assert said["pairs"] == 36
    assert said["pearson"]["value"] == pytest.approx(pearsonr(first, second)[0])
    assert said["spearman"]["value"] == pytest.approx(spearmanr(first, second)[0])
    assert f"Pearson {pearsonr(first, second)[0]:.3f}" in drawn.text


def test_pairs_near_in_both_spaces_are_counted(draw, inputs):
    drawn = draw(DistanceSignal(threshold=0.8, permutations=9), **inputs)
    near = sum(float(row["embedding"]) < 0.8 and float(row["condition"]) < 0.8 for row in table(drawn))
    assert 0 < near < 36
    assert f"{near} of these 36 pairs are nearer than 0.8 (dotted) in both spaces" in drawn.text
    marks = [[line for line in axes.lines if len(set(line.get_xdata())) == 1] for axes in drawn.drawing.axes]
    assert [len(lines) for lines in marks] == [near, near]


@pytest.mark.parametrize("plugin", FIGURES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recognizer": Vectors(None)}, "the recognizer has no class centres"),
        ({"generator": Vectors(None)}, "the generator has no condition vectors"),
        ({"recognizer": Vectors(CENTRES[:8])}, "the recognizer has 8 class centres, the real images have 9 classes"),
        ({"generator": Vectors(CONDITIONS, tuple("abcdefghi"))}, "the generator knows 9 classes .a, b, c, ....,"),
    ],
)
def test_models_that_do_not_have_a_vector_for_each_class_are_refused(plugin, changed, said, draw, inputs):
    with pytest.raises(FaceassayError, match=said):
        draw(plugin, **{**inputs, **changed})


@pytest.mark.parametrize("plugin", FIGURES)
def test_distances_are_drawn_the_same_again(plugin, saved, inputs):
    assert saved(plugin, **inputs) == saved(plugin, **inputs)
