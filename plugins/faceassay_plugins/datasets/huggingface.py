"""Own Hugging Face datasets as `save_to_disk` leaves them: Arrow files that are read in place, by pyarrow alone.

No code of a dataset runs and nothing is fetched. The images themselves are read by their places in the files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from faceassay import DataError, DataPath, FaceDataset, IntArray, parameter
from faceassay.datasets import Texts
from faceassay.fingerprints import file_digests
from faceassay_plugins.datasets.archive import Archive, Extents, escapes, image_starts, refuse_named, start_of
from faceassay_plugins.datasets.encoded import ArchivedFaces
from faceassay_plugins.datasets.kept_arrays import Arrays, all_texts, kept_arrays, packed
from faceassay_plugins.datasets.people import People

if TYPE_CHECKING:
    from pyarrow import Array, Buffer, Table

REMEDY = "Save the dataset anew with save_to_disk"
_END_OF_STREAM = bytes.fromhex("ffffffff00000000")


class HuggingFace(ArchivedFaces):
    """Open a folder that `Dataset.save_to_disk` wrote: state.json, dataset_info.json and Arrow files.

    The column of images holds the bytes of image files (the feature Image, or binary). Labels are whole numbers, class
    labels with names, or texts; identities without an image are left out. Of a `DatasetDict` say which split.
    """

    name: ClassVar[str] = "huggingface"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Hugging Face datasets saved with save_to_disk: Arrow files with image and label columns"

    path: DataPath = parameter(description="folder that holds state.json (or dataset_dict.json, with a split)")
    split: str | None = parameter(
        None, description="which split of a DatasetDict; none where the folder holds just one"
    )
    image_column: str = parameter("image", description="column of the images", min_length=1)
    label_column: str = parameter("label", description="column that says who is on them", min_length=1)

    def open(self) -> FaceDataset:
        """Open the dataset.

        Raises:
            DataError: when the folder is none, files are missing or damaged, columns are not as described, an image is
                missing or empty, or an identity has too few images.
        """
        folder = self._folder()
        names = _data_files(folder)
        files = [folder / name for name in names]
        info = folder / "dataset_info.json"
        described = [info] if info.is_file() else []
        kind = f"huggingface 2 {json.dumps([self.image_column, self.label_column])}"
        found = kept_arrays(kind, [*files, *described], partial(self._read, files, _features(folder)))
        people = People(found["labels"], all_texts("names", found))
        item_ids = Texts(len(people.labels), "{:09d}".format)
        columns = (found[name] for name in ("file", "offsets", "sizes"))
        stored = Extents([Archive(file) for file in files], Texts(len(item_ids), "row {}".format), *columns)
        digests = file_digests(folder, [*names, *(file.name for file in described)])
        content = [self.image_column, self.label_column, *digests.values()]
        return self._dataset(stored, people, item_ids, content, folder)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether ``path`` is a folder that `save_to_disk` wrote."""
        return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))

    def _folder(self) -> Path:
        listing = self.path / "dataset_dict.json"
        if not listing.is_file():
            return self.path
        splits = _document(listing).get("splits")
        known = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
        chosen = self.split or (known[0] if len(known) == 1 else None)
        if chosen not in known or escapes(chosen):
            raise DataError(f"{self.path}: choose one of the splits {', '.join(known)} (split: NAME)")
        return self.path / chosen

    def _read(self, files: Sequence[Path], features: dict[str, Any]) -> Arrays:
        parts = []
        for number, file in enumerate(files):
            for images, said in _columns(file, self.image_column, self.label_column):
                parts.append((np.full(len(images), number), images, said))
        said = [label for _, _, labels in parts for label in labels]
        if not said:
            raise DataError(f"{files[0].parent}: the dataset holds no rows")
        offsets, sizes = np.concatenate([images for _, images, _ in parts]).T
        numbers = np.concatenate([number for number, _, _ in parts])
        people = _people(files[0].parent, said, _class_names(features.get(self.label_column)))
        _refuse_no_images(files, numbers, offsets, sizes)
        return {
            **{"file": numbers, "offsets": offsets, "sizes": sizes, "labels": people.labels},
            **packed("names", people.identities),
        }


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{file} cannot be read ({error}): give the folder that save_to_disk wrote, with state.json in it"
        ) from error
    if not isinstance(document, dict):
        raise DataError(f"{file} is no JSON object. {REMEDY}")
    return document


