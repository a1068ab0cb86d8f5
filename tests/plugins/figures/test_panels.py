"""Tiles, frames and captions."""

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from faceassay_plugins.figures.panels import blank, frame_tiles, show_tiles, tiled, write_caption


def images(rows=2, columns=3, side=28):
    return np.random.default_rng(0).integers(0, 255, (rows, columns, side, side, 3), dtype=np.uint8)


def test_tiles_stand_in_rows_and_columns_on_white():
    tiles = images()
    whole = tiled(tiles)
    wanted = np.full((28 + 2 + 28, 28 + 2 + 28 + 2 + 28, 3), 255, np.uint8)
    for row, column in np.ndindex(2, 3):
        wanted[30 * row : 30 * row + 28, 30 * column : 30 * column + 28] = tiles[row, column]
    assert np.array_equal(whole, wanted)


def test_one_tile_is_itself():
    assert np.array_equal(tiled(images(1, 1)), images(1, 1)[0, 0])


@pytest.mark.parametrize("side", [5, 28])
def test_the_centre_of_a_tile_is_at_its_column_and_row(side):
    tiles = images(2, 3, side)
    axes = Drawing().subplots()
    show_tiles(axes, tiles, ["a", "b"], ["x", "y", "z"])
    [shown] = axes.get_images()
    left, right, bottom, top = shown.get_extent()
    height, width = shown.get_array().shape[:2]
    for row, column in np.ndindex(2, 3):
        y, x = (row - top) / (bottom - top) * height, (column - left) / (right - left) * width
        corner = round(y - side / 2), round(x - side / 2)
        assert (y, x) == pytest.approx((corner[0] + side / 2, corner[1] + side / 2))
        assert np.array_equal(shown.get_array()[corner], tiles[row, column, 0, 0])


def test_rows_and_columns_are_labelled():
    axes = Drawing().subplots()
    show_tiles(axes, images(), ["a", "b"], ["x", "y", "z"])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_a_frame_has_its_tile_in_the_middle():
    axes = Drawing().subplots()
    frame_tiles(axes, [(1, 2)], "red")
    [frame] = axes.patches
    assert frame.get_bbox().bounds == (1.5, 0.5, 1, 1)


def test_a_caption_is_broken_to_the_width_of_the_drawing():
    drawing = blank(4, 3)
    write_caption(drawing, "word " * 50)
    lines = drawing.get_supxlabel().strip().split("\n")
    assert len(lines) == 5
    assert max(map(len, lines)) <= 60
