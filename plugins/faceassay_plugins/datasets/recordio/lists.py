"""Own the lists that lie beside a `.rec` file and say the path each image once had: its identity is the folder.

Read: ``list.txt`` (key, path: DCFace), ``NAME.tsv`` (key, path, label: CVLface), ``NAME.lst`` (key, labels, path:
im2rec). Insightface's own ``.lst``, which has no keys, is passed over: its labels are those of the records.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceassay import DataError, IntArray
from faceassay_plugins.datasets.kept_arrays import Arrays, packed
from faceassay_plugins.datasets.people import People

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

REMEDY = "Bring the list that was written with the .rec, or move it away"


def list_beside(rec: Path) -> Path | None:
    """Return the list of ``rec``, None where there is none."""
    places = (rec.with_name("list.txt"), rec.with_suffix(".tsv"), rec.with_suffix(".lst"))
    return next((place for place in places if place.is_file() and not _is_insightface(place)), None)


def read_list(file: Path, keys: IntArray) -> Arrays:
    """Return ``paths`` (packed texts), ``labels`` (int64 [N]) and ``names`` (packed texts) of the images ``keys``.

    The identity of an image is the whole folder of its path.

    Raises:
        DataError: when the list does not name every image once, or a path has no folder.
    """
    from pyarrow import compute

    table = _table(file)
    listed = table.column(0).to_numpy()
    order = np.argsort(listed, kind="stable")
    if not np.array_equal(listed[order], keys):
        raise DataError(f"{file}: lists {_difference(listed[order], keys)}. {REMEDY}")
    paths = table.column(1).take(order)
    folders = compute.replace_substring_regex(paths, r"/[^/]*$", "")
    bare = compute.index(compute.or_(compute.equal(folders, paths), compute.equal(folders, "")), True).as_py()
    if bare >= 0:
        raise DataError(f"{file}: the path {paths[bare].as_py()!r} names no folder, so no identity. {REMEDY}")
    encoded = folders.combine_chunks().dictionary_encode()
    people = People.in_natural_order(encoded.indices.to_numpy(), encoded.dictionary.to_pylist())
    return {**_packed("paths", paths), "labels": people.labels, **packed("names", people.identities)}


def _is_insightface(file: Path) -> bool:
    """Tell whether a `.lst` has the line: aligned (1 or 0), path, label."""
    first = _first_line(file).split("\t")
    return file.suffix == ".lst" and len(first) > 2 and "/" in first[1]


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline(2**16)


def _table(file: Path) -> Table:
    from pyarrow import ArrowInvalid, csv, int64, string

    columns = _first_line(file).count("\t") + 1
    path = f"f{columns - 1}" if file.suffix == ".lst" else "f1"
    try:
        return csv.read_csv(
            str(file),
            read_options=csv.ReadOptions(autogenerate_column_names=True),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(column_types={"f0": int64(), path: string()}, null_values=[]),
        ).select(["f0", path] if columns > 1 else ["f0", "f1"])
    except (ArrowInvalid, KeyError, OSError) as error:
        raise DataError(f"{file}: no list of images (lines of key, tab, path): {error}. {REMEDY}") from error


def _difference(listed: IntArray, keys: IntArray) -> str:
    if len(np.unique(listed)) < len(listed):
        return "a key twice"
    missing, strange = np.setdiff1d(keys, listed), np.setdiff1d(listed, keys)
    kind, first = ("not", missing[0]) if len(missing) else ("also", strange[0])
    return f"{len(listed):,} images where the .idx has {len(keys):,}, {kind} key {first}"


def _packed(name: str, column: ChunkedArray) -> dict[str, Any]:
    """Return a column of texts as `packed` does, without a Python object for each."""
    from pyarrow import compute, large_string

    array = column.cast(large_string()).combine_chunks()
    ends = np.cumsum(compute.binary_length(array).to_numpy(), dtype=np.int64)
    start = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset] if len(array) else 0
    return {name: np.frombuffer(array.buffers()[2], dtype=np.uint8)[start : start + ends[-1]], f"{name}_ends": ends}
