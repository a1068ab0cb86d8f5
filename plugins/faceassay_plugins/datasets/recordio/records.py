"""Own one record of a `.rec` file: its frame, its parts, its header. Which records there are is not here.

The format is dmlc-core's recordio.h with the IRHeader of mxnet.recordio: all numbers little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

MAGIC = 0xCED7230A
FRAME = 8
"""Bytes before the content of each part: magic number, then kind of part (3 bits) and length (29 bits)."""
HEADER = 24
"""Bytes of the IRHeader: number of labels that follow it, a label, two ids."""
WHOLE, FIRST, MIDDLE, LAST = range(4)
LENGTH_BITS = 29

_MAGIC = struct.pack("<I", MAGIC)
_FRAME = struct.Struct("<II")
_HEADER = struct.Struct("<IfQQ")


def record_of(payload: bytes) -> bytes:
    """Return a record: ``payload`` in its frames, cut wherever it holds the magic number at a multiple of four bytes.

    Raises:
        ValueError: when a part is too long for the format.
    """
    parts, begin, at = [], 0, payload.find(_MAGIC)
    while at >= 0:
        if at % 4 == 0:
            parts.append(payload[begin:at])
            begin = at + 4
        at = payload.find(_MAGIC, at + 1)
    parts.append(payload[begin:])
    kinds = [WHOLE] if len(parts) == 1 else [FIRST, *[MIDDLE] * (len(parts) - 2), LAST]
    return b"".join(map(_framed, kinds, parts))


def payload_with(labels: Sequence[float], key: int, image: bytes = b"") -> bytes:
    """Return the content of a record: one label stands in the header, several behind it."""
    if len(labels) == 1:
        return _HEADER.pack(0, labels[0], key, 0) + image
    return _HEADER.pack(len(labels), 0.0, key, 0) + struct.pack(f"<{len(labels)}f", *labels) + image


def payload_of(record: bytes) -> bytes:
    """Return the content of ``record``, the bytes from its first frame to its padding.

    A writer cuts the content wherever it holds the magic number at a multiple of four bytes, and leaves these out: they
    are put back between the parts.

    Raises:
        ValueError: when these bytes are not exactly one record.
    """
    parts: list[bytes] = []
    start, kind = 0, FIRST
    while kind not in (WHOLE, LAST):
        if len(record) < start + FRAME:
            raise ValueError("the record ends too early")
        magic, frame = _FRAME.unpack_from(record, start)
        kind, length = frame >> LENGTH_BITS, frame & (1 << LENGTH_BITS) - 1
        if magic != MAGIC or kind not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise ValueError("no record begins here")
        start += FRAME + length
        if len(record) < start:
            raise ValueError("the record ends too early")
        parts.append(record[start - length : start])
        start += -length % 4
    if len(record) != start:
        raise ValueError("the record is not as long as the index says")
    return _MAGIC.join(parts)


def labels_of(payload: bytes) -> tuple[float, ...]:
    """Return the labels of a record: those that follow the header, or the one in it.

    Raises:
        ValueError: when the content is shorter than its header says.
    """
    if len(payload) < HEADER:
        raise ValueError("the record is shorter than its header")
    count, label, _, _ = _HEADER.unpack_from(payload)
    if len(payload) < HEADER + 4 * count:
        raise ValueError("the record is shorter than its labels")
    return struct.unpack_from(f"<{count}f", payload, HEADER) if count else (label,)


def id_of(payload: bytes) -> int:
    """Return the first id of a record whose header is there."""
    number: int = _HEADER.unpack_from(payload)[2]
    return number


def image_of(payload: bytes) -> bytes:
    """Return the image of a record, b'' where it holds none.

    Raises:
        ValueError: when the content is shorter than its header says.
    """
    if len(payload) < HEADER:
        raise ValueError("the record is shorter than its header")
    start = HEADER + 4 * _HEADER.unpack_from(payload)[0]
    if len(payload) < start:
        raise ValueError("the record is shorter than its labels")
    return payload[start:]


def _framed(kind: int, part: bytes) -> bytes:
    if len(part) >= 1 << LENGTH_BITS:
        raise ValueError(f"a record of {len(part):,} bytes is too long for the format")
    return _FRAME.pack(MAGIC, kind << LENGTH_BITS | len(part)) + part + bytes(-len(part) % 4)
