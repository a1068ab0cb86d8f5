"""Own large tables of text: a fast parse, the line of a fault, arrays kept for the next opening. Knows no benchmark."""

from __future__ import annotations

import csv
import hashlib
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError
from faceassay.fingerprints import cache_folder, path_fingerprint
from faceassay_protocols.readers.text import text_lines
from faceassay_protocols.readers.tree import Tree

Kind = Literal["word", "number", "flag", "real"]
Columns = Mapping[str, NDArray[Any]]

PARSING = "2"
"""Raised when the same file parses to other arrays, or to none."""
LARGEST_NUMBER = 2**31 - 1
KEPT_AS: Mapping[Kind, str] = {"word": "|S", "number": "<i4", "flag": "|b1", "real": "<f8"}
_EXPECTED: Mapping[Kind, str] = {
    "word": "a name",
    "number": f"a number from 0 to {LARGEST_NUMBER}",
    "flag": "0 or 1",
    "real": "a finite number",
}
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_HEXADECIMAL = (b"0x", b"0X")
"""What the fast parser takes for the beginning of a number, and nobody else."""
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FAULTS_NAMED = 5


@dataclass(frozen=True)
class Layout:
    """Say what a table looks like.

    Attributes:
        columns: kind of each column by its title, from the left. A ``word`` is kept as UTF-8 bytes, a ``number`` (0 to
            2^31 - 1) as int32, a ``flag`` (0 or 1) as bool, a ``real`` (finite) as float64.
        separator: ``blanks``: blanks or tabs between all columns there are, no header; ``commas``: a header row, and
            further columns that do not matter. No title of it may name another one of ``columns`` than its own.
    """

    columns: Mapping[str, Kind]
    separator: Literal["blanks", "commas"] = "blanks"


def read_columns(tree: Tree, name: str, layout: Layout, *, kept_in: str) -> Columns:
    """Return the columns of a table by their titles, one entry for each line; they may be memory-mapped.

    What a file holds is parsed once and kept in the folder ``kept_in`` of the cache, under the sha256 of its source:
    the file, or the zip that it is in. A cache that cannot be used costs parsing again.

    Raises:
        DataError: when the file is missing, empty, or a line is not as ``layout`` says (names the file and the line).
    """
    return kept(tree, name, layout, lambda: parsed(tree.read(name), tree.place(name), layout), kept_in=kept_in)


def kept(tree: Tree, name: str, layout: Layout, make: Callable[[], Columns], *, kept_in: str) -> Columns:
    """Return the columns that ``make`` makes of a table, or made of the same table for the same ``layout`` before.

    ``layout`` must be another one where ``make`` gives something else. See `read_columns` for where they are kept.
    """
    folder = _folder_for(tree, name, layout, kept_in)
    columns = _kept(folder, layout) if folder else None
    if columns is None:
        columns = make()
        if folder:
            _keep(folder, columns)
    return columns


def parsed(content: bytes, place: str, layout: Layout) -> Columns:
    """Return the columns of a table given as text. Byte order mark, line ends, empty lines below titles do not matter.

    Raises:
        DataError: as `read_columns`; ``place`` names the file.
    """
    import pyarrow

    try:
        table = _fast_table(content, layout)
    except pyarrow.ArrowException as error:
        raise DataError(_faults(content, place, layout, str(error))) from error
    columns = {title: table.column(at).to_numpy() for at, title in enumerate(layout.columns)}
    fits = all(_fits(columns[title], kind) for title, kind in layout.columns.items())
    unlike = not table.num_rows or not fits or b"\0" in content or _title_fault(content, layout)
    if unlike or (any(mark in content for mark in _HEXADECIMAL) and _line_faults(content, place, layout)):
        raise DataError(_faults(content, place, layout, "no lines, or binary content"))
    return {title: _as_kept(columns[title], kind) for title, kind in layout.columns.items()}


def _fast_table(content: bytes, layout: Layout) -> Any:
    import pyarrow
    from pyarrow import csv as arrow

    types = {
        "word": pyarrow.string(),
        "number": pyarrow.int32(),
        "flag": pyarrow.int32(),
        "real": pyarrow.float64(),
    }
    blanks, kinds = layout.separator == "blanks", layout.columns.values()
    titles = [f"f{at}" for at in range(len(layout.columns))]  # as the parser calls the columns of a file without titles
    return arrow.read_csv(
        pyarrow.BufferReader(_single_blanks(content) if blanks else content),
        read_options=arrow.ReadOptions(
            skip_rows=0 if blanks else 1,
            column_names=titles if blanks else None,
            autogenerate_column_names=not blanks,
        ),
        parse_options=arrow.ParseOptions(delimiter=" " if blanks else ",", quote_char=False if blanks else '"'),
        convert_options=arrow.ConvertOptions(
            include_columns=titles,
            column_types={title: types[kind] for title, kind in zip(titles, kinds, strict=True)},
            null_values=[],
        ),
    )


