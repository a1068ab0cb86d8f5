"""Angles from landmarks: faces turned and projected by formulas of this file are found again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.transform import Rotation

from faceassay_plugins.attributes.perspective import FACE, FOCAL, pose_of

SIZE = 112
GRID = np.array(list(itertools.product(range(-75, 76, 25), range(-60, 61, 20), range(-80, 81, 40))), float)
"""Yaw, pitch, roll in degrees."""


def turned(yaw, pitch, roll, face=FACE):
    """Turn a face as the viewer says it: pitch up, then yaw to the right, then roll clockwise (x right, y down)."""
    return Rotation.from_euler("xyz", [-pitch, -yaw, roll], degrees=True).apply(face)


def seen(points, focal=FOCAL, size=SIZE, at=(0.0, 0.0), distance=1.0):
    """Project points in mm that are ``distance`` metres away, through a camera at the centre of the image."""
    x, y, z = np.add(points, (*at, 1000 * distance)).T
    middle = (size - 1) / 2
    return np.stack([middle + focal * size * x / z, middle + focal * size * y / z], axis=1)


def landmarks(angles, **camera):
    return np.stack([seen(turned(*row), **camera) for row in angles])


def test_yaw_to_the_right_moves_the_nose_to_the_right():
    frontal, right = landmarks([(0, 0, 0), (20, 0, 0)])
    between_eyes = (right[0, 0] + right[1, 0]) / 2
    assert right[2, 0] - between_eyes > 3
    assert frontal[2, 0] - (frontal[0, 0] + frontal[1, 0]) / 2 == pytest.approx(0)


def test_pitch_up_moves_the_nose_towards_the_eyes():
    frontal, up = landmarks([(0, 0, 0), (0, 20, 0)])
    assert up[2, 1] - up[0, 1] < frontal[2, 1] - frontal[0, 1] - 3


def test_roll_clockwise_lowers_the_right_eye():
    _, tilted = landmarks([(0, 0, 0), (0, 0, 20)])
    assert tilted[1, 1] - tilted[0, 1] > 3


@pytest.mark.parametrize("focal", [1.0, FOCAL, 100.0])
def test_known_angles_are_found_again(focal):
    found = pose_of(landmarks(GRID, focal=focal, distance=focal / 5, at=(8, -12)), SIZE, focal)
    assert np.abs(found - GRID).max() < 0.5  # degrees; the fit is exact, and so is this to 1e-6
    np.testing.assert_allclose(found, GRID, atol=1e-6)


@pytest.mark.parametrize("size", [32, 64, 250])
def test_the_size_of_the_image_changes_no_angle(size):
    np.testing.assert_allclose(pose_of(landmarks(GRID, size=size), size), GRID, atol=1e-6)


def test_neither_place_nor_distance_changes_an_angle():
    near, far = (landmarks(GRID, at=at, distance=d) for at, d in (((30, 20), 0.6), ((-50, 10), 4)))
    np.testing.assert_allclose(pose_of(near, SIZE), pose_of(far, SIZE), atol=1e-6)


def mirrored(points, size=SIZE):
    """Return landmarks of the mirrored image: what was on the left is on the right, and is called so."""
    swapped = points[:, [1, 0, 2, 4, 3]]
    return np.stack([size - 1 - swapped[..., 0], swapped[..., 1]], axis=-1)


@given(arrays.arrays(np.float64, (3, 5, 2), elements=st.floats(-4, 4)))
def test_mirrored_landmarks_flip_yaw_and_roll(noise):
    points = landmarks([(10, 5, -3), (-30, 10, 20), (45, -20, 0)]) + noise
    np.testing.assert_allclose(pose_of(mirrored(points), SIZE), pose_of(points, SIZE) * [-1, 1, -1], atol=1e-4)


def test_an_image_turned_about_its_centre_changes_roll_alone():
    points = landmarks([(30, -10, 5), (-20, 15, -8)], at=(4, 6))
    angle, middle = np.radians(25), (SIZE - 1) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(
        pose_of((points - middle) @ turn.T + middle, SIZE), np.add(pose_of(points, SIZE), (0, 0, 25)), atol=1e-6
    )


def test_small_errors_of_landmarks_are_small_errors_of_angles():
    angles = GRID[(np.abs(GRID) <= 50).all(1)]
    noise = np.random.default_rng(0).normal(0, 0.5, (len(angles), 5, 2))
    errors = np.abs(pose_of(landmarks(angles) + noise, SIZE) - angles)
    assert np.median(errors, axis=0).max() < 3


def test_the_fit_is_where_a_general_optimiser_ends():
    from scipy.optimize import least_squares

    points = landmarks([(25, -15, 10)])[0] + np.random.default_rng(1).normal(0, 1, (5, 2))

    def residual(p):
        return (seen(turned(*p[:3]), at=p[3:5], distance=p[5]) - points).ravel()

    found = least_squares(residual, [0, 0, 0, 0, 0, 1.0], x_scale=[10, 10, 10, 10, 10, 0.1], xtol=1e-14, ftol=1e-14)
    np.testing.assert_allclose(pose_of(points[None], SIZE)[0], found.x[:3], atol=1e-3)


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_landmarks_that_are_not_there_have_no_angles_and_disturb_no_others(lost):
    points = landmarks(GRID[:3])
    points[1, 2, 0] = lost
    found = pose_of(points, SIZE)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2]], GRID[[0, 2]], atol=1e-6)


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.outer(np.arange(5), [1.0, 2.0])], ids=["point", "line"])
def test_landmarks_that_are_no_face_are_told_no_number_that_is_out_of_range(points):
    found = pose_of(np.stack([points, landmarks([(1, 2, 3)])[0]]), SIZE)
    assert np.isnan(found[0]).all() or (np.abs(found[0]) <= 90).all()
    np.testing.assert_allclose(found[1], [1, 2, 3], atol=1e-6)


def test_an_angle_out_of_range_is_not_told():
    assert np.isnan(pose_of(landmarks([(0, 0, 100), (0, 0, 180)]), SIZE)).all()


@given(arrays.arrays(np.float64, (4, 5, 2), elements=st.floats(-500, 500)))
def test_any_landmarks_give_angles_in_range_or_none(points):
    found = pose_of(points, SIZE)
    assert found.shape == (4, 3)
    assert (np.isnan(found).all(1) | (np.abs(found) <= 90).all(1)).all()


def test_no_landmarks_are_no_angles():
    assert pose_of(np.empty((0, 5, 2)), SIZE).shape == (0, 3)


def test_the_generic_face_is_symmetric():
    np.testing.assert_array_equal(FACE[[1, 0, 2, 4, 3]] * [-1, 1, 1], FACE)
