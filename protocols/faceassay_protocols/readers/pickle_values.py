"""Own what the symbols of a verification pack mean: encoded images and same/different labels. Walks no pickle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError
from faceassay_protocols.packs import BoolArray
from faceassay_protocols.readers.pickled import Call, Content, Known, Stored, Value
from faceassay_protocols.wording import listed

WHOLE_NUMBERS = {"b1": "u1", **{code: code for code in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")}}
"""Codes of the numpy types that labels come in, and how they are read: a damaged boolean may be neither 0 nor 1."""


def encoded_image(value: Value, content: Content, place: str) -> Stored:
    """Return where the bytes of an image are: of a bytes or bytearray object, or an array of uint8 [n] or [n, 1].

    Raises:
        DataError: when ``value`` is none of these (names ``place``).
    """
    try:
        array = _array(value, content)
        if array is None:
            return _byte_string(value, content)
        code, stored = array
        if code[1:] == "u1":
            return stored
        raise ValueError(f"an array of {code} instead of bytes")
    except ValueError as error:
        raise DataError(f"{place}: no encoded image: {error}; fetch the pack again") from error


def stored_bytes(stored: Stored, content: Content, place: str) -> bytes:
    """Return the bytes of an image.

    Raises:
        DataError: when their stored form is damaged (names ``place``).
    """
    try:
        return stored.read(content)
    except ValueError as error:
        raise DataError(f"{place}: damaged at byte {stored.start} ({error}): fetch the pack again") from error


def same_labels(value: Value, content: Content, place: str) -> BoolArray:
    """Return labels as bool [P], from a list, tuple or array of booleans or whole numbers.

    Raises:
        DataError: when ``value`` is none of these, or a label is neither 0 nor 1 (names ``place`` and the labels).
    """
    try:
        numbers = _numbers(value, content)
    except ValueError as error:
        raise DataError(f"{place}: labels that cannot be read: {error}; fetch the pack again") from error
    same: BoolArray = np.equal(numbers, 1)
    wrong = ~same & np.not_equal(numbers, 0)
    if wrong.any():
        raise DataError(
            f"{place}: labels {listed(wrong)} are neither 0 nor 1, false nor true: say which pairs are same"
        )
    return same


def _numbers(value: Value, content: Content) -> NDArray[np.integer]:
    if isinstance(value, list | tuple):
        numbers = (_number(one, content) for one in value)
        return np.array([number if number in (0, 1) else -1 for number in numbers], dtype=np.int8)
    array = _array(value, content)
    if array is None:
        raise ValueError("neither a list nor an array")
    code, stored = array
    return _decoded(stored.read(content), code)


def _number(value: Value, content: Content) -> int:
    match value:
        case int():
            return value
        case Call(function=Known.SCALAR, arguments=(dtype, data)):
            raw = _byte_string(data, content).read_short(content)
            return int(_decoded(raw, _type_code(dtype, content)).item())
    raise ValueError("one that is no number")


def _decoded(raw: bytes, code: str) -> NDArray[np.integer]:
    order, kind = code[0], code[1:]
    return np.frombuffer(raw, dtype=order + WHOLE_NUMBERS[kind])


def _array(value: Value, content: Content) -> tuple[str, Stored] | None:
    """Return byte order with type code, and the bytes, of a one-dimensional array; None where it is no array."""
    match value:
        case Call(function=Known.RECONSTRUCT, state=(_, shape, dtype, _, data)):
            pass
        case Call(function=Known.FROM_BUFFER, arguments=(data, dtype, shape, _)):
            pass
        case Call(function=Known.RECONSTRUCT | Known.FROM_BUFFER):
            raise ValueError("an array of an unknown form")
        case _:
            return None
    match shape:
        case (int(),) | (int(), 1):
            return _type_code(dtype, content), _byte_string(data, content)
    raise ValueError("an array that is not one-dimensional")


def _type_code(value: Value, content: Content) -> str:
    match value:
        case Call(function=Known.DTYPE, arguments=(Stored() as code, *_), state=(_, Stored() as order, *_)):
            kind, endian = (part.read_short(content).decode("latin-1") for part in (code, order))
            if kind in WHOLE_NUMBERS and endian in ("<", ">", "|"):
                return endian + kind
            raise ValueError(f"numpy type {endian + kind!a}, none of {', '.join(WHOLE_NUMBERS)}")
    raise ValueError("no numpy type where one belongs")


def _byte_string(value: Value, content: Content) -> Stored:
    match value:
        case Call(function=Known.BYTEARRAY, arguments=(inner,)):
            return _bytes(inner, content)
        case Call(function=Known.BYTEARRAY, arguments=(Stored(is_text=True) as text, encoding)):
            return _latin(text, encoding, content)
    return _bytes(value, content)


def _bytes(value: Value, content: Content) -> Stored:
    match value:
        case Stored(is_text=False):
            return value
        case Call(function=Known.ENCODE, arguments=(Stored(is_text=True) as text, encoding)):
            return _latin(text, encoding, content)
        case Call(function=Known.BYTES | Known.BYTEARRAY, arguments=()):
            return Stored(0, 0, "plain")
        case Stored():
            raise ValueError("text instead of bytes")
    raise ValueError("neither bytes nor an array of them")


def _latin(text: Stored, encoding: Value, content: Content) -> Stored:
    """Return ``text``, whose bytes are those of latin-1, which is the only encoding that picklers use for bytes."""
    match encoding:
        case Stored() if encoding.read_short(content) in (b"latin1", b"latin-1"):
            return text
    raise ValueError("text in an encoding other than latin-1")
