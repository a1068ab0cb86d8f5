"""Pickles as data: what picklers write is found, what is damaged or names code is refused, nothing is ever executed."""

from __future__ import annotations

import functools
import mmap
import os
import pickle
import struct
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.readers import pickled
from faceassay_protocols.readers.pickle_values import encoded_image, same_labels, stored_bytes
from faceassay_protocols.readers.pickled import Stored, symbols
from miniatures.bins import WRITERS, Python2

EVERY_BYTE = bytes(range(256))
PROTOCOLS = range(6)
LISTS = [writer for writer in WRITERS if writer.startswith("python")]


def image_in(content, value):
    return stored_bytes(encoded_image(value, content, "pack"), content, "pack")


def refused(content, match=r"pack\.bin: byte"):
    with pytest.raises(DataError, match=match):
        symbols(content, "pack.bin")


@pytest.mark.parametrize("writer", LISTS)
def test_plain_values_are_those_that_were_written(writer):
    values = [0, 1, 255, 65535, 70000, -3, True, False, None, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[5]]]
    assert symbols(WRITERS[writer](values), "pack") == values


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_long_numbers_keep_their_sign(protocol):
    values = [2**31, -(2**31), 2**63 - 1, -(2**63)]
    assert symbols(pickle.dumps(values, protocol), "pack") == values


@pytest.mark.parametrize("writer", LISTS)
@pytest.mark.parametrize(
    "image", [b"", b"x", b"it's", b'say "it\'s"', b"\\", b"\\x41\n\r\t\0\x1a", EVERY_BYTE, EVERY_BYTE * 300]
)
def test_bytes_are_those_that_were_written(writer, image):
    content = WRITERS[writer]([image, bytearray(image)])
    assert [image_in(content, value) for value in symbols(content, "pack")] == [image, image]


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=10, deadline=None)
@given(images=st.lists(st.binary(max_size=40), max_size=4), labels=st.lists(st.booleans(), max_size=5))
def test_arrays_are_those_that_were_written(writer, images, labels):
    arrays = [np.frombuffer(image, dtype=np.uint8) for image in images]
    columns = [array[:, None].copy() for array in arrays]
    content = WRITERS[writer](([*arrays, *columns], np.array(labels, dtype=bool)))
    found, is_same = symbols(content, "pack")
    assert [image_in(content, value) for value in found] == images * 2
    assert same_labels(is_same, content, "pack").tolist() == labels


@pytest.mark.parametrize("code", ["bool", "i1", "u1", "<i2", ">u2", "<i4", ">i4", "<u4", "<i8", ">i8", ">u8"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_labels_of_every_numpy_type_are_read(code, protocol):
    labels = np.array([1, 0, 0, 1, 1]).astype(code)
    for value in (labels, labels[:, None], list(labels), tuple(labels)):
        content = pickle.dumps(value, protocol)
        assert same_labels(symbols(content, "pack"), content, "pack").tolist() == [True, False, False, True, True]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "labels",
    [
        [0, 2],
        [1, -1],
        [0, 2**900],
        [True, None],
        [1, "1"],
        [(1,), 0],
        [[1], [0]],
        "labels",
        None,
        1,
        np.array([0, 3]),
        np.array([1, -1], dtype=np.int8),
        np.array([[0, 1], [1, 0]]),
        np.array([0.0, 1.0]),
        np.array([True, None]),
        np.array(1),
        [np.float32(1)],
        [np.int64(7)],
        [np.array([0, 1])],
    ],
)
def test_other_labels_are_refused(protocol, labels):
    content = pickle.dumps(labels, protocol)
    with pytest.raises(DataError, match=r"pack: .*(labels|label|byte)"):
        same_labels(symbols(content, "pack"), content, "pack")


def test_labels_that_are_neither_are_named():
    content = pickle.dumps([0, 1, 2, -1])
    with pytest.raises(DataError, match=r"labels 2, 3 \(2 of 4\) are neither 0 nor 1"):
        same_labels(symbols(content, "pack"), content, "pack")


def test_a_boolean_array_with_other_bytes_is_refused():
    content = pickle.dumps(np.array([True, False, True])).replace(b"\1\0\1", b"\1\0\2")
    with pytest.raises(DataError, match=r"labels 2 \(1 of 3\)"):
        same_labels(symbols(content, "pack"), content, "pack")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "image",
    [
        "text",
        7,
        None,
        [1, 2],
        (b"x",),
        np.zeros((4, 4), np.uint8),
        np.zeros((1, 4), np.uint8),
        np.zeros(4, np.uint16),
        np.zeros(4, np.int8),
        np.zeros(4, np.float32),
        np.array([b"abc"]),
        np.array([b"abc", None], dtype=object),
        np.uint8(3),
        np.dtype("u1"),
        bytes,
    ],
)
def test_what_is_no_byte_string_is_no_image(protocol, image):
    content = pickle.dumps([image], protocol)
    with pytest.raises(DataError, match="image 0: no encoded image: "):
        encoded_image(symbols(content, "pack")[0], content, "pack: image 0")


