"""Resize matrices against OpenCV where it is installed, against PyTorch, and against averages by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from faceassay_plugins.recognizers.iresnet.interpolation import METHODS, resize_matrix

SIZES = [(112, 22), (112, 67), (112, 111), (32, 6), (32, 16), (22, 112), (67, 112), (6, 32), (16, 32), (31, 32)]
OPENCV = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos": 4}


def image(size, seed=0):
    return np.random.default_rng(seed).random((size, size), dtype=np.float32)


def resized(pixels, target, method):
    matrix = resize_matrix(len(pixels), target, method)
    return matrix @ pixels @ matrix.T


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_resizing_is_opencvs(source, target, method):
    cv2 = pytest.importorskip("cv2")
    pixels = image(source)
    expected = cv2.resize(pixels, (target, target), interpolation=OPENCV[method])
    np.testing.assert_allclose(resized(pixels, target, method), expected, atol=2e-5)


@pytest.mark.parametrize(("method", "mode"), [("nearest", "nearest"), ("linear", "bilinear"), ("cubic", "bicubic")])
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_resizing_is_pytorchs(source, target, method, mode):
    pixels = image(source)
    expected = functional.interpolate(torch.from_numpy(pixels)[None, None], size=(target, target), mode=mode)
    np.testing.assert_allclose(resized(pixels, target, method), expected[0, 0].numpy(), atol=2e-5)


def test_area_averages_whole_cells():
    pixels = image(32)
    expected = pixels.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(resized(pixels, 8, "area"), expected, atol=1e-6)


def test_area_weighs_partly_covered_pixels_by_their_share():
    expected = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(resize_matrix(3, 2, "area"), expected, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_every_row_sums_to_one(method):
    for side in range(3, 32):
        np.testing.assert_allclose(resize_matrix(32, side, method).sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(resize_matrix(side, 32, method).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_size_is_the_identity(method):
    np.testing.assert_allclose(resize_matrix(16, 16, method), np.eye(16), atol=1e-7)


def test_a_shared_matrix_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        resize_matrix(16, 8, "linear")[0, 0] = 1
