"""The nearest cosines against a brute force."""

import numpy as np
import pytest

from faceassay.contracts import DataError
from faceassay_plugins.identities import nearest, nearest_cosines

VECTORS = np.random.default_rng(0).normal(size=(23, 5))
OTHERS = np.random.default_rng(1).normal(size=(9, 5))


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(params=[4, 1024])
def block(request, monkeypatch):
    monkeypatch.setattr(nearest, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
def test_to_another_of_the_same():
    expected = [max(cosine(a, b) for j, b in enumerate(VECTORS) if j != i) for i, a in enumerate(VECTORS)]
    assert nearest_cosines(VECTORS) == pytest.approx(expected, abs=1e-6)


@pytest.mark.usefixtures("block")
def test_to_others():
    expected = [max(cosine(a, b) for b in OTHERS) for a in VECTORS]
    assert nearest_cosines(VECTORS, OTHERS) == pytest.approx(expected, abs=1e-6)


def test_a_repeated_vector_is_its_own_neighbour():
    assert nearest_cosines(np.concatenate([VECTORS, VECTORS[:1]]))[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("vectors", "others"), [(VECTORS[:1], None), (VECTORS, OTHERS[:, :4]), (VECTORS, OTHERS[:0])])
def test_nothing_to_compare_with_is_refused(vectors, others):
    with pytest.raises(ValueError, match="have no cosines to others of"):
        nearest_cosines(vectors, others)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_refused(value):
    wrong = VECTORS.copy()
    wrong[3] = value
    with pytest.raises(DataError, match="vector 3"):
        nearest_cosines(wrong)