def _single_blanks(content: bytes) -> bytes:
    even = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").replace(b"\t", b" ")
    while b"  " in even:
        even = even.replace(b"  ", b" ")
    return even.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _fits(column: NDArray[Any], kind: Kind) -> bool:
    if kind == "real":
        return bool(np.isfinite(column).all())
    highest = 1 if kind == "flag" else LARGEST_NUMBER
    return kind == "word" or not len(column) or bool(column.min() >= 0 and column.max() <= highest)


def _as_kept(column: NDArray[Any], kind: Kind) -> NDArray[Any]:
    if kind == "word":
        return np.array([word.encode() for word in column])
    return column.astype(KEPT_AS[kind], copy=False)


def _title_fault(content: bytes, layout: Layout) -> str:
    """Say what is wrong with the row of titles, which the parser skips."""
    if layout.separator == "blanks":
        return ""
    line = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("utf-8-sig", "replace").strip().lower()
    if not line or re.match('"?[0-9]+"? *,', line):
        return "the row of titles is missing: this line would be taken for it"
    titles = zip(layout.columns, line.split(","), strict=False)
    moved = [(column, title) for column, title in titles if _names_another(title, column, layout)]
    return ", ".join(f"{title} is the title where the column of {column}s should be" for column, title in moved)


def _names_another(title: str, column: str, layout: Layout) -> bool:
    return column not in title and any(other in title for other in layout.columns)


def _faults(content: bytes, place: str, layout: Layout, otherwise: str) -> str:
    """Name the first lines that are not as ``layout`` says, or else say ``otherwise``."""
    if fault := _title_fault(content, layout):
        return f"{place}:1: {fault}"
    return _line_faults(content, place, layout) or f"{place}: not a table, or an empty one ({otherwise})"


def _line_faults(content: bytes, place: str, layout: Layout) -> str:
    rows, titles = text_lines(content, place), list(layout.columns)
    if layout.separator == "commas":
        titles = max(titles, _words(next(rows, (1, ""))[1], layout), key=len)
    faults = (f"{place}:{number}: {fault}" for number, line in rows if (fault := _line_fault(line, layout, titles)))
    return "; ".join(islice(faults, _FAULTS_NAMED))


def _line_fault(line: str, layout: Layout, titles: Sequence[str]) -> str:
    words = _words(line, layout)
    if len(words) != len(titles):
        return f"{len(words)} columns instead of {len(titles)} ({', '.join(titles)})"
    entries = zip(layout.columns.items(), words, strict=False)
    wrong = [f"{title} is {word!r}, not {_EXPECTED[kind]}" for (title, kind), word in entries if not _is(word, kind)]
    return ", ".join(wrong)


def _words(line: str, layout: Layout) -> list[str]:
    return next(csv.reader([line])) if layout.separator == "commas" else re.split(r"[ \t]+", line)


def _is(word: str, kind: Kind) -> bool:
    if kind == "word":
        return "\0" not in word
    if kind == "real":
        return bool(_REAL.fullmatch(word)) and math.isfinite(float(word))
    highest = 1 if kind == "flag" else LARGEST_NUMBER
    return bool(_INTEGER.fullmatch(word.strip())) and 0 <= int(word) <= highest


def _folder_for(tree: Tree, name: str, layout: Layout, kept_in: str) -> Path | None:
    """Return where the columns are kept; read in another layout they are kept in another folder."""
    file = tree.path / name
    source = path_fingerprint(file if file.is_file() else tree.path)
    reading = hashlib.sha256(f"{PARSING}\n{name}\n{layout}".encode()).hexdigest()
    try:
        return cache_folder() / kept_in / source / reading[:16]
    except RuntimeError:  # there is no home
        return None


def _kept(folder: Path, layout: Layout) -> Columns | None:
    try:
        columns = {title: np.load(folder / f"{title}.npy", mmap_mode="r") for title in layout.columns}
    except (OSError, EOFError, ValueError, OverflowError):  # not there, or damaged
        return None
    shapes = {column.shape for column in columns.values()}
    known = all(columns[title].dtype.str.startswith(KEPT_AS[kind]) for title, kind in layout.columns.items())
    return columns if known and len(shapes) == 1 and len(shapes.pop()) == 1 else None


def _keep(folder: Path, columns: Columns) -> None:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for title, column in columns.items():
            _write(folder / f"{title}.npy", column)


def _write(path: Path, column: NDArray[Any]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            np.save(file, column)
            file.flush()
            os.fsync(file.fileno())  # a crash must not leave the right length of zeros under the final name
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
