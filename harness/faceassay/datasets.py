"""Own views on a face dataset: a choice of identities or images; what names tell; the search for damaged images.

Copies no pixels, reads no files, and holds no text for each image: a set may have millions.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from faceassay.contracts import DataError, FaceassayError, FaceDataset, FaceImages, ImageBatch, IntArray

_BLOCK = 64
_UNKNOWN_NAMED = 10
_ITEMS_NAMED = 1000


@dataclass(frozen=True, eq=False)
class Texts(Sequence[str]):
    """Be a sequence whose texts are made when they are read: millions of item ids take no memory.

    Attributes:
        length: how many there are.
        text: returns the text at a place, 0 to ``length`` - 1; picklable where the sequence should be.
    """

    length: int
    text: Callable[[int], str]

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(map(self.text, range(self.length)[place]))
        return self.text(range(self.length)[place])

    def __iter__(self) -> Iterator[str]:
        return map(self.text, range(self.length))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to a tuple of other hash


def damaged_images(data: FaceImages, advance: Callable[[int], None] = lambda images: None) -> Iterator[str]:
    """Decode every image, in blocks, and yield what is wrong with each that cannot be decoded: file, place, reason.

    ``advance`` is told how many more images were looked at.
    """
    for start in range(0, len(data), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(data)))
        if _complaint(data, block):
            yield from filter(None, (_complaint(data, block[k : k + 1]) for k in range(len(block))))
        advance(len(block))


def rows(index: ArrayLike, count: int) -> IntArray:
    """Return ``index`` as int64 [B].

    Raises:
        IndexError: when an entry is below 0 or not below ``count``, or is not an integer.
    """
    wanted = np.atleast_1d(np.asarray(index))
    if wanted.size == 0:
        return np.empty(0, dtype=np.int64)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
        raise IndexError(f"an index of images must be integers [B], not {wanted.dtype} {list(wanted.shape)}")
    outside = wanted[(wanted < 0) | (wanted >= count)]
    if len(outside):
        raise IndexError(f"image {outside[0]} of a set of {count}")
    return wanted.astype(np.int64)


def evenly_chosen(rows: IntArray, most: int) -> IntArray:
    """Return ``rows``, or ``most`` of them at even distances from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


def select_identities(dataset: FaceDataset, names: Collection[str]) -> FaceDataset:
    """Return the images of the identities ``names`` as a set of its own, labelled 0 to L-1.

    Identities and images keep the order of ``dataset``; the order of ``names`` does not matter.

    Raises:
        DataError: when a name is not an identity of ``dataset``, or none is given.
    """
    require_known(dataset.identities, names)
    chosen = set(names)
    if not chosen:
        raise DataError("no identities selected: name at least one")
    places = np.array([place for place, name in enumerate(dataset.identities) if name in chosen], dtype=np.int64)
    names = [dataset.identities[place] for place in places]
    positions = np.flatnonzero(np.isin(dataset.labels, places)).astype(np.int64)
    return _selected(dataset, positions, _derived("selection", dataset.fingerprint, *names))


def select_items(dataset: FaceDataset, items: Mapping[str, Collection[str]], opened_by: str = "") -> FaceDataset:
    """Return the images that ``items`` names as a set of its own: for each identity the item ids of its images.

    Identities and images keep the order of ``dataset``; the order of ``items`` does not matter.

    Args:
        dataset: the whole set.
        items: identity -> item ids.
        opened_by: what the fingerprint depends on too: what opened ``dataset``, where no key tells.

    Raises:
        DataError: naming the items that ``dataset`` has not, or has of somebody else; or when none is given.
    """
    owner = {item: name for name, ids in items.items() for item in ids}
    if not owner:
        raise DataError("no images selected: name at least one")
    found = {item: place for place, item in enumerate(dataset.item_ids) if item in owner}
    _refuse_items("not in the set", owner.keys() - found.keys(), len(owner))
    names = {item: dataset.identities[dataset.labels[place]] for item, place in found.items()}
    _refuse_items("of another identity there", {item for item in found if names[item] != owner[item]}, len(owner))
    positions = np.fromiter(found.values(), dtype=np.int64, count=len(found))
    positions.sort()
    return _selected(dataset, positions, _derived("items", opened_by, dataset.fingerprint, *sorted(found)))


