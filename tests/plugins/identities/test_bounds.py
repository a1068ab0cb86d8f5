"""Lower bounds on the largest cosine: configurations that reach them, and codes that stay above."""

import math

import numpy as np
import pytest

from faceassay_plugins.identities import anchors, cosine_bound


@pytest.mark.parametrize(
    ("width", "count", "cosine"),
    [(5, 16, 1 / 5), (6, 27, 1 / 4), (21, 112, 1 / 9), (21, 162, 1 / 7), (22, 100, 1 / 11), (22, 275, 1 / 6)],
    ids=["clebsch", "schlaefli", "isotropic", "u4", "higman-sims", "mclaughlin"],
)
def test_sharp_codes_of_two_cosines_reach_levenshteins_third_bound(width, count, cosine):
    """Two inner products and a design of strength 3 or 4 (Levenshtein 1992; Cohn and Kumar 2007, table 1)."""
    assert cosine_bound(count, width) == pytest.approx(cosine, abs=1e-12)


@pytest.mark.parametrize(
    ("width", "count", "cosine"),
    [(3, 12, 1 / math.sqrt(5)), (7, 56, 1 / 3), (8, 240, 1 / 2), (23, 552, 1 / 5), (24, 196560, 1 / 2)],
    ids=["icosahedron", "e7", "e8", "co3", "leech"],
)
def test_optimal_codes_of_higher_degree_are_above(width, count, cosine):
    assert 0 < cosine_bound(count, width) < cosine


@pytest.mark.parametrize("count", [5, 7, 30, 1001])
def test_in_the_plane_it_is_that_of_the_polygon(count):
    assert cosine_bound(count, 2) == pytest.approx(math.cos(2 * math.pi / count), abs=1e-12)


@pytest.mark.parametrize("count", [40, 100, 10_000])
def test_many_points_on_the_ordinary_sphere_are_bound_by_caps(count):
    """The area of a cap of angle phi is the share (1 - cos phi) / 2 of the sphere (Archimedes)."""
    half = math.acos(1 - 2 / count)
    assert cosine_bound(count, 3) == pytest.approx(math.cos(2 * half), abs=1e-9)


def test_ten_thousand_anchors_of_512_dimensions():
    """The root of d (1 - s) (2 + (d + 1) s) / (1 - d s^2) = N by bisection."""
    low, high = 0.0, (math.sqrt(515) - 1) / 514
    for _ in range(60):
        s = (low + high) / 2
        below = 512 * (1 - s) * (2 + 513 * s) / (1 - 512 * s * s) < 10_000
        low, high = (s, high) if below else (low, s)
    assert cosine_bound(10_000, 512) == pytest.approx(low, abs=1e-12)


@pytest.mark.parametrize("width", [2, 3, 5, 22])
def test_more_points_are_never_bound_lower(width):
    bounds = [cosine_bound(count, width) for count in range(2, 600)]
    assert np.diff(bounds).min() >= 0
    assert bounds[-1] < 1


@pytest.mark.parametrize(("count", "width"), [(9, 3), (30, 4), (45, 6), (60, 22)])
def test_no_code_is_below(count, width):
    found = anchors(count, width, steps=150).astype(np.float64)
    assert (found @ found.T)[np.triu_indices(count, 1)].max() > cosine_bound(count, width)


@pytest.mark.parametrize(("count", "width"), [(1, 4), (4, 1)])
def test_what_has_no_cosine_is_refused(count, width):
    with pytest.raises(ValueError, match=f"got {count} x {width}"):
        cosine_bound(count, width)
