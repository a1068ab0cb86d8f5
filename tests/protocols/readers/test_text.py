"""The lines of text files, whoever saved them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.readers.text import text_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_and_line_ends_change_nothing(end, mark):
    content = mark + end.join(["10\t300", "", "  José 1 2 ", ""]).encode()
    assert list(text_lines(content, "f")) == [(1, "10\t300"), (3, "José 1 2")]


def test_empty_lines_count_but_are_left_out():
    assert list(text_lines(b"\n\n \t\na", "f")) == [(4, "a")]


def test_an_empty_file_has_no_lines():
    assert list(text_lines(b"", "f")) == []


def test_signs_that_end_lines_elsewhere_do_not_end_them_here():
    assert list(text_lines("a\x0bb\x85c\u2028d".encode(), "f")) == [(1, "a\x0bb\x85c\u2028d")]


@pytest.mark.parametrize("content", [b"a\nb\n\xff", "a\n\nü".encode("latin-1"), "\n".encode("utf-16") + b"\n\xff"])
def test_other_encodings_are_refused_with_the_line(content):
    with pytest.raises(DataError, match=r"pairs\.txt:\d: no UTF-8 text"):
        list(text_lines(content, "pairs.txt"))


def test_the_line_of_the_first_wrong_byte_is_named():
    with pytest.raises(DataError, match="f:3: "):
        list(text_lines(b"a\nb\nc\xff\n\xff", "f"))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\ufeff"), max_size=8), max_size=8))
def test_numbers_are_those_of_the_lines(lines):
    expected = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    assert list(text_lines("\n".join(lines).encode(), "f")) == expected
