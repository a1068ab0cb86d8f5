"""Own views that make one training set of several: their union, who counts as one person in it, and the balance.

Copies no pixels and holds no text for each image. Which sets a row mixes is the expansion's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from faceassay.contracts import DataError, FaceDataset, ImageBatch, IntArray
from faceassay.datasets import Texts, rows

People = Literal["joined", "apart"]
"""Whether identities of one name in two sets are one person, or every set has people of its own."""
Balance = Literal["images", "sources"]
"""What an epoch has in equal parts: images, each once, or sets, those of smaller ones repeated."""
REAL, SYNTHETIC = "real", "synthetic"


class Origin(NamedTuple):
    """Say where an image of a union is from: the name of its set, its row there, and its item id there."""

    part: str
    row: int
    item_id: str


@dataclass(frozen=True, eq=False)
class Union:
    """Hold several sets as one, their images one after the other. Make it with `union`."""

    parts: Mapping[str, FaceDataset]
    people: People

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Names in the order of the sets; of people kept apart each has the name of its set before it."""
        if self.people == "apart":
            return tuple(f"{name}/{person}" for name, part in self.parts.items() for person in part.identities)
        return tuple(dict.fromkeys(person for part in self.parts.values() for person in part.identities))

    @cached_property
    def labels(self) -> IntArray:
        """Identity index of each image, int64 [N]."""
        moved = zip(self._labels_here(), self.parts.values(), strict=True)
        return np.concatenate([here[part.labels] for here, part in moved])

    def _labels_here(self) -> Iterator[IntArray]:
        """Yield for each set the label here of each of its identities."""
        label = {person: label for label, person in enumerate(self.identities)}
        start = 0
        for part in self.parts.values():
            end = start + len(part.identities)
            joined = self.people == "joined"
            yield np.array([label[person] for person in part.identities] if joined else range(start, end), np.int64)
            start = end

    @cached_property
    def starts(self) -> IntArray:
        """Row of the first image of each set, int64 [sets]."""
        return np.cumsum([0, *map(len, self.parts.values())], dtype=np.int64)[:-1]

    def origin(self, i: int) -> Origin:
        """Return where image ``i`` is from.

        Raises:
            IndexError: when there is no such image.
        """
        wanted = rows(i, len(self))
        number = int(self._parts_of(wanted)[0])
        name, row = list(self.parts)[number], int(wanted[0] - self.starts[number])
        return Origin(name, row, self.parts[name].item_ids[row])

    @property
    def item_ids(self) -> Sequence[str]:
        """Item ids of the sets, each with the name of its set before it."""
        return Texts(len(self), self._item_id)

    def _item_id(self, place: int) -> str:
        origin = self.origin(place)
        return f"{origin.part}/{origin.item_id}"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of the fingerprints of the sets, their names, and who counts as one person."""
        return _derived("union", self.people, {name: part.fingerprint for name, part in self.parts.items()})

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return next(iter(self.parts.values())).image_size

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index``, each read from its set."""
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        of = self._parts_of(wanted)
        for number, part in enumerate(self.parts.values()):
            here = of == number
            if here.any():
                batch[here] = part.images(wanted[here] - self.starts[number])
        return batch

    def encoded(self, i: int) -> bytes:
        """Return the stored file of image ``i``, unchanged."""
        origin = self.origin(i)
        return self.parts[origin.part].encoded(origin.row)

    def _parts_of(self, wanted: IntArray) -> IntArray:
        return np.searchsorted(self.starts, wanted, side="right") - 1


