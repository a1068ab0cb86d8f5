"""Small insightface packs as every known pickler writes them; Python 2 is played by an assembler of its opcodes."""

from __future__ import annotations

import itertools
import pickle
import pickletools
import struct
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np


class Variant(NamedTuple):
    """Say who writes the pickle and what it holds: keys of `WRITERS`, `ELEMENTS` and `LABELS`."""

    writer: str = "python 3, protocol 4"
    elements: str = "bytes"
    labels: str = "bools"


def write_bin(path: Path, images: list[bytes], is_same, variant: Variant = Variant()) -> Path:  # noqa: B008
    """Write encoded ``images`` (two of each pair) and its labels, and return ``path``."""
    path.write_bytes(bin_content(images, is_same, variant))
    return path


def bin_content(images: list[bytes], is_same, variant: Variant = Variant()) -> bytes:  # noqa: B008
    """Return what `write_bin` writes."""
    writer, elements, labels = variant
    return WRITERS[writer](([ELEMENTS[elements](image) for image in images], LABELS[labels](is_same)))


def jpeg(pixels: np.ndarray) -> bytes:
    """Encode uint8 [H, W, 3] RGB."""
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def photographs(count: int, size: int = 16, seed: int = 0) -> list[bytes]:
    """Return ``count`` different JPEG files of ``size`` pixels square."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return [jpeg(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)) for pixels in coarse]


def alternating(pairs: int) -> list[bool]:
    """Return labels of ten folds, each with its same pairs first."""
    return [pair % (pairs // 10) < pairs // 20 for pair in range(pairs)]


def numpy_1(protocol: int):
    """Return a writer whose pickles name numpy's modules as version 1 did."""

    def written(content) -> bytes:
        pickled = pickle.dumps(content, protocol)
        for module in (b"numpy._core.multiarray", b"numpy._core.numeric"):
            old = module.replace(b"_core", b"core")
            pickled = pickled.replace(b"c" + module + b"\n", b"c" + old + b"\n")
            pickled = pickled.replace(b"\x8c%c%s" % (len(module), module), b"\x8c%c%s" % (len(old), old))
        return pickletools.optimize(pickled) if protocol >= 4 else pickled  # which makes the frames right again

    return written


class Long(int):
    """Play a Python 2 long."""