@pytest.mark.parametrize(
    "content",
    [
        b"c_codecs\nencode\n(Vabc\nVutf-16\ntR.",
        b"c__builtin__\nbytes\n((I1\nttR.",
        b"c__builtin__\nbytes\nc__builtin__\nbytes\n(S'a'\ntR\x85R.",
        b"cnumpy\nndarray\n)R.",
        b"cnumpy.core.multiarray\n_reconstruct\n)R.",
        b"cnumpy.core.numeric\n_frombuffer\n(S'abc'\nS'u1'\n(I3\ntS'C'\ntR.",
    ],
)
def test_calls_that_no_pickler_writes_mean_no_image(content):
    with pytest.raises(DataError, match="no encoded image"):
        encoded_image(symbols(content, "pack"), content, "pack")


@pytest.mark.parametrize("stored", [rb"S'\x4'", rb"S'\xzz'", b"S'abc\"", b"S'", b"Sabc", b"S"])
def test_damaged_quotes_and_escapes_are_refused(stored):
    content = stored + b"\n."
    with pytest.raises(DataError, match="damaged at byte 1"):
        image_in(content, symbols(content, "pack"))


def test_text_beyond_latin_1_means_no_bytes():
    content = b"c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR."
    with pytest.raises(DataError, match="damaged"):
        image_in(content, symbols(content, "pack"))


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


class Shell:
    def __init__(self, function, *arguments):
        self.content = (function, arguments)

    def __reduce__(self):
        return self.content


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_write_a_file_is_refused_and_writes_none(protocol, tmp_path):
    content = pickle.dumps(([Touch(tmp_path / "touched")], [True]), protocol)
    refused(content, "which no verification pack needs.*nothing in it was executed")
    assert not (tmp_path / "touched").exists()
    pickle.loads(content)
    assert (tmp_path / "touched").exists(), "the pickle of this test is harmless"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr, __import__, print, np.load, os.remove])
def test_functions_are_refused_by_name(protocol, function):
    module = {"builtins": "(builtins|__builtin__)"}.get(function.__module__, function.__module__)
    refused(pickle.dumps([b"image", Shell(function, "x")], protocol), rf"names {module}\.{function.__name__}, which")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "str"),
        ("copyreg", "_reconstructor"),
        ("copy_reg", "_reconstructor"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.core", "ndarray"),
        ("_codecs", "decode"),
        ("codecs", "encode"),
        ("", ""),
        ("numpy.ndarray", ""),
        ("o\xe9", "\x1b[31m"),
    ],
)
@pytest.mark.parametrize("stacked", [False, True])
def test_only_names_that_packs_need_are_taken(module, name, stacked):
    where, what = module.encode(), name.encode()
    listed = b"c" + where + b"\n" + what + b"\n"
    taken = b"\x8c%c%s\x8c%c%s\x93" % (len(where), where, len(what), what)
    with pytest.raises(DataError, match="which no verification pack needs") as error:
        symbols((taken if stacked else listed) + b")R.", "pack.bin")
    assert str(error.value).isprintable()


def test_a_module_that_is_named_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "named_by_a_pickle.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    refused(b"cnamed_by_a_pickle\nf\n)R.", "names named_by_a_pickle.f")
    assert "named_by_a_pickle" not in sys.modules