@dataclass(frozen=True, eq=False)
class Balanced:
    """Hold a union in which every set has as many rows as the largest; smaller ones are repeated in turn.

    With n images in a set and m in the largest, each of the n has floor(m / n) or ceil(m / n) rows: a random batch has
    the same expected share of every set. Make it with `balanced`.
    """

    whole: Union

    @cached_property
    def _counts(self) -> IntArray:
        return np.array([len(part) for part in self.whole.parts.values()], dtype=np.int64)

    @property
    def identities(self) -> Sequence[str]:
        """Those of the union."""
        return self.whole.identities

    @cached_property
    def labels(self) -> IntArray:
        """Identity index of each row, int64 [sets x largest]."""
        shares = zip(self.whole.starts, self._counts, strict=True)
        longest = self._counts.max()
        return np.concatenate([np.resize(self.whole.labels[start : start + n], longest) for start, n in shares])

    def origin(self, i: int) -> Origin:
        """Return where row ``i`` is from.

        Raises:
            IndexError: when there is no such row.
        """
        return self.whole.origin(int(self._rows(rows(i, len(self)))[0]))

    @property
    def item_ids(self) -> Sequence[str]:
        """Item ids of the union; those of repeated images are repeated."""
        return Texts(len(self), self._item_id)

    def _item_id(self, place: int) -> str:
        origin = self.origin(place)
        return f"{origin.part}/{origin.item_id}"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of that of the union."""
        return _derived("balanced", self.whole.fingerprint)

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return self.whole.image_size

    def __len__(self) -> int:
        return len(self._counts) * int(self._counts.max())

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images of the rows at ``index``."""
        return self.whole.images(self._rows(rows(index, len(self))))

    def encoded(self, i: int) -> bytes:
        """Return the stored file of row ``i``, unchanged."""
        return self.whole.encoded(int(self._rows(rows(i, len(self)))[0]))

    def _rows(self, wanted: IntArray) -> IntArray:
        """Return the rows of the union: row k of a set's share is its image k modulo their number."""
        longest = int(self._counts.max())
        part = wanted // longest
        turned: IntArray = self.whole.starts[part] + wanted % longest % self._counts[part]
        return turned


@dataclass(frozen=True)
class Mixture:
    """Say how a row makes one training set of real and synthetic images; an input of its recognizer, so in its key.

    Attributes:
        people: whether identities of one name are one person.
        balance: what an epoch has in equal parts.
    """

    people: People = "joined"
    balance: Balance = "images"

    def of(self, real: FaceDataset, synthetic: FaceDataset) -> FaceDataset:
        """Return the training set.

        Raises:
            DataError: when the image sizes differ.
        """
        both = union({REAL: real, SYNTHETIC: synthetic}, self.people)
        return balanced(both) if self.balance == "sources" else both

    def epoch(self, real: int, synthetic: int) -> int:
        """Return the rows of an epoch over so many ``real`` and ``synthetic`` images."""
        return 2 * max(real, synthetic) if self.balance == "sources" else real + synthetic

    @property
    def name(self) -> str:
        """What people call this input."""
        return f"people {self.people}, equal {self.balance}"

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the choices."""
        return _derived("mixture", asdict(self))

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for it."""
        return {"mixture": asdict(self)}

    @property
    def absent(self) -> str:
        """Nothing: it has no files."""
        return ""

    def open(self, device: str = "cpu", threads: int = 1) -> Mixture:
        """Return itself."""
        return self


def union(parts: Mapping[str, FaceDataset], people: People = "joined") -> Union:
    """Return the images of all ``parts``, one set after the other, as one set.

    Args:
        parts: the sets by name; item ids get the name and a slash before them.
        people: ``joined``: identities of the same name are one identity, and new names follow those of earlier sets.
            ``apart``: each set has identities of its own, whose names get the name of the set and a slash before them.

    Raises:
        DataError: when there is no set, or the image sizes differ.
    """
    sizes = list(dict.fromkeys(part.image_size for part in parts.values()))
    if len(sizes) != 1:
        what = " and of ".join(f"{size} px" for size in sizes)
        raise DataError(f"images of {what or 'no set'} cannot be one set: give all the same image_size")
    return Union(dict(parts), people)


def balanced(whole: Union) -> Balanced:
    """Return ``whole`` with as many rows of each set as the largest has images.

    Raises:
        DataError: when a set has no images.
    """
    for name, part in whole.parts.items():
        if not len(part):
            raise DataError(f"the {name} set has no images: there is nothing to balance, leave 'balance' out")
    return Balanced(whole)


def _derived(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