def identity_range(identities: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the names from FIRST to LAST, both included, of ``text`` = ``FIRST..LAST``, in the order of the set.

    Raises:
        DataError: when ``text`` is no such range, names an unknown identity, or runs backwards.
    """
    ranges = [
        (text[: dots.start()].strip(), text[dots.start() + 2 :].strip()) for dots in re.finditer(r"(?=\.\.)", text)
    ]
    if not ranges:
        raise DataError(
            f"{text!r} is no range of identities: write FIRST..LAST, e.g. {identities[0]}..{identities[-1]}"
        )
    position = {name: place for place, name in enumerate(identities)}
    # Names may hold dots themselves ("Jr."): the split that yields two names is the one that was meant.
    first, last = next((ends for ends in ranges if position.keys() >= set(ends)), ranges[0])
    require_known(identities, (first, last))
    if position[first] > position[last]:
        raise DataError(f"the range {text!r} runs backwards: in this set {last} comes before {first}")
    return tuple(identities[position[first] : position[last] + 1])


def proper_names(identities: Sequence[str]) -> list[str]:
    """Return the names that are more than a number: ``7`` of one set and ``7`` of another are not one person."""
    return [name for name in identities if not (name.isascii() and name.isdigit())]


def require_known(identities: Sequence[str], names: Collection[str]) -> None:
    """Raise DataError, with the nearest name, where ``names`` holds one that is not of ``identities``."""
    present = set(identities)
    unknown = sorted(set(names) - present)
    if unknown:
        named = ", ".join(_with_suggestion(name, identities) for name in unknown[:_UNKNOWN_NAMED])
        rest = f" and {len(unknown) - _UNKNOWN_NAMED} more" if len(unknown) > _UNKNOWN_NAMED else ""
        raise DataError(f"no such identity among the {len(identities)} of this set: {named}{rest}")


@dataclass(frozen=True, eq=False)
class _Selection:
    """Show the images at ``positions`` of ``whole`` (int64, rising); labels are theirs, of ``identities``."""

    whole: FaceDataset
    positions: IntArray
    labels: IntArray
    identities: tuple[str, ...]
    fingerprint: str

    @property
    def item_ids(self) -> Sequence[str]:
        return Texts(len(self), self._item_id)

    def _item_id(self, place: int) -> str:
        return self.whole.item_ids[int(self.positions[place])]

    @property
    def image_size(self) -> int:
        return self.whole.image_size

    def __len__(self) -> int:
        return len(self.positions)

    def images(self, index: IntArray) -> ImageBatch:
        return self.whole.images(self.positions[rows(index, len(self))])

    def encoded(self, i: int) -> bytes:
        return self.whole.encoded(int(self.positions[rows(i, len(self))[0]]))


def _selected(whole: FaceDataset, positions: IntArray, fingerprint: str) -> _Selection:
    labels = np.asarray(whole.labels)[positions]
    present = np.unique(labels)
    identities = tuple(whole.identities[label] for label in present)
    return _Selection(whole, positions, np.searchsorted(present, labels).astype(np.int64), identities, fingerprint)


def _refuse_items(fault: str, items: Collection[str], wanted: int) -> None:
    if items:
        named = ", ".join(sorted(items)[:_ITEMS_NAMED])
        rest = f" and {len(items) - _ITEMS_NAMED:,} more" if len(items) > _ITEMS_NAMED else ""
        raise DataError(f"{len(items):,} of {wanted:,} selected images are {fault}: {named}{rest}")


def _complaint(data: FaceImages, index: IntArray) -> str:
    try:
        data.images(index)
    except FaceassayError as error:
        return str(error)
    return ""


def _derived(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _with_suggestion(name: str, identities: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, identities, n=1)
    return f"{name!r} (did you mean {close[0]!r}?)" if close else repr(name)