@pytest.mark.parametrize(
    "content",
    [
        b"P1\n.",
        b"I1\nQ.",
        b"\x82\x01.",
        b"(ios\nsystem\n.",
        b"(cnumpy\nndarray\no.",
        b"cnumpy\nndarray\n)\x81.",
        b"cnumpy\nndarray\n)}\x92.",
        b"}.",
        b"\x8f.",
        b"N0.",
        b"N2.",
        b"F1.0\n.",
        b"\x97.",
        b"\xff.",
    ],
)
def test_operations_that_no_pack_needs_are_refused(content):
    refused(content, r"pack.bin: byte \d+: unexpected operation")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "byte 0: the file ends too early"),
        (b"N", "byte 1: the file ends too early"),
        (b"N.N", "byte 1: 1 bytes follow the end"),
        (b"N.\n", "byte 1: 1 bytes follow the end"),
        (b"NN.", "ends within a value"),
        (b"(N.", "ends within a value"),
        (b".", "ends within a value"),
        (b"a.", "lacks its operands"),
        (b"Na.", "lacks its operand"),
        (b"NNa.", "what is no list"),
        (b"](Ne", "ends too early"),
        (b"]e.", "lacks its mark"),
        (b"(e.", "lacks its operand"),
        (b"t.", "lacks its mark"),
        (b"\x85.", "lacks its operands"),
        (b"N\x87.", "lacks its operands"),
        (b"p0\n.", "lacks its operand"),
        (b"(p0\n.", "lacks its operand"),
        (b"g0\n.", "refers to value 0"),
        (b"h\x07.", "refers to value 7"),
        (b"j\xff\xff\xff\xff.", "refers to value 4294967295"),
        (b"NN\x93.", "no name where one belongs"),
        (b"X\xc8\0\0\0" + b"a" * 200 + b"\x8c\x01a\x93.", "200 bytes where a name or a number belongs"),
        (b"\x8c\x02\xff\xfe\x8c\x01a\x93.", "utf-8"),
        (b"NNR.", "calls what is no function"),
        (b"cnumpy\nndarray\nNR.", "calls what is no function"),
        (b"Nb.", "lacks its operand"),
        (b"NNb.", "has none to set"),
        (b"cnumpy\ndtype\n)RNbI1\nbI1\nb.", "has none to set"),
        (b"I\n.", "no whole number"),
        (b"I1_0\n.", "no whole number"),
        (b"I" + b"1" * 5000 + b"\n.", "no whole number"),
        (b"L0x1L\n.", "no whole number"),
        (b"p-\n.", "no whole number"),
        (b"I1", "ends within a line"),
        (b"cos\nsystem", "ends within a line"),
        (b"U\x05abc.", "ends within 5 bytes"),
        (b"T\xff\xff\xff\xffabc.", "ends within 4294967295 bytes"),
        (b"\x8e" + struct.pack("<Q", 2**63) + b"abc.", "ends within 9223372036854775808 bytes"),
        (b"\x96" + b"\xff" * 8 + b"abc.", "ends within 18446744073709551615 bytes"),
        (b"X\x01", "ends within"),
        (b"\x95\0\0", "ends within"),
        (b"\x80", "ends within"),
    ],
)
def test_damage_is_told_by_its_place(content, what):
    refused(content, what)


@pytest.mark.parametrize("writer", WRITERS)
def test_no_truncated_pickle_is_taken_for_a_whole_one(writer):
    arrays = [np.arange(5, dtype=np.uint8), np.arange(3, dtype=np.uint8)[:, None]]
    content = WRITERS[writer](([b"image", bytearray(b"other"), *arrays], [True, np.True_, 0, False]))
    for length in range(len(content)):
        refused(content[:length])


PROBABLE = st.sampled_from([bytes([operation]) for operation in pickled._OPERATIONS])
LINE = st.sampled_from([b"0\n", b"1\n", b"numpy\nndarray\n", b"numpy\ndtype\n", b"'a'\n"])


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(PROBABLE, PROBABLE, LINE, st.binary(max_size=5)), max_size=40))
def test_any_bytes_are_read_or_refused(pieces):
    content = b"".join(pieces)
    try:
        value = symbols(content, "pack")
        same_labels(value, content, "pack")
        encoded_image(value, content, "pack")
    except DataError:
        pass


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_read_or_refused(writer, data):
    content = bytearray(miniature(writer))
    for place in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=8)):
        content[place // 8] ^= 1 << place % 8
    try:
        value = symbols(bytes(content), "pack")
        if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], tuple | list):
            for one in value[0]:
                image_in(bytes(content), one)
            same_labels(value[1], bytes(content), "pack")
    except DataError:
        pass


