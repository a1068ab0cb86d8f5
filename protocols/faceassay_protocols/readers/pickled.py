"""Own the reading of pickles as data: opcodes become symbols and byte ranges; nothing is imported, called or decoded.

What the symbols mean (images, labels) is the business of `pickle_values`.
"""

from __future__ import annotations

import codecs
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from mmap import mmap
from typing import NamedTuple, TypeAlias

from faceassay.contracts import DataError

Content: TypeAlias = bytes | mmap
"""A whole pickle; a memory-mapped one is never held in memory."""
MOST_OPERATIONS = 2**22
"""About two million images as byte strings or a hundred thousand as arrays; the known packs hold 14,000 at most."""
LONGEST_NAME = 100
"""Bytes of a name or a number."""


class Known(Enum):
    """Name what a verification pack may refer to, by where numpy 1 and Python 3 have it."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    SCALAR = "numpy.core.multiarray.scalar"
    FROM_BUFFER = "numpy.core.numeric._frombuffer"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"
    BYTES = "builtins.bytes"
    BYTEARRAY = "builtins.bytearray"


MODULES = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    "__builtin__": "builtins",
}
"""Names that numpy 2 and Python 2 have for modules."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Point to a byte string or a text in the pickle.

    Attributes:
        start, stop: where its stored form lies.
        form: how it is stored: ``plain`` or ``quoted`` bytes, text as ``utf-8`` or ``raw-unicode-escape``.
    """

    start: int
    stop: int
    form: str

    @property
    def is_text(self) -> bool:
        """Whether it is text, which stands for bytes only where the pickle says so."""
        return self.form not in ("plain", "quoted")

    def read(self, content: Content) -> bytes:
        """Return its bytes; those of a text in latin-1, which is how Python 3 writes bytes for Python 2.

        Raises:
            ValueError: when the stored form is damaged.
        """
        return _FORMS[self.form](content[self.start : self.stop])

    def read_short(self, content: Content) -> bytes:
        """Return the bytes of what is a name or a number; read whole, a long one referred to often takes forever.

        Raises:
            ValueError: when it is too long for that, or damaged.
        """
        if self.stop - self.start > LONGEST_NAME:
            raise ValueError(f"{self.stop - self.start} bytes where a name or a number belongs")
        return self.read(content)


@dataclass(eq=False, slots=True)
class Call:
    """Stand for what calling ``function`` would give. The pickle sets ``state`` after it has referred to the object."""

    function: Known
    arguments: tuple[Value, ...]
    state: Value = None


Value: TypeAlias = "int | Stored | Known | Call | tuple[Value, ...] | list[Value] | None"


def symbols(content: Content, place: str) -> Value:
    """Return what the pickle ``content`` describes, of protocols 0 to 5.

    Time and memory grow with the number of operations, which is limited, and not with what they would build: a value
    that is referred to twice is there once.

    Raises:
        DataError: when the pickle is damaged or incomplete, goes on after its end, is written by other operations
            than those of plain values, or names anything but `Known` (names ``place`` and the byte).
    """
    machine, position = _Machine(content), 0
    try:
        for _ in range(MOST_OPERATIONS):
            operation = _operation(content, position)
            machine.perform(operation)
            if operation.name == "STOP":
                return machine.result(operation.end)
            position = operation.end
        raise ValueError(f"more than {MOST_OPERATIONS} operations")
    except ValueError as error:
        raise DataError(
            f"{place}: byte {position}: {error}. This is no verification pack, or a damaged one: it is refused, and "
            "nothing in it was executed; fetch it again from a source you trust"
        ) from error


class _Operation(NamedTuple):
    name: str
    start: int
    stop: int
    end: int


def _operation(content: Content, position: int) -> _Operation:
    """Return the operation at ``position``: where its argument starts and stops, and where the operation ends."""
    if position >= len(content):
        raise ValueError("the file ends too early")
    name, length = _OPERATIONS.get(content[position], ("", 0))
    if not name:
        raise ValueError(f"unexpected operation {content[position : position + 1]!r}")
    start = position + 1
    if length == pickletools.UP_TO_NEWLINE:
        stop = _line_end(content, _line_end(content, start) + 1 if name == "GLOBAL" else start)
        return _Operation(name, start, stop, stop + 1)
    if length < 0:
        prefix = content[start : start + _PREFIXES[length]]
        start += _PREFIXES[length]
        length = int.from_bytes(prefix, "little")
    if start + length > len(content):
        raise ValueError(f"the file ends within {length} bytes")
    return _Operation(name, start, start + length, start + length)


def _line_end(content: Content, start: int) -> int:
    end = content.find(b"\n", start)
    if end < 0:
        raise ValueError("the file ends within a line")
    return end


@dataclass(eq=False)
class _Machine:
    """Hold the stack, the stacks that marks have put aside, and the memo."""

    content: Content
    stack: list[Value] = field(default_factory=list)
    aside: list[list[Value]] = field(default_factory=list)
    memo: dict[int, Value] = field(default_factory=dict)

    def perform(self, operation: _Operation) -> None:
        name, start, stop, _ = operation
        if name in _STRINGS:
            self.push(Stored(start, stop, _STRINGS[name]))
        elif name in _CONSTANTS:
            self.push(_CONSTANTS[name](self.content[start:stop]))
        else:
            _ACTIONS[name](self, self.content[start:stop])

    def result(self, end: int) -> Value:
        if end != len(self.content):
            raise ValueError(f"{len(self.content) - end} bytes follow the end of the pickle")
        if self.aside or len(self.stack) != 1:
            raise ValueError("the pickle ends within a value")
        return self.stack[0]

    def push(self, value: Value) -> None:
        self.stack.append(value)

    def top(self) -> Value:
        if not self.stack:
            raise ValueError("an operation lacks its operand")
        return self.stack[-1]

    def taken(self, count: int) -> list[Value]:
        if len(self.stack) < count:
            raise ValueError("an operation lacks its operands")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def marked(self) -> list[Value]:
        if not self.aside:
            raise ValueError("an operation lacks its mark")
        values, self.stack = self.stack, self.aside.pop()
        return values

    def mark(self) -> None:
        self.aside.append(self.stack)
        self.stack = []

    def extend(self, values: list[Value]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise ValueError("something is appended to what is no list")
        target.extend(values)

    def keep(self, key: int) -> None:
        self.memo[key] = self.top()

    def recall(self, key: int) -> None:
        if key not in self.memo:
            raise ValueError(f"refers to value {key}, which is not there")
        self.push(self.memo[key])

    def name(self, module: bytes, name: bytes) -> None:
        self.push(_known(module, name))

    def name_from_stack(self) -> None:
        module, name = self.taken(2)
        if not isinstance(module, Stored) or not isinstance(name, Stored):
            raise ValueError("no name where one belongs")
        self.name(module.read_short(self.content), name.read_short(self.content))

    def call(self) -> None:
        function, arguments = self.taken(2)
        if not isinstance(function, Known) or not isinstance(arguments, tuple):
            raise ValueError("calls what is no function")
        self.push(Call(function, arguments))

    def build(self) -> None:
        (state,) = self.taken(1)
        target = self.top()
        if not isinstance(target, Call) or target.state is not None:
            raise ValueError("sets the state of what has none to set")
        target.state = state


def _known(module: bytes, name: bytes) -> Known:
    where, what = (part[:LONGEST_NAME].decode("ascii", "backslashreplace") for part in (module, name))
    for known in Known:
        if known.value == f"{MODULES.get(where, where)}.{what}":
            return known
    raise ValueError(f"names {ascii(f'{where}.{what}')[1:-1]}, which no verification pack needs")


def _decimal(text: bytes) -> int:
    if not re.fullmatch(rb"-?[0-9]{1,20}L?", text):
        raise ValueError(f"no whole number: {text[:LONGEST_NAME]!r}")
    return int(text.rstrip(b"L"))


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _unquoted(raw: bytes) -> bytes:
    if len(raw) < 2 or raw[:1] not in (b"'", b'"') or raw[:1] != raw[-1:]:
        raise ValueError("no quotes around it")
    try:
        return codecs.escape_decode(raw[1:-1])[0]
    except Warning as error:  # of an unknown escape, where warnings are errors
        raise ValueError(str(error)) from error


_FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "quoted": _unquoted,
    "utf-8": lambda raw: raw.decode("utf-8").encode("latin-1"),
    "raw-unicode-escape": lambda raw: raw.decode("raw-unicode-escape").encode("latin-1"),
}
_STRINGS: Mapping[str, str] = {
    "STRING": "quoted",
    "UNICODE": "raw-unicode-escape",
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), "utf-8"),
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), "plain"),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"), "plain"),
}
_CONSTANTS: Mapping[str, Callable[[bytes], Value]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    **dict.fromkeys(("INT", "LONG"), _decimal),
    **dict.fromkeys(("BININT", "LONG1"), _signed),
    **dict.fromkeys(("BININT1", "BININT2"), _unsigned),
}
_ACTIONS: Mapping[str, Callable[[_Machine, bytes], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, raw: None),
    "MARK": lambda machine, _: machine.mark(),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "LIST": lambda machine, _: machine.push(machine.marked()),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.taken(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.taken(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.taken(3))),
    "APPEND": lambda machine, _: machine.extend(machine.taken(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "PUT": lambda machine, raw: machine.keep(_decimal(raw)),
    "MEMOIZE": lambda machine, _: machine.keep(len(machine.memo)),
    "GET": lambda machine, raw: machine.recall(_decimal(raw)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, raw: machine.keep(_unsigned(raw))),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, raw: machine.recall(_unsigned(raw))),
    "GLOBAL": lambda machine, raw: machine.name(*raw.split(b"\n")),
    "STACK_GLOBAL": lambda machine, _: machine.name_from_stack(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
_OPERATIONS: Mapping[int, tuple[str, int]] = {
    ord(operation.code): (operation.name, operation.arg.n if operation.arg else 0)
    for operation in pickletools.opcodes
    if operation.name in {*_STRINGS, *_CONSTANTS, *_ACTIONS}
}
"""Opcode -> name and length of the argument, negative where the argument says it itself."""
_PREFIXES: Mapping[int, int] = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