def _data_files(folder: Path) -> list[str]:
    state = _document(folder / "state.json")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DataError(f"{folder}: rows are chosen by a table of indices. {REMEDY}, after flatten_indices()")
    entries = state.get("_data_files")
    listed = (
        [entry.get("filename") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    names = [name for name in listed if isinstance(name, str) and name and not escapes(name)]
    if not names or names != listed:
        raise DataError(f"{folder / 'state.json'}: names no Arrow files of this folder. {REMEDY}")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    refuse_named(folder / "state.json", "Arrow files that are named twice", repeated, REMEDY)
    return names


def _features(folder: Path) -> dict[str, Any]:
    file = folder / "dataset_info.json"
    features = _document(file).get("features") if file.is_file() else None
    return features if isinstance(features, dict) else {}


def _class_names(feature: Any) -> list[str] | None:
    names = feature.get("names") if isinstance(feature, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else None


def _columns(file: Path, image_column: str, label_column: str) -> Iterator[tuple[IntArray, list[Any]]]:
    """Yield for each batch of rows where its images are (offset and size in the file, int64 [B, 2]) and the labels."""
    import pyarrow

    try:
        with pyarrow.memory_map(str(file)) as mapped:
            whole = mapped.read_buffer()
            if whole[-len(_END_OF_STREAM) :].to_pybytes() != _END_OF_STREAM:
                raise ValueError("the end of the stream is missing: truncated?")
            content = pyarrow.BufferReader(whole)
            with pyarrow.ipc.open_stream(content) as stream:
                table = stream.read_all()
                if content.tell() != whole.size:
                    raise ValueError(
                        f"the stream ends at byte {content.tell():,} of {whole.size:,}: more lies behind it"
                    )
            table.validate(full=True)
            images, labels = (_column(table, name) for name in (image_column, label_column))
            for image, label in zip(images, labels, strict=True):
                yield _places(whole, image), label.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise DataError(f"{file}: {error}. {REMEDY}") from error


def _column(table: Table, name: str) -> list[Array]:
    count = table.column_names.count(name)
    if count != 1:
        known = f"column {name!r} among {', '.join(table.column_names)}"
        raise ValueError(f"{'more than one' if count else 'no'} {known}: say image_column and label_column")
    chunks: list[Array] = table.column(name).chunks
    return chunks


def _places(whole: Buffer, column: Array) -> IntArray:
    """Return offset and size in the file of each binary value of ``column``, int64 [B, 2]."""
    from pyarrow import types

    if types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0 and not column.null_count:
        column = column.field("bytes")
    if not (types.is_binary(column.type) or types.is_large_binary(column.type)):
        raise ValueError(f"images are {column.type}, not the bytes of image files: cast the column to Image")
    if column.null_count:
        raise ValueError("rows without the bytes of an image (paths only): embed the images (embed_external_files)")
    width = np.int32 if types.is_binary(column.type) else np.int64
    ends = np.frombuffer(column.buffers()[1], dtype=width)[column.offset :][: len(column) + 1].astype(np.int64)
    content = column.buffers()[2]
    start = content.address - whole.address if content else 0
    if ends[-1] > ends[0] and not 0 <= start <= whole.size - content.size:
        raise ValueError("the batches are compressed: write them plain")
    return np.stack([start + ends[:-1], np.diff(ends)], axis=1)


def _people(folder: Path, said: Sequence[Any], class_names: Sequence[str] | None) -> People:
    kinds = {type(label) for label in said}
    if kinds not in ({int}, {str}):
        named = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"{folder}: labels must be whole numbers or texts in every row, not {named}. {REMEDY}")
    if class_names is not None and kinds == {int}:
        repeated = [name for name, count in Counter(class_names).items() if count > 1]
        refuse_named(folder, "class names that are there twice, so that identities run together", repeated, REMEDY)
        outside = [f"row {row} ({label})" for row, label in enumerate(said) if not 0 <= label < len(class_names)]
        refuse_named(folder, f"labels beyond the {len(class_names)} class names", outside, REMEDY)
        said = [class_names[label] for label in said]
    numbers: dict[str, int] = {}
    labels = [numbers.setdefault(str(label), len(numbers)) for label in said]
    return People.in_natural_order(labels, list(numbers))


def _refuse_no_images(files: Sequence[Path], numbers: IntArray, offsets: IntArray, sizes: IntArray) -> None:
    archives = [Archive(file) for file in files]
    starts = [
        start_of(archives[number].read(offset, min(size, 4)))
        for number, offset, size in zip(numbers.tolist(), offsets.tolist(), sizes.tolist(), strict=True)
    ]
    bad = np.flatnonzero((sizes == 0) | ~image_starts(starts))
    names = [f"row {row} ({'zero bytes' if sizes[row] == 0 else 'no image format'})" for row in bad]
    refuse_named(files[0].parent, "rows that hold no JPEG, PNG, PNM, BMP or WebP image", names, REMEDY)
