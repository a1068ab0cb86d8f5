"""Own the index of a `.rec` file: which record is where, checked against the file, with the labels of all records.

Records tile the file: every byte belongs to the record of one key, or the two files do not belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceassay import DataError, FloatArray, IntArray
from faceassay_plugins.datasets.archive import Archive, refuse_named, start_of
from faceassay_plugins.datasets.recordio import records

REMEDY = "The .rec or the .idx is truncated, damaged or of another set: bring both again"
_WINDOW = 2**26
_BEYOND = 4096
"""Bytes after a record's first that are looked at together with all others; records with more labels one by one."""
_WORD = np.dtype("<u4")
_BEGINNING = np.dtype([("labelled", "i8"), ("label", "f4"), ("id", "u8"), ("image", "i8"), ("start", "u4")])


@dataclass(frozen=True, eq=False)
class Index:
    """Describe the N records of a file in the order of their keys.

    Attributes:
        keys, offsets, sizes: key, first byte and bytes (frames and padding included) of each, int64 [N].
        labelled: number of labels that follow the header, 0 where the label is in it, int64 [N].
        labels: the first label, float32 [N].
        ids: the number in the header, by most writers the key, uint64 [N].
        images: bytes of the image, int64 [N].
        starts: its first four bytes as a little-endian number, uint32 [N].
    """

    keys: IntArray
    offsets: IntArray
    sizes: IntArray
    labelled: IntArray
    labels: FloatArray
    ids: NDArray[np.uint64]
    images: IntArray
    starts: NDArray[np.uint32]


def read_index(rec: Archive, idx: Path) -> Index:
    """Read the index and look at the beginning of every record.

    Raises:
        DataError: when the two do not belong together, or one is damaged.
    """
    keys, offsets = _read_keys(idx)
    order = np.argsort(offsets, kind="stable")
    keys, offsets = keys[order], offsets[order]
    sizes = np.diff(offsets, append=rec.size)
    _refuse_gaps(rec, idx, keys, offsets, sizes)
    found = np.concatenate(list(_beginnings(rec, keys, offsets, sizes)))
    by_key = np.argsort(keys, kind="stable")
    columns = (keys, offsets, sizes, *(found[name] for name in ("labelled", "label", "id", "image", "start")))
    return Index(*(column[by_key] for column in columns))


def _read_keys(idx: Path) -> tuple[IntArray, IntArray]:
    from pyarrow import ArrowInvalid, csv, int64

    try:
        table = csv.read_csv(
            str(idx),
            read_options=csv.ReadOptions(column_names=["key", "offset"]),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(column_types={"key": int64(), "offset": int64()}, null_values=[]),
        )
    except (ArrowInvalid, OSError) as error:
        message = f"{idx}: no index of records (lines of key, tab, offset): {error}. {REMEDY}"
        raise DataError(message) from error
    keys, offsets = (table.column(name).to_numpy() for name in ("key", "offset"))
    if not len(keys):
        raise DataError(f"{idx}: no records are listed. {REMEDY}")
    repeated = np.flatnonzero(np.diff(np.sort(keys)) == 0)
    refuse_named(idx, "keys listed twice", [str(np.sort(keys)[place]) for place in repeated], REMEDY)
    return keys, offsets


def _refuse_gaps(rec: Archive, idx: Path, keys: IntArray, offsets: IntArray, sizes: IntArray) -> None:
    if offsets[0] != 0:
        raise DataError(f"{rec.path}: no key of {idx.name} stands for its first bytes. {REMEDY}")
    wrong = (sizes < records.FRAME + records.HEADER) | (offsets % 4 > 0)
    refuse_named(rec.path, f"no record where {idx.name} says", _named(keys[wrong], offsets[wrong]), REMEDY)


def _beginnings(rec: Archive, keys: IntArray, offsets: IntArray, sizes: IntArray) -> Iterator[NDArray[np.void]]:
    """Yield what the records say of themselves, read from the file's beginning to its end in large pieces."""
    first = 0
    while first < len(offsets):
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + _WINDOW)))
        part = slice(first, last)
        start = int(offsets[first])
        length = min(int(offsets[last - 1]) + _BEYOND, rec.size) - start
        words = np.frombuffer(rec.read(start, length - length % 4), dtype=_WORD)
        yield _beginnings_within(rec, words, start, keys[part], offsets[part], sizes[part])
        first = last


def _beginnings_within(
    rec: Archive, words: NDArray[np.uint32], start: int, keys: IntArray, offsets: IntArray, sizes: IntArray
) -> NDArray[np.void]:
    at = (offsets - start) // 4
    kind = words[at + 1] >> records.LENGTH_BITS
    length = (words[at + 1] & (1 << records.LENGTH_BITS) - 1).astype(np.int64)
    wrong = (words[at] != records.MAGIC) | (kind > records.FIRST)
    wrong |= (kind == records.WHOLE) & (records.FRAME + length + -length % 4 != sizes)
    refuse_named(rec.path, "no whole record where the index says", _named(keys[wrong], offsets[wrong]), REMEDY)
    found = np.empty(len(at), dtype=_BEGINNING)
    found["labelled"] = words[at + 2]
    own = np.where(found["labelled"] > 0, 8, 3)  # in words: after frame and header, or within the header
    found["label"] = words.take(at + own, mode="clip").view("<f4")
    found["id"] = words[at + 4] | words[at + 5].astype(np.uint64) << 32
    found["image"] = length - records.HEADER - 4 * found["labelled"]
    found["start"] = words.take(at + 8 + found["labelled"], mode="clip")
    for row in np.flatnonzero((kind == records.FIRST) | (found["labelled"] > _BEYOND // 4 - 16)):
        found[row] = _one_beginning(rec, int(keys[row]), int(offsets[row]), int(sizes[row]))
    short = found["image"] < 0
    refuse_named(rec.path, "records shorter than their labels", _named(keys[short], offsets[short]), REMEDY)
    return found


def _one_beginning(rec: Archive, key: int, offset: int, size: int) -> tuple[int, float, int, int, int]:
    """Read a whole record: one in several parts, or with a long vector of labels."""
    try:
        payload = records.payload_of(rec.read(offset, size))
        labels, image = records.labels_of(payload), records.image_of(payload)
    except ValueError as error:
        raise DataError(f"{rec.path}: key {key} at byte {offset}: {error}. {REMEDY}") from error
    labelled = (len(payload) - records.HEADER - len(image)) // 4
    return labelled, labels[0], records.id_of(payload), len(image), start_of(image)


def _named(keys: IntArray, offsets: IntArray) -> list[str]:
    return [f"key {key} at byte {offset}" for key, offset in zip(keys.tolist(), offsets.tolist(), strict=True)]
