"""The similarity against Umeyama's own derivation and a numeric minimum; the warp against a bilinear one by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from faceassay_protocols.readers.alignment import TEMPLATE, aligned, degenerate, similarity, warped

coordinates = st.floats(-300, 300, allow_nan=False)
landmarks = st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5)


def moved(points, matrix):
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


def similarity_matrix(angle, scale, shift):
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return np.column_stack([turn, shift])


def umeyama(points, template):
    """Equations 38 to 43 of Umeyama (1991), with the singular value decomposition and the sign that forbids mirrors."""
    points, template = np.asarray(points), np.asarray(template)
    centre, target = points.mean(axis=0), template.mean(axis=0)
    covariance = (template - target).T @ (points - centre) / len(points)
    u, d, vt = np.linalg.svd(covariance)
    sign = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = u @ sign @ vt
    scale = np.trace(np.diag(d) @ sign) / (points - centre).var(axis=0).sum()
    return np.column_stack([scale * turn, target - scale * turn @ centre])


def by_hand(pixels, matrix, size):
    """Take each pixel of the crop from where it lies in the image, interpolated between four, black outside."""
    turn = np.linalg.inv(matrix[:, :2])
    crop = np.zeros((size, size, 3))
    for y in range(size):
        for x in range(size):
            left, top = turn @ ((x, y) - matrix[:, 2])
            x0, y0 = int(np.floor(left)), int(np.floor(top))
            for row, down in ((y0, 1 - (top - y0)), (y0 + 1, top - y0)):
                for column, right in ((x0, 1 - (left - x0)), (x0 + 1, left - x0)):
                    if 0 <= row < pixels.shape[0] and 0 <= column < pixels.shape[1]:
                        crop[y, x] += down * right * pixels[row, column]
    return crop


def smooth_picture(height, width):
    y, x = np.mgrid[:height, :width]
    channels = [127 + 120 * np.sin(x / 9 + phase) * np.cos(y / 13 - phase) for phase in (0, 1, 2)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def test_the_template_is_spherefaces_moved_by_eight():
    sphereface = [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
    np.testing.assert_allclose(TEMPLATE, np.add(sphereface, (8, 0)))
    assert not TEMPLATE.flags.writeable


@settings(max_examples=100, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(0.05, 20), st.tuples(coordinates, coordinates))
def test_a_similarity_is_recovered(angle, scale, shift):
    expected = similarity_matrix(angle, scale, shift)
    points = moved(TEMPLATE, similarity_matrix(-angle, 1 / scale, (0, 0)))
    points -= moved([shift], similarity_matrix(-angle, 1 / scale, (0, 0)))
    np.testing.assert_allclose(similarity(points), expected, atol=1e-8)


@settings(max_examples=200, deadline=None)
@given(landmarks)
def test_it_is_the_estimate_of_umeyama(points):
    spread = np.ptp(np.asarray(points), axis=0).max()
    if spread < 1 or degenerate(points):
        return
    expected = umeyama(points, TEMPLATE)
    if np.linalg.norm(expected[:, :2]) > 1e-3:  # else the best scale is nearly zero, and its angle arbitrary
        np.testing.assert_allclose(similarity(points), expected, rtol=1e-6, atol=1e-6)


def test_no_other_similarity_comes_nearer():
    points = TEMPLATE * 1.4 + np.random.default_rng(3).normal(0, 6, (5, 2))

    def residual(parameters):
        a, b, x, y = parameters
        return (moved(points, np.array([(a, -b, x), (b, a, y)])) - TEMPLATE).ravel()

    a, b, x, y = least_squares(residual, (1, 0, 0, 0), xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    np.testing.assert_allclose(similarity(points), [(a, -b, x), (b, a, y)], atol=1e-6)


def test_mirrored_landmarks_are_not_mirrored_back():
    matrix = similarity(TEMPLATE * (-1, 1))
    assert np.linalg.det(matrix[:, :2]) > 0


def test_many_sets_at_once_are_each_on_its_own():
    sets = np.random.default_rng(0).uniform(0, 200, (4, 5, 2))
    np.testing.assert_allclose(similarity(sets), [similarity(points) for points in sets])


def test_landmarks_on_a_line_are_enough():
    assert np.isfinite(similarity([(10, 10), (20, 20), (30, 30), (40, 40), (50, 50)])).all()


@pytest.mark.parametrize(
    "points",
    [
        [(0.1, 0.7)] * 5,
        [(np.nan, 1), (2, 3), (4, 5), (6, 7), (8, 9)],
        [(np.inf, 1), (2, 3), (4, 5), (6, 7), (8, 9)],
        [(1e308, -1e308), (-1e308, 1e308), (0, 0), (1, 1), (2, 2)],
    ],
)
def test_landmarks_without_a_scale_are_refused(points):
    assert degenerate(points)
    with pytest.raises(ValueError, match="landmarks"):
        similarity(points)


def test_the_degenerate_ones_of_many_are_told_apart():
    assert degenerate([TEMPLATE, np.full((5, 2), 7.3), TEMPLATE * 2]).tolist() == [False, True, False]


def test_aligned_crops_need_no_move():
    picture = smooth_picture(112, 112)
    np.testing.assert_array_equal(aligned(picture, TEMPLATE), picture)


@pytest.mark.parametrize(("angle", "scale", "size"), [(0.3, 0.8, 112), (-0.5, 1.7, 112), (0.1, 0.6, 48)])
def test_the_crop_is_bilinear_and_black_outside(angle, scale, size):
    points = moved(TEMPLATE, similarity_matrix(angle, scale, (12.3, 4.8)))
    picture = smooth_picture(150, 130)
    expected = by_hand(picture, umeyama(points, TEMPLATE * size / 112), size)
    crop = aligned(picture, points, size)
    inner = expected.min(axis=-1) > 0
    assert crop.dtype == np.uint8
    assert crop.shape == (size, size, 3)
    # A place rounded to 1/32 px is off by 1/64 + 1/1024 px in x and in y; the rest is the rounding of the value.
    framed = np.pad(picture.astype(int), ((1, 1), (1, 1), (0, 0)))
    steepest = max(np.abs(np.diff(framed, axis=axis)).max() for axis in (0, 1))
    assert np.abs(crop - expected)[inner].max() <= 2 * (1 / 64 + 1 / 1024) * steepest + 1
    assert (crop[expected.max(axis=-1) == 0] == 0).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e9, 1e9))
def test_landmarks_far_outside_give_some_crop(scale, shift):
    crop = aligned(smooth_picture(20, 30), TEMPLATE * scale + shift)
    assert crop.shape == (112, 112, 3)


def test_crops_are_bit_for_bit_those_of_opencv_4():
    """The file was written by ``cv2.warpAffine`` of opencv-python-headless 4.10.0.84."""
    golden = np.load(Path(__file__).parents[2] / "data" / "warp_opencv_4_10.npz")
    for matrix, crop in zip(golden["matrices"], golden["crops"], strict=True):
        assert np.array_equal(warped(golden["pixels"], matrix, 32), crop)
