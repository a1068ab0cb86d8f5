"""Blocks, threads and the sort in two halves against slices, a loop and one sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay_protocols import blockwise
from faceassay_protocols.blockwise import ascending, blocks, for_each


@given(start=st.integers(0, 30), length=st.integers(0, 30), size=st.integers(1, 40))
def test_blocks_cover_the_range_once_and_in_order(start, length, size):
    parts = list(blocks(start + length, size, start))
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(start, start + length))
    assert all(part.stop - part.start == size for part in parts[:-1])


def test_work_is_done_on_every_part():
    squares = np.zeros(1000, dtype=np.int64)

    def square(part):
        squares[part] = np.arange(part.start, part.stop) ** 2

    for_each(blocks(1000, 7), square)
    assert squares.tolist() == [number * number for number in range(1000)]


def test_an_error_in_a_thread_is_raised():
    def refuse(part):
        if part.start == 20:
            raise ValueError("part 20")

    with pytest.raises(ValueError, match="part 20"):
        for_each(blocks(50, 10), refuse)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-5, 5), max_size=40), dtype=st.sampled_from([np.float32, np.float64]))
def test_halves_sorted_apart_are_sorted_together(values, dtype):
    given_values = np.array(values, dtype=dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "SORTED_IN_ONE_PIECE", 1)
        ordered = ascending(given_values)
    assert ordered.tolist() == sorted(values)
    assert ordered.dtype == dtype
    assert given_values.tolist() == values
