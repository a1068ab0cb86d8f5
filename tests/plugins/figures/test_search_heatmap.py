"""A search for two weights, read off its cells."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest

from faceassay.contracts import FaceassayError
from faceassay_plugins.figures.search_heatmap import SearchHeatmap

WEIGHTS = (0.1, 0.3, 0.7, 1.1)
REFUSED = {(0.1, 0.1): "no faces", (0.1, 0.3): "collapsed"}


def found(alpha=0.3, beta=0.7):
    """Return the document of a search: a cell for each alpha <= beta."""
    cells = [
        {
            "alpha": a,
            "beta": b,
            "m_s": a,
            "m_d": 10 * b,
            "m_total": a + 10 * b,
            "refused": REFUSED.get((a, b)),
            "norm": 1,
        }
        for a, b in itertools.combinations_with_replacement(WEIGHTS, 2)
    ]
    return {"alpha": alpha, "beta": beta, "cells": cells}


def panels(drawn):
    """Return the panels by title, the bars of their colours left out."""
    return {axes.get_title(): axes for axes in drawn.drawing.axes if axes.images and axes.get_xlabel()}


@pytest.fixture
def drawn(draw):
    return draw(SearchHeatmap(), search=found())


def test_every_measure_has_a_panel(drawn):
    assert [title.partition(":")[0].partition(" ")[0] for title in panels(drawn)] == ["m_s", "m_d", "m_total"]


def test_a_panel_holds_the_measure_of_both_orders(drawn):
    shown = [axes.images[0].get_array() for axes in panels(drawn).values()]
    for row, column in np.ndindex(4, 4):
        low, high = sorted((WEIGHTS[row], WEIGHTS[column]))
        assert [table[row, column] for table in shown] == [low, 10 * high, low + 10 * high]


def centres(patches):
    return {(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in patches}


def test_the_chosen_cell_is_framed_and_refused_ones_are_hatched_in_both_orders(drawn):
    for axes in panels(drawn).values():
        assert centres(patch for patch in axes.patches if not patch.get_hatch()) == {(1, 2), (2, 1)}
        assert centres(patch for patch in axes.patches if patch.get_hatch()) == {(0, 0), (0, 1), (1, 0)}


def test_cells_are_written(drawn):
    with (drawn.folder / "cells.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    wanted = {"alpha": "0.1", "beta": "0.3", "m_s": "0.1", "m_d": "3.0", "m_total": "3.1", "refused": "collapsed"}
    assert rows[1] == wanted


@pytest.mark.parametrize(
    ("chosen", "said"),
    [((0.3, 0.7), "inside the grid."), ((0.7, 1.1), "on the rim of the grid"), ((0.1, 0.7), "on the rim of the grid")],
)
def test_the_caption_tells_where_the_chosen_cell_lies(chosen, said, draw):
    text = draw(SearchHeatmap(), search=found(*chosen)).text
    assert f"= {chosen[0]:g} and" in text
    assert said in text
    assert "refused by the guard (3 cells)" in text


@pytest.mark.parametrize("document", [{}, {"alpha": 1, "beta": 1}, {"alpha": 1, "beta": 1, "cells": [{"alpha": 1}]}])
def test_another_search_is_refused(document, draw):
    with pytest.raises(FaceassayError, match="is not one for alpha and beta"):
        draw(SearchHeatmap(), search=document)


def test_a_search_is_drawn_the_same_again(saved):
    assert saved(SearchHeatmap(), search=found()) == saved(SearchHeatmap(), search=found())