class Python2:
    """Assemble what Python 2.7 pickles: byte strings as STRING opcodes, and dtypes and bytearrays as numpy 1 did."""

    def __init__(self, protocol: int):
        self.protocol = protocol
        self.memo = itertools.count()

    def __call__(self, content) -> bytes:
        self.memo = itertools.count()
        head = b"\x80\x02" if self.protocol == 2 else b""
        return head + self.value(content) + b"."

    def value(self, value) -> bytes:
        match value:
            case None:
                return b"N"
            case bool() if self.protocol == 2:
                return b"\x88" if value else b"\x89"
            case bool():
                return b"I%02d\n" % value
            case Long() if self.protocol == 2:
                raw = value.to_bytes(1, "little", signed=True) if value else b""
                return b"\x8a" + bytes([len(raw)]) + raw
            case Long():
                return b"L%dL\n" % value
            case int():
                return self.integer(value)
            case bytes():
                return self.string(value) + self.put()
            case str():
                return self.text(value) + self.put()
            case bytearray():
                return self.call(b"__builtin__", b"bytearray", (value.decode("latin-1"), b"latin-1"))
            case tuple():
                return b"(" + b"".join(map(self.value, value)) + b"t" + self.put()
            case list():
                return self.list(value)
            case np.ndarray():
                return self.array(value)
            case np.bool_():
                return self.call(b"numpy.core.multiarray", b"scalar", (value.dtype, value.tobytes()))
            case np.dtype():
                state = self.value((3, value.str[:1].encode(), None, None, None, -1, -1, 0))
                return self.call(b"numpy", b"dtype", (value.str[1:].encode(), 0, 1)) + state + b"b"
        raise TypeError(value)

    def put(self) -> bytes:
        key = next(self.memo)
        if self.protocol == 0:
            return b"p%d\n" % key
        return b"q%c" % key if key < 256 else b"r" + struct.pack("<I", key)

    def integer(self, value: int) -> bytes:
        if self.protocol == 0:
            return b"I%d\n" % value
        if 0 <= value < 65536:
            return b"K%c" % value if value < 256 else b"M" + struct.pack("<H", value)
        return b"J" + struct.pack("<i", value)

    def string(self, value: bytes) -> bytes:
        if self.protocol == 0:
            return b"S" + repr(value)[1:].encode() + b"\n"  # the repr of Python 3's bytes is that of Python 2's str
        return b"U%c%s" % (len(value), value) if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def text(self, value: str) -> bytes:
        if self.protocol == 0:
            escaped = value.replace("\\", "\\u005c").replace("\n", "\\u000a")
            return b"V" + escaped.encode("raw-unicode-escape") + b"\n"
        encoded = value.encode()
        return b"X" + struct.pack("<I", len(encoded)) + encoded

    def list(self, values) -> bytes:
        if self.protocol == 0:
            return b"(l" + self.put() + b"".join(self.value(value) + b"a" for value in values)
        opened = b"]" + self.put()
        batches = [values[start : start + 1000] for start in range(0, len(values), 1000)]
        return opened + b"".join(b"(" + b"".join(map(self.value, batch)) + b"e" for batch in batches)

    def array(self, value: np.ndarray) -> bytes:
        empty = b"(" + b"cnumpy\nndarray\n" + self.put() + self.value((0,)) + self.value(b"b") + b"t" + self.put()
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + self.put() + empty + b"R" + self.put()
        return made + self.value((1, value.shape, value.dtype, False, value.tobytes())) + b"b"

    def call(self, module: bytes, name: bytes, arguments: tuple) -> bytes:
        return b"c%s\n%s\n" % (module, name) + self.put() + self.value(arguments) + b"R" + self.put()


def python_3(protocol: int):
    """Return the writer that this Python has."""
    return lambda content: pickle.dumps(content, protocol)


def outer_list(content) -> bytes:
    """Write a list of two lists instead of a tuple."""
    return pickle.dumps(list(content), 4)


def inner_tuple(content) -> bytes:
    """Write the images as a tuple."""
    return pickle.dumps((tuple(content[0]), content[1]), 2)


def array(image: bytes) -> np.ndarray:
    return np.frombuffer(image, dtype=np.uint8).copy()


WRITERS = {
    **{f"python 2, protocol {protocol}": Python2(protocol) for protocol in range(3)},
    **{f"python 3, protocol {protocol}": python_3(protocol) for protocol in range(6)},
    **{f"numpy 1, protocol {protocol}": numpy_1(protocol) for protocol in range(6)},
    "outer list": outer_list,
    "inner tuple": inner_tuple,
}
ELEMENTS = {
    "bytes": bytes,
    "bytearray": bytearray,
    "array": array,
    "column": lambda image: array(image)[:, None],
    "frozen array": lambda image: np.frombuffer(image, dtype=np.uint8),
}
LABELS = {
    "bools": lambda labels: [bool(label) for label in labels],
    "tuple": lambda labels: tuple(bool(label) for label in labels),
    "ints": lambda labels: [int(label) for label in labels],
    "longs": lambda labels: [Long(label) for label in labels],
    "numpy bools": lambda labels: list(np.array(labels, dtype=bool)),
    **{
        f"array {code}": lambda labels, code=code: np.array(labels, dtype=code)
        for code in ("bool", "uint8", "<i4", "<i8", ">i8")
    },
}
VARIANTS = [
    *(Variant(writer=writer, elements=elements) for writer in WRITERS for elements in ELEMENTS),
    *(
        Variant(writer=writer, labels=labels)
        for writer in WRITERS
        for labels in LABELS
        if labels != "longs" or "python 2" in writer
    ),
]
"""Every writer with each form of the images and each form of the labels."""
