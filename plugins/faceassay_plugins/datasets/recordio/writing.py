"""Own the writing of a `.rec` in insightface's layout: images in the order of identities, then a record for each."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from faceassay import DataError, FaceDataset, Written
from faceassay_plugins.datasets.recordio.layout import EXACT
from faceassay_plugins.datasets.recordio.records import payload_with, record_of
from faceassay_plugins.datasets.written import File, write_files


def write_records(data: FaceDataset, folder: Path, advance: Callable[[int], None]) -> Written:
    """Write train.rec, train.idx, property and list.txt.

    Key 0 is the header: the key after the last image, the key after the last identity. Images have the keys 1 to N and
    as label the place of their identity in natural order; records with the first key of an identity and the one after
    its last follow.

    Raises:
        DataError: when there are too many images for the format, or a name or an image cannot be written.
        OSError: when it cannot be written.
    """
    if len(data) + len(data.identities) >= EXACT:
        raise DataError(
            f"{len(data):,} images of {len(data.identities):,} identities are too many for RecordIO, which counts in "
            "float32 up to 2^24: write shards"
        )
    folder.mkdir()
    with (
        (folder / "train.rec").open("xb") as rec,
        (folder / "train.idx").open("x", encoding="ascii") as idx,
        (folder / "list.txt").open("x", encoding="utf-8") as listing,
    ):
        writing = _Writing(rec, idx, listing)
        written = write_files(data, writing.put, advance)
        people = writing.close()
    (folder / "property").write_text(f"{people},{_height_and_width(data)}\n", encoding="ascii")
    return Written(np.array(writing.rows, dtype=np.int64), written.identities)


def _height_and_width(data: FaceDataset) -> str:
    """Return the size of the first image as it is stored: in sets of this form all have the same."""
    try:
        with Image.open(io.BytesIO(data.encoded(0))) as image:
            return f"{image.height},{image.width}"
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"image {data.item_ids[0]} is damaged: {error}: leave it out of the source") from error


class _Writing:
    """Write records one after another, and note where identities begin."""

    def __init__(self, rec: IO[bytes], idx: IO[str], listing: IO[str]) -> None:
        self.rec, self.idx, self.listing = rec, idx, listing
        self.key = 1
        self.rows: list[int] = []
        self.first: dict[str, int] = {}

    def put(self, file: File) -> None:
        """Write an image."""
        self.first.setdefault(file.folder, self.key)
        self._record([len(self.first) - 1], self.key, file.content)
        self.listing.write(f"{self.key}\t{file.folder}/{file.name}\n")
        self.rows.append(file.row)
        self.key += 1

    def close(self) -> int:
        """Write the identities and the header; return the number of identities."""
        stop = self.key
        starts = [*self.first.values(), stop]
        for place in range(len(self.first)):
            self._record(starts[place : place + 2], stop + place)
        self._record([stop, stop + len(self.first)], 0)
        return len(self.first)

    def _record(self, labels: list[int], key: int, image: bytes = b"") -> None:
        self.idx.write(f"{key}\t{self.rec.tell()}\n")
        try:
            self.rec.write(record_of(payload_with(labels, key, image)))
        except ValueError as error:
            raise DataError(f"key {key}: {error}") from error
