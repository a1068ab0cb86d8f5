"""Anchors with a closed form: every cosine is known; the rotation keeps them and leaves no axis."""

import math

import numpy as np
import pytest

from faceassay_plugins.identities import anchors, cosine_bound
from faceassay_plugins.identities.frames import random_directions, random_frame


def cosines(vectors):
    """Return the cosines of all pairs, float64."""
    rows = np.asarray(vectors, dtype=np.float64)
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


@pytest.mark.parametrize(("count", "width"), [(2, 2), (3, 2), (2, 9), (5, 4), (4, 7), (10, 9), (50, 512), (513, 512)])
def test_up_to_one_more_than_dimensions_are_a_simplex(count, width):
    assert np.abs(cosines(anchors(count, width, seed=3)) + 1 / (count - 1)).max() < 1e-6


@pytest.mark.parametrize(("count", "width"), [(4, 2), (5, 3), (6, 3), (10, 6), (12, 6), (700, 512)])
def test_up_to_twice_the_dimensions_lie_on_axes(count, width):
    found = cosines(anchors(count, width, seed=3))
    opposite = found < -0.5
    assert np.abs(found[opposite] + 1).max() < 1e-6
    assert np.abs(found[~opposite]).max() < 1e-6


@pytest.mark.parametrize(("count", "width"), [(5, 3), (6, 3), (9, 6), (12, 6)])
def test_there_are_no_more_antipodal_pairs_than_needed(count, width):
    assert (cosines(anchors(count, width)) < -0.5).sum() == count - width


@pytest.mark.parametrize("count", [5, 6, 7, 12, 101])
def test_in_the_plane_they_are_a_regular_polygon(count):
    assert cosines(anchors(count, 2, seed=1)).max() == pytest.approx(math.cos(2 * math.pi / count), abs=1e-6)


@pytest.mark.parametrize(("count", "width"), [(4, 7), (7, 7), (12, 7), (9, 2)])
def test_closed_forms_reach_the_bound(count, width):
    assert cosines(anchors(count, width)).max() == pytest.approx(cosine_bound(count, width), abs=1e-6)


@pytest.mark.parametrize("kind", ["tammes", "random"])
@pytest.mark.parametrize(("count", "width"), [(4, 7), (12, 7), (9, 2), (20, 4)])
def test_anchors_are_unit_float32(kind, count, width):
    found = anchors(count, width, kind, steps=5)
    assert (found.dtype, found.shape) == (np.float32, (count, width))
    assert np.abs(np.linalg.norm(found.astype(np.float64), axis=1) - 1).max() < 1e-6


def test_anchors_are_turned_off_the_axes():
    assert np.abs(anchors(12, 6, seed=5)).max() < 0.999


def test_the_seed_turns_them():
    assert np.array_equal(anchors(12, 6, seed=5), anchors(12, 6, seed=5))
    assert not np.allclose(anchors(12, 6, seed=5), anchors(12, 6, seed=6), atol=0.1)


def test_the_mean_over_rotations_is_zero():
    """A Haar rotation takes a vector anywhere: without the signs of R the first coordinate would be one-sided."""
    first = np.array([anchors(3, 3, seed=seed)[0] for seed in range(400)])
    assert np.abs(first.mean(0)).max() < 5 * math.sqrt(1 / 3 / 400)
    assert np.abs((first**2).mean(0) - 1 / 3).max() < 5 * math.sqrt(4 / 45 / 400)


def test_random_anchors_have_the_spread_of_independent_directions():
    found = cosines(anchors(300, 64, "random", seed=2))
    assert abs(found.mean()) < 0.005
    assert found.std() == pytest.approx(1 / 8, rel=0.03)


def test_more_random_anchors_begin_with_the_same():
    assert np.array_equal(anchors(30, 8, "random", seed=2)[:20], anchors(20, 8, "random", seed=2))


@pytest.mark.parametrize(("width", "vectors", "across"), [(5, 5, False), (5, 4, True), (9, 3, True), (40, 39, True)])
def test_a_frame_is_orthonormal(width, vectors, across):
    rng = np.random.default_rng(0)
    w = random_directions(rng, 1, width)[0] if across else None
    frame = random_frame(rng, width, vectors, w)
    assert np.abs(frame.T @ frame - np.eye(vectors)).max() < 1e-12
    if across:
        assert np.abs(w @ frame).max() < 1e-12


@pytest.mark.parametrize("kind", ["tammes", "random"])
@pytest.mark.parametrize("width", [1, 0, -3])
def test_a_sphere_needs_two_dimensions(width, kind):
    with pytest.raises(ValueError, match=f"at least 2 dimensions \\(got {width}\\): use a wider embedding"):
        anchors(10, width, kind)


def test_one_anchor_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 \(got 1\)"):
        anchors(1, 8)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="anchors are tammes or random \\(got 'grid'\\)"):
        anchors(4, 8, "grid")
