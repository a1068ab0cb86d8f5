"""Own the dataset plugin for RecordIO files: which files make up a set, and what of it the caches keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from faceassay import DataError, DataPath, FaceDataset, WritableDataset, Written, parameter
from faceassay.datasets import Texts
from faceassay.fingerprints import path_fingerprint
from faceassay_plugins.datasets.archive import Archive
from faceassay_plugins.datasets.encoded import ArchivedFaces
from faceassay_plugins.datasets.kept_arrays import Arrays, all_texts, kept_arrays, texts
from faceassay_plugins.datasets.people import People
from faceassay_plugins.datasets.recordio.identities import LIST_REMEDY, people_of_labels, warn_of_disagreement
from faceassay_plugins.datasets.recordio.index import read_index
from faceassay_plugins.datasets.recordio.layout import ImageRecords, image_records
from faceassay_plugins.datasets.recordio.lists import list_beside, read_list
from faceassay_plugins.datasets.recordio.records import image_of, payload_of
from faceassay_plugins.datasets.recordio.writing import write_records


class RecordIo(ArchivedFaces, WritableDataset):
    """Open a training set in MXNet's RecordIO format: NAME.rec with NAME.idx, as insightface, im2rec and CVLface write.

    Images are in the order of their keys. Identities are named by the number of their label, or, where a list of paths
    (list.txt, NAME.tsv, NAME.lst) lies beside the file, by the folder of the path: in some releases the labels in the
    records mean nothing. A file ``property`` is compared with the labels. Opening looks at the beginning of every
    record, once; images are decoded when they are read.
    """

    name: ClassVar[str] = "recordio"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "MXNet RecordIO training sets: train.rec, train.idx, property; DCFace's list.txt"

    path: DataPath = parameter(description="the .rec file, or the folder that holds exactly one")
    labels: Literal["auto", "record", "paths"] = parameter(
        "auto", description="who is on an image: its record's label, the folder of its path, or what is there and sound"
    )

    def open(self) -> FaceDataset:
        """Open the set.

        Raises:
            DataError: when its files do not belong together, are damaged, or do not say who is on the images.
        """
        rec, idx = _files(self.path)
        listing = list_beside(rec)
        if self.labels == "paths" and listing is None:
            raise DataError(f"{rec}: no list of paths: {LIST_REMEDY}, or say labels: auto or record")
        files = [rec, idx, *([listing] if listing else [])]
        records = ImageRecords(**kept_arrays("recordio 2", [rec, idx], partial(_records, rec, idx)))
        listed = kept_arrays("recordio list 2", files, partial(read_list, listing, records.keys)) if listing else None
        people = self._people(rec, records, listed)
        stored = Records(Archive(rec), records, texts("paths", listed) if listed else None)
        source = "record" if self.labels == "record" or not listed else "paths"
        content = [source, *map(path_fingerprint, files)]
        return self._dataset(stored, people, Texts(len(records.keys), stored.item_id), content, rec)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether ``path`` is a .rec, or a folder that holds one."""
        return path.suffix == ".rec" if path.is_file() else any(path.glob("*.rec"))

    @classmethod
    def write(cls, data: FaceDataset, target: Path, advance: Callable[[int], None]) -> Written:
        """Write a folder as insightface does, with a list of paths (list.txt) that keeps the names of identities.

        Raises:
            DataError: when there are too many images for the format, or a name or an image cannot be written.
            OSError: when it cannot be written.
        """
        return write_records(data, target, advance)

    def _people(self, rec: Path, records: ImageRecords, listed: Arrays | None) -> People:
        if listed and self.labels != "record":
            if moved := int(records.displaced):
                warnings.warn(
                    f"{rec}: {moved} records have the number of another one's key: where they were not shuffled on "
                    "purpose the index is damaged, and the list says of them who is on others"
                )
            return People(listed["labels"], all_texts("names", listed))
        people = people_of_labels(rec, records, trusted=self.labels == "record")
        if listed:
            warn_of_disagreement(rec, people, listed["labels"])
        return people


@dataclass(frozen=True, eq=False)
class Records:
    """Read the images of a `.rec` file; ``paths`` are those of its list."""

    rec: Archive
    records: ImageRecords
    paths: Texts | None
    remedy: ClassVar[str] = "bring the file again"

    def read(self, row: int) -> bytes:
        """Return the image of record ``row`` as it was stored."""
        offset, size = int(self.records.offsets[row]), int(self.records.sizes[row])
        return image_of(payload_of(self.rec.read(offset, size)))

    def place(self, row: int) -> str:
        """Return the file and the key."""
        return f"{self.rec.path}: key {self.item_id(row)}"

    def item_id(self, row: int) -> str:
        """Return the key of image ``row``, and its path where a list says it."""
        key = str(self.records.keys[row])
        return f"{key}:{self.paths[row]}" if self.paths else key


def _records(rec: Path, idx: Path) -> Arrays:
    archive = Archive(rec)
    return vars(image_records(archive, read_index(archive, idx)))


def _files(path: Path) -> tuple[Path, Path]:
    found = sorted(path.glob("*.rec")) if path.is_dir() else [path]
    if len(found) != 1:
        named = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{path} must hold exactly one .rec file (found: {named}): give the path of the file itself")
    (rec,) = found
    idx = rec.with_suffix(".idx")
    if rec.suffix != ".rec" or not idx.is_file():
        raise DataError(
            f"{rec}: a .rec file with its index {idx.name} beside it is needed: give the .rec, bring the .idx"
        )
    return rec, idx
