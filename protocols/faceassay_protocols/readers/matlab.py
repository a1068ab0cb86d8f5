"""Own the reading of MATLAB files of level 5: numbers, text, cells, structures. What they mean is the readers'."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError

Value: TypeAlias = "NDArray[np.integer[Any] | np.floating[Any]] | str | list[Value] | None"
"""Numbers [n] as they are stored, a text, or the values of cells; flat in MATLAB's column order.

A structure is the list of its fields' values, without their names.
"""

LARGEST_CONTENT = 2**26
"""Bytes after decompression; lists of names are far smaller."""

_ORDERS = {b"IM": "<", b"MI": ">"}
_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCTURE, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_ENDIAN = {"<": "le", ">": "be"}


def matlab_variables(content: bytes, place: str) -> dict[str, Value]:
    """Return the variables of a MATLAB file of level 5 (what MATLAB writes unless told otherwise); None for objects.

    ``scipy.io.loadmat`` believes the sizes that a file claims: a single wrong byte can end the process (SciPy 1.17.1).
    Here nothing is larger than the bytes that are there. Source: MathWorks, MAT-File Format, level 5.

    Raises:
        DataError: when ``content`` is no such file, or a damaged one (names ``place``).
    """
    order = _ORDERS.get(content[_HEADER - 2 : _HEADER])
    if order is None:
        raise DataError(f"{place}: no MATLAB file of level 5 (save it with -v7)")
    try:
        return dict(_variable(kind, data, order) for kind, data in _unpacked(memoryview(content)[_HEADER:], order))
    except (ValueError, LookupError, struct.error, zlib.error, RecursionError) as error:
        raise DataError(f"{place}: damaged MATLAB file ({error}): restore it") from error


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and data of the elements that follow one another in ``content``."""
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        start = 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        if at + start + size > len(content) or (start == 4 and size > 4):
            raise ValueError("an element claims more bytes than there are")
        yield kind, content[at + start : at + start + size]
        at += start + size + (0 if kind == _COMPRESSED else -(start + size) % 8)


def _unpacked(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    left = LARGEST_CONTENT
    for kind, data in _elements(content, order):
        if kind == _COMPRESSED:
            stream = zlib.decompressobj()
            plain = stream.decompress(data, max(left, 1))  # 0 would mean no limit
            if not stream.eof:
                raise ValueError("a compressed variable is cut short, or far too large for a list")
            left -= len(plain)
            yield from _elements(memoryview(plain), order)
        else:
            yield kind, data


def _variable(kind: int, data: memoryview, order: str) -> tuple[str, Value]:
    if kind != _MATRIX:
        raise ValueError(f"element of type {kind} where an array should be")
    if not data:
        return "", []
    (_, flags), (_, shape), (_, name), *parts = _elements(data, order)
    array_class = int(np.frombuffer(flags, f"{order}u4")[0]) & 0xFF
    value = _value(array_class, parts, order)
    claimed = math.prod(np.frombuffer(shape, f"{order}i4").tolist())
    if value is not None and len(value) != claimed and array_class != _STRUCTURE:
        raise ValueError("an array does not hold as much as it claims")
    return bytes(name).decode("latin-1"), value


def _value(array_class: int, parts: list[tuple[int, memoryview]], order: str) -> Value:
    if array_class in (_CELL, _STRUCTURE):
        cells = parts[2:] if array_class == _STRUCTURE else parts  # the names of the fields come first
        return [_variable(kind, data, order)[1] for kind, data in cells]
    if array_class not in (_CHAR, *_NUMERIC):
        return None
    kind, data = parts[0]
    if array_class == _CHAR:
        return bytes(data).decode(_TEXTS[kind].format(_ENDIAN[order]))
    return np.frombuffer(data, order + _NUMBERS[kind])