@functools.cache
def miniature(writer):
    arrays = [np.arange(5, dtype=np.uint8), np.arange(3, dtype=np.uint8)[:, None]]
    return WRITERS[writer](([b"image", bytearray(b"other"), *arrays], [True, np.True_]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_list_that_holds_itself_ends_nothing(protocol):
    loop: list = [b"image"]
    loop.append(loop)
    content = pickle.dumps(loop, protocol)
    found = symbols(content, "pack")
    assert found[1] is found
    with pytest.raises(DataError, match="neither bytes nor an array"):
        encoded_image(found, content, "pack")


@pytest.mark.parametrize(
    "piece", [b"(", b"]", b")\x85", b"c__builtin__\nbytearray\n"], ids=["marks", "lists", "tuples", "names"]
)
def test_many_operations_without_an_end_are_refused(piece):
    refused(piece * 50_000)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (b"", b"\x85"),
        (b"]", b"a"),
        (b"c__builtin__\nbytearray\n", b"\x85R"),
        (b"c_codecs\nencode\n", b"\x8c\x06latin1\x86R"),
        (b"cnumpy\ndtype\n)R", b"b"),
    ],
    ids=["tuples", "lists", "bytearrays", "encodings", "states"],
)
def test_deep_nesting_is_no_recursion(opening, closing):
    depth = 30_000
    content = opening * depth + b"C\x01x" + closing * depth + b"."
    found = symbols(content, "pack")
    for meaning in (encoded_image, same_labels):
        with pytest.raises(DataError):
            meaning(found, content, "pack")


def test_doubling_through_the_memo_costs_nothing():
    """Sixty tuples, each twice the one before: 2^60 elements for who looks at all of them."""
    content = b"]" + b"".join(b"q%ch%c\x86" % (step, step) for step in range(60)) + b"."
    start = time.perf_counter()
    found = symbols(content, "pack")
    with pytest.raises(DataError):
        encoded_image(found, content, "pack")
    with pytest.raises(DataError):
        same_labels(found, content, "pack")
    assert time.perf_counter() - start < 1


def test_one_long_number_that_is_referred_to_often_is_not_read_often():
    number = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'u1'\ntR(I3\nS'|'\ntbB" + struct.pack("<I", 2**20)
    content = b"(" + number + b"\1" * 2**20 + b"tRq\0" + b"h\0" * 100_000 + b"t."
    with pytest.raises(DataError, match="1048576 bytes where a name or a number belongs"):
        same_labels(symbols(content, "pack"), content, "pack")


def test_the_number_of_operations_is_limited(monkeypatch):
    monkeypatch.setattr(pickled, "MOST_OPERATIONS", 1000)
    assert symbols(b"(" + b"N" * 997 + b"t.", "pack") == (None,) * 997
    refused(b"(" + b"N" * 998 + b"t.", "more than 1000 operations")


def test_strings_stay_in_the_file(tmp_path):
    images = [bytes([row]) * 100_000 for row in range(200)]
    for writer in ("python 2, protocol 2", "python 3, protocol 2", "python 3, protocol 5"):
        path = tmp_path / "pack.bin"
        path.write_bytes(WRITERS[writer]((images, [True] * 100)))
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            tracemalloc.start()
            found, _ = symbols(content, "pack")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 1_000_000 < path.stat().st_size / 15
            assert image_in(content, found[150]) == images[150]


def test_a_text_is_no_byte_string_until_it_is_encoded():
    assert Stored(0, 1, "utf-8").is_text
    assert not Stored(0, 1, "plain").is_text


@pytest.mark.parametrize("protocol", range(3))
@settings(max_examples=50, deadline=None)
@given(images=st.lists(st.binary(max_size=50), max_size=5), labels=st.lists(st.booleans(), max_size=5))
def test_the_assembler_of_python_2_writes_what_python_reads(protocol, images, labels):
    """So that the other tests can trust it."""
    arrays = [np.frombuffer(image, dtype=np.uint8) for image in images]
    content = Python2(protocol)(
        (images, [bytearray(image) for image in images], arrays, labels, list(np.array(labels, bool)))
    )
    strings, bytearrays, read, plain, scalars = pickle.loads(content, encoding="latin1")
    assert [string.encode("latin-1") for string in strings] == images == [bytes(one) for one in bytearrays]
    assert [array.tobytes() for array in read] == images
    assert plain == labels == [bool(one) for one in scalars]
