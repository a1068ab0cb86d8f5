"""Raw embeddings: flip sum, unit length, and the rows that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay.contracts import DataError, Features
from faceassay_protocols.embeddings import (
    PAIRS_AT_A_TIME,
    ROWS_AT_A_TIME,
    combined,
    flip_sum,
    require_usable,
    squared_distances,
    unit_rows,
)


def test_unit_rows_have_length_one_whatever_their_scale():
    rows = np.array([[3.0, 4.0], [3e-8, 4e-8], [3e30, 4e30]], dtype=np.float32)
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8]] * 3, rtol=1e-6)


def test_rows_of_nan_and_infinity_are_named():
    rows = np.ones((20, 2))
    rows[3, 1], rows[7, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"gallery: rows 3, 7 \(2 of 20\) hold NaN or infinity"):
        unit_rows(rows, "gallery")


def test_rows_of_length_zero_are_named():
    with pytest.raises(DataError, match=r"rows 1 \(1 of 2\) have length zero"):
        unit_rows(np.array([[1.0, 0.0], [0.0, 0.0]]))


def test_a_long_list_of_rows_is_cut_short_and_counted():
    with pytest.raises(DataError, match=r"rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\. \(40 of 40\)"):
        unit_rows(np.zeros((40, 2)))


def test_the_flip_sum_adds_raw_vectors_in_double_precision():
    plain, mirrored = np.float32([[1.0, 2.0]]), np.float32([[2.0**-30, -2.0]])
    np.testing.assert_array_equal(flip_sum(plain, mirrored), [[1.0 + 2.0**-30, 0.0]])


def test_the_flip_sum_leaves_its_input_alone():
    plain = np.ones((2, 2))
    flip_sum(plain, np.ones((2, 2)))
    np.testing.assert_array_equal(plain, 1)


def test_mirrored_embeddings_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"\(4, 2\).*\(4, 3\)"):
        flip_sum(np.ones((4, 2)), np.ones((4, 3)))


def test_embeddings_that_are_no_matrix_are_refused():
    with pytest.raises(DataError, match=r"\[N, d\]"):
        flip_sum(np.ones(4))


def test_features_of_another_number_of_images_are_refused():
    with pytest.raises(DataError, match="5 embeddings for the 6 images"):
        combined(Features(np.ones((5, 2), np.float32), np.ones((5, 2), np.float32)), flip=True, images=6)


def test_distances_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(0)
    unit = unit_rows(rng.normal(size=(50, 3)))
    first, second = rng.integers(0, 50, (2, PAIRS_AT_A_TIME + 77))
    np.testing.assert_array_equal(squared_distances(unit, first, second), ((unit[first] - unit[second]) ** 2).sum(1))


def test_lengths_are_those_of_pythagoras_in_every_block():
    rows = np.random.default_rng(0).normal(size=(2 * ROWS_AT_A_TIME + 3, 5)).astype(np.float32)
    expected = [sum(float(value) ** 2 for value in row) ** 0.5 for row in rows]
    np.testing.assert_allclose(require_usable(rows), expected, rtol=1e-15)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_unusable_images_are_named_wherever_they_are(value):
    rows = np.ones((2 * ROWS_AT_A_TIME + 3, 2), dtype=np.float32)
    names = [f"{row}.jpg" for row in range(len(rows))]
    rows[[0, -1], 1] = value
    with pytest.raises(DataError, match=rf"images 0\.jpg, {len(rows) - 1}\.jpg \(2 of {len(rows)}\) hold NaN"):
        require_usable(rows, names)


def test_a_long_list_of_images_is_cut_short_and_counted():
    with pytest.raises(DataError, match=r"images n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, \.\.\. \(40 of 40\)"):
        unit_rows(np.zeros((40, 2)), names=[f"n{row}" for row in range(40)])


def test_lengths_do_not_overflow_where_float32_would():
    np.testing.assert_allclose(require_usable(np.float32([[3e30, 4e30], [3e-30, 4e-30]])), [5e30, 5e-30], rtol=1e-6)


def test_features_are_checked_against_the_names_of_the_images():
    rows = np.float32([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]])
    with pytest.raises(DataError, match=r"images b \(1 of 3\) have length zero"):
        combined(Features(rows, None), flip=False, names=["a", "b", "c"])
    with pytest.raises(DataError, match="3 embeddings for the 2 images"):
        combined(Features(rows, None), flip=False, names=["a", "b"])
