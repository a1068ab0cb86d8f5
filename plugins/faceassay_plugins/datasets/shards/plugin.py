"""Own the dataset plugin for tar shards: those that a synthesis left, and those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from faceassay import DataError, DataPath, FaceDataset, IntArray, StoreError, WritableDataset, Written, parameter
from faceassay.blocks import tar_member
from faceassay.datasets import Texts
from faceassay.fingerprints import file_digests
from faceassay.shards import ShardDataset, write_shards
from faceassay_plugins.datasets.archive import Archive, Extents
from faceassay_plugins.datasets.encoded import ArchivedFaces
from faceassay_plugins.datasets.images import suffix_of
from faceassay_plugins.datasets.kept_arrays import Arrays, all_texts, kept_arrays, packed, texts
from faceassay_plugins.datasets.people import People
from faceassay_plugins.datasets.shards.scan import Source, scan


class Shards(ArchivedFaces, WritableDataset):
    """Open tar shards in the layout of webdataset: the members of a sample are KEY.jpg, KEY.cls, KEY.json and the like.

    Shards that faceassay wrote (a folder with shards.json) bring their index. Those of others are scanned once, in the
    order of their names; images are in the order of the files, identities in natural order. Compressed tars are
    refused: nothing in them can be found without unpacking all before it.
    """

    name: ClassVar[str] = "shards"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "webdataset tar shards: faceassay's own syntheses and other people's"

    path: DataPath = parameter(description="folder of .tar shards, or one .tar")
    identity: Source = parameter(
        "cls", description="what says who is on an image: member KEY.cls, a field of KEY.json, or the folder in the key"
    )
    json_field: str = parameter("label", description="with identity: json, the field of KEY.json", min_length=1)

    def open(self) -> FaceDataset:
        """Open the shards.

        Raises:
            DataError: when there are none, one is cut or damaged, a sample has not one image and one identity, or an
                identity has too few images.
        """
        if (self.path / "shards.json").is_file():
            return self._own()
        shards = sorted(self.path.glob("*.tar")) if self.path.is_dir() else [self.path]
        if not shards:
            raise DataError(f"{self.path} holds no .tar: give the folder of the shards, or one shard")
        kind = f"shards 1 {self.identity} {self.json_field}"
        found = kept_arrays(kind, shards, partial(_scanned, shards, self.identity, self.json_field))
        people = People(found["labels"], all_texts("names", found))
        columns = (found[name] for name in ("shard", "offsets", "sizes"))
        members = texts("paths", found)
        stored = Extents([Archive(shard) for shard in shards], members, *columns)
        item_ids = Texts(len(members), partial(_item_id, shards, found["shard"], members))
        return self._dataset(stored, people, item_ids, [self.identity, *_digests(shards)])

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether ``path`` is a .tar, or a folder that holds some."""
        return path.suffix == ".tar" if path.is_file() else any(path.glob("*.tar"))

    @classmethod
    def write(cls, data: FaceDataset, target: Path, advance: Callable[[int], None]) -> Written:
        """Write shards with their index, in the order of ``data``: nine digits of the row, and what the image is.

        Members ``.cls`` hold the number of the identity, ``identities.json`` the names.

        Raises:
            DataError: when an image is none.
            OSError: when it cannot be written.
        """
        samples = _samples(data, advance)
        write_shards(target, samples, np.asarray(data.labels, dtype=np.int64), data.identities, data.image_size)
        return Written(np.arange(len(data)), tuple(data.identities))

    def _own(self) -> FaceDataset:
        try:
            written = ShardDataset(self.path)
        except StoreError as error:
            raise DataError(str(error)) from error
        archives = [Archive(shard) for shard in written.shards]
        stored = Extents(archives, written.item_ids, *written.extents.T)
        files = [*written.shards, *(self.path / name for name in ("index.npy", "labels.npy", "identities.json"))]
        return self._dataset(stored, People(written.labels, written.identities), written.item_ids, _digests(files))


def _samples(data: FaceDataset, advance: Callable[[int], None]) -> Iterator[tuple[bytes, int]]:
    for row, label in enumerate(data.labels.tolist()):
        content = data.encoded(row)
        try:
            image = tar_member(f"{row:09d}{suffix_of(content)}", content)
        except ValueError as error:
            raise DataError(f"image {data.item_ids[row]}: {error}: leave it out of the source") from error
        yield image + tar_member(f"{row:09d}.cls", str(label).encode()), len(content)
        advance(1)


def _scanned(shards: Sequence[Path], source: Source, json_field: str) -> Arrays:
    names: list[str] = []
    columns: list[tuple[int, int, int, int]] = []
    numbers: dict[str, int] = {}
    for number, shard in enumerate(shards):
        for image in scan(shard, source, json_field):
            names.append(image.name)
            columns.append((number, image.offset, image.size, numbers.setdefault(image.identity, len(numbers))))
    if not names:
        raise DataError(f"{shards[0].parent}: the shards hold no images")
    shard_of, offsets, sizes, labels = np.array(columns, dtype=np.int64).T
    people = People.in_natural_order(labels, list(numbers))
    return {
        **{"shard": shard_of, "offsets": offsets, "sizes": sizes, "labels": people.labels},
        **packed("paths", names),
        **packed("names", people.identities),
    }


def _item_id(shards: Sequence[Path], shard_of: IntArray, members: Texts, row: int) -> str:
    """Return the member of an image, after its shard: a key may be in several."""
    return f"{shards[shard_of[row]].name}/{members[row]}"


def _digests(files: Sequence[Path]) -> list[str]:
    return list(file_digests(files[0].parent, [file.name for file in files]).values())
