"""The nearest embedding, against the whole matrix of cosines; closest pairs and equal digests."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay.assessment import neighbours
from faceassay.assessment.neighbours import closest, nearest, shared_rows


def unit(rows, seed):
    vectors = np.random.default_rng(seed).normal(size=(rows, 6))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("queries", "references"), [(4096, 8192), (3, 4), (1, 1), (5, 100)])
def test_in_blocks_of_any_size_the_nearest_is_that_of_the_whole_matrix(queries, references, monkeypatch):
    monkeypatch.setattr(neighbours, "QUERIES", queries)
    monkeypatch.setattr(neighbours, "REFERENCES", references)
    vectors, others = unit(17, 0), unit(23, 1)
    cosines = vectors @ others.T
    found = nearest(vectors, others)
    np.testing.assert_allclose(found.cosines, cosines.max(1), rtol=1e-6)
    assert (found.rows == cosines.argmax(1)).all()


@pytest.mark.parametrize("references", [2, 100])
def test_the_own_group_does_not_count(references, monkeypatch):
    monkeypatch.setattr(neighbours, "REFERENCES", references)
    vectors, groups = unit(12, 0), np.arange(12) % 3
    cosines = vectors @ vectors.T
    cosines[groups[:, None] == groups] = -np.inf
    found = nearest(vectors, vectors, groups, groups)
    np.testing.assert_allclose(found.cosines, cosines.max(1), rtol=1e-6)
    assert (found.rows == cosines.argmax(1)).all()


def test_without_another_group_there_is_no_nearest():
    found = nearest(unit(3, 0), unit(4, 1), np.zeros(3, np.int64), np.zeros(4, np.int64))
    assert np.isnan(found.cosines).all()
    assert found.rows.tolist() == [-1, -1, -1]


def test_of_equally_near_ones_the_first_is_named(monkeypatch):
    monkeypatch.setattr(neighbours, "REFERENCES", 2)
    references = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], np.float32)
    assert nearest(np.array([[1, 0]], np.float32), references).rows.tolist() == [1]


def test_the_closest_come_first_and_unknown_ones_never():
    assert closest(np.array([0.1, np.nan, 0.9, 0.4, 0.9], np.float32), 3).tolist() == [2, 4, 3]


def test_progress_ends_with_all_vectors():
    told = []
    nearest(unit(5, 0), unit(4, 1), progress=lambda done, total: told.append((done, total)))
    assert told == [(5, 5)]


def test_equal_digests_are_found_with_the_first_that_has_them():
    digests = np.arange(5 * 32, dtype=np.uint8).reshape(5, 32)
    assert shared_rows(digests[[3, 0]], digests[[1, 0, 0, 4]]) == [(1, 1)]
