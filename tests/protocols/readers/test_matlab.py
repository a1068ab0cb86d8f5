"""The reader of MATLAB files against SciPy's writer, and against files that lie about their sizes."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from faceassay.contracts import DataError
from faceassay_protocols.readers.matlab import matlab_variables


def written(**variables):
    return compressed(False, **variables)


def compressed(do_compression, /, **variables):
    content = io.BytesIO()
    savemat(content, variables, do_compression=do_compression)
    return content.getvalue()


def cells(*values):
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


LIST = {"who": cells("3_0.jpg", "10_été.jpg", cells("deep")), "ids": np.array([[3], [700]], np.uint16), "t": "text"}


@pytest.mark.parametrize("do_compression", [False, True])
def test_cells_numbers_and_text_are_what_scipy_wrote(do_compression):
    read = matlab_variables(compressed(do_compression, **LIST), "x.mat")
    assert read["who"] == ["3_0.jpg", "10_été.jpg", ["deep"]]
    assert read["ids"].tolist() == [3, 700]
    assert read["t"] == "text"


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"]),
    st.lists(st.integers(0, 200), max_size=12).filter(lambda numbers: len(numbers) != 1),
)
def test_numbers_of_every_type_keep_value_and_type(dtype, numbers):
    read = matlab_variables(written(a=np.array(numbers, dtype).reshape(-1, 1)), "x.mat")["a"]
    assert read.dtype == dtype
    assert read.tolist() == numbers


def test_arrays_come_in_column_order():
    assert matlab_variables(written(a=np.array([[1, 2], [3, 4]])), "x.mat")["a"].tolist() == [1, 3, 2, 4]


def test_structures_are_the_values_of_their_fields():
    read = matlab_variables(written(s={"name": "3_0.jpg", "inner": {"ages": [7, 9]}}, t="text"), "x.mat")
    assert read["s"][0] == "3_0.jpg"
    assert [ages.tolist() for ages in read["s"][1]] == [[7, 9]]
    assert read["t"] == "text"


def test_big_endian_files_are_read():
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    ids = element(6, struct.pack(">II", 11, 0)) + element(5, struct.pack(">ii", 1, 2)) + element(1, b"ids")
    header = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    content = header + element(14, ids + element(4, struct.pack(">HH", 3, 700)))
    assert matlab_variables(content, "x.mat")["ids"].tolist() == [3, 700]


@pytest.mark.parametrize("content", [b"", b"short", b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(400)])
def test_other_files_are_refused_with_their_name(content):
    with pytest.raises(DataError, match=r"^lists/x\.mat: no MATLAB file of level 5"):
        matlab_variables(content, "lists/x.mat")


def test_a_compressed_bomb_is_refused_before_it_fills_memory():
    bomb = zlib.compress(bytes(2**27))
    content = written(t="text")[:128] + struct.pack("<II", 15, len(bomb)) + bomb
    with pytest.raises(DataError, match="far too large"):
        matlab_variables(content, "x.mat")


def test_an_array_that_claims_billions_of_cells_is_refused():
    content = bytearray(written(who=cells("a", "b")))
    shape = content.index(struct.pack("<ii", 2, 1))
    content[shape : shape + 4] = struct.pack("<i", 2**31 - 1)
    with pytest.raises(DataError, match="does not hold as much as it claims"):
        matlab_variables(bytes(content), "x.mat")


def test_every_cut_is_refused_or_loses_whole_variables():
    content = written(**LIST)
    for length in range(128, len(content)):
        try:
            read = matlab_variables(content[:length], "x.mat")
        except DataError:
            continue
        assert set(read) < set(LIST) or length > len(content) - 8


@pytest.mark.parametrize("do_compression", [False, True])
@settings(deadline=None, max_examples=400)
@given(st.data())
def test_flipped_bytes_open_or_are_refused(do_compression, data):
    content = bytearray(compressed(do_compression, **LIST))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        assert isinstance(matlab_variables(bytes(content), "x.mat"), dict)
