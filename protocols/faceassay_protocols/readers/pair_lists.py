"""Own the way from named pairs to a pack, which native pair sets share. What a list looks like is the readers'."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceassay.contracts import DataError, Fact, IntArray
from faceassay.fingerprints import path_fingerprint
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.decoding import (
    EncodedImages,
    OtherSizes,
    decoder,
    decoding_fingerprint,
    size_warnings,
    stored_size,
)
from faceassay_protocols.readers.known import KnownPairs
from faceassay_protocols.readers.tree import Tree, combined_sha256, inside, joined, says_aligned

SUFFIXES = (".jpg", ".png", ".jpeg")
"""What an image may end in, whatever its list says: aligned copies are often saved in another format."""

_DEPTH = 2
_NAMED = 10


@dataclass(frozen=True)
class ListedPair:
    """Hold a pair as its list names it.

    Attributes:
        first, second: paths of the images below their folder, without suffix (see `stem`).
        is_same: whether the list calls it a pair of one person.
        fold: official fold, from 0.
        place: where the list says so.
    """

    first: str
    second: str
    is_same: bool
    fold: int
    place: str


def pair_pack(
    tree: Tree,
    pairs: Sequence[ListedPair],
    person: Callable[[str], str],
    *,
    lists: Iterable[str],
    outside: Path | None = None,
    warnings: Iterable[str],
    notes: Mapping[str, Fact],
    image_size: int,
    other_sizes: OtherSizes,
) -> PairPack:
    """Return the pack of ``pairs``: each image once, in the order of its first occurrence, decoded when asked for.

    Args:
        tree: where the images are.
        pairs: the pairs in order.
        person: gives the person on an image from its path without suffix.
        lists: the files of ``tree`` that name the pairs.
        outside: the list of pairs when it is not in ``tree``.
        warnings: what the reader found odd.
        notes: facts that only the reader knows.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when there are no pairs, images are missing or there in several formats (names them), an image is
            none, or a size is refused.
    """
    stems = list(dict.fromkeys(stem for pair in pairs for stem in (pair.first, pair.second)))
    folder = folder_of(tree, stems)
    stored = {stem: _stored(tree, joined(folder, stem)) for stem in stems}
    _require_images(tree, folder, stored, pairs)
    names = [files[0] for files in stored.values()]
    inner = tree.sha256([*names, *lists])
    sha256 = combined_sha256(inner, path_fingerprint(outside)) if outside else inner
    sizes = ((name, stored_size(tree.read(name), tree.place(name))) for name in names)
    persons = [person(stem) for stem in stems]
    people = list(dict.fromkeys(persons))
    return PairPack(
        source=EncodedImages(
            names=names,
            fingerprint=decoding_fingerprint(sha256, names, image_size),
            image_size=image_size,
            read=lambda image: tree.read(names[image]),
            place=lambda image: tree.place(names[image]),
        ),
        people=people,
        identity=_rows(persons, people),
        first=_rows([pair.first for pair in pairs], stems),
        second=_rows([pair.second for pair in pairs], stems),
        is_same=np.array([pair.is_same for pair in pairs]),
        fold=np.array([pair.fold for pair in pairs]),
        notes={
            "sha256": sha256,
            "pairs": len(pairs),
            "same_pairs": sum(pair.is_same for pair in pairs),
            "images": len(names),
            "images_folder": folder or ".",
            "people": len(people),
            "folds": len({pair.fold for pair in pairs}),
            "decoder": decoder(),
            **notes,
        },
        warnings=(
            *warnings,
            *_odd_pairs(pairs, person, str(tree.path)),
            *size_warnings(sizes, image_size, other_sizes, str(tree.path)),
        ),
    )


def deviations(known: KnownPairs, pairs: Sequence[ListedPair], place: str) -> Iterator[str]:
    """Return in one sentence each how ``pairs`` differ from the set that the field knows."""
    return known.deviations(np.array([pair.is_same for pair in pairs], dtype=np.bool_), place)


def stem(name: str, place: str) -> str:
    """Return the path of an image as lists of pairs hold it: normalised, without the suffix of an image file.

    Raises:
        DataError: when it leads out of the pack (``place`` says where it is written).
    """
    name = inside(name, place)
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def whole(text: str, place: str) -> int:
    """Return the whole number that a field of a list holds.

    Raises:
        DataError: when it holds none, or one of ten digits or more (``place`` says where).
    """
    if not re.fullmatch("[0-9]{1,9}", text):
        raise DataError(f"{place}: {text!r} where a whole number should be: is this the right file?")
    return int(text)


def folder_of(tree: Tree, stems: Iterable[str]) -> str:
    """Return the shallowest folder of ``tree`` that holds images of ``stems``, '' where none does.

    Of several, the one is taken whose name says that its images are aligned.

    Raises:
        DataError: when there are several at one depth and their names do not decide.
    """
    tops = {top + suffix for top in {stem.partition("/")[0] for stem in stems} for suffix in ("", *SUFFIXES)}
    for level in levels(tree):
        holding = [folder for folder in level if any(_last(entry) in tops for entry in _entries(tree, folder))]
        chosen = holding if len(holding) == 1 else [folder for folder in holding if says_aligned(_last(folder))]
        if len(chosen) == 1:
            return chosen[0]
        if holding:
            raise DataError(f"{tree.path}: the images are in {' and in '.join(holding)}: leave one, or give that alone")
    return ""


def levels(tree: Tree) -> Iterator[list[str]]:
    """Yield the top of ``tree`` (''), the folders in it, and the folders in those."""
    level = [""]
    for _ in range(_DEPTH + 1):
        yield level
        level = [inner for folder in level for inner in tree.folders(folder)]


def _entries(tree: Tree, folder: str) -> Iterator[str]:
    yield from tree.listed(folder)
    yield from tree.folders(folder)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _stored(tree: Tree, path: str) -> list[str]:
    return [path + suffix for suffix in SUFFIXES if path + suffix in tree]


def _rows(keys: Sequence[str], of: Sequence[str]) -> IntArray:
    """Return where each of ``keys`` is in ``of``, int64 [len(keys)]."""
    row = {key: at for at, key in enumerate(of)}
    return np.array([row[key] for key in keys], dtype=np.int64)


def _require_images(tree: Tree, folder: str, stored: Mapping[str, list[str]], pairs: Sequence[ListedPair]) -> None:
    if not pairs:
        raise DataError(f"{tree.path}: the list of pairs is empty: fetch it again")
    if missing := {stem: joined(folder, stem) + SUFFIXES[0] for stem, files in stored.items() if not files}:
        first = next(pair.place for pair in pairs if pair.first in missing or pair.second in missing)
        raise DataError(
            f"{tree.path}: {len(missing)} of {len(stored)} images are missing, the first one wanted by {first}: "
            f"{_some(list(missing.values()))}. Restore them, or give the folder or zip that holds them"
        )
    if several := [" beside ".join(files) for files in stored.values() if len(files) > 1]:
        raise DataError(
            f"{tree.path}: {len(several)} of {len(stored)} images are there in several formats: {_some(several)}. "
            "Leave one file of each"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _odd_pairs(pairs: Sequence[ListedPair], person: Callable[[str], str], place: str) -> Iterator[str]:
    """Yield one sentence for each way in which pairs contradict the names of their images, or repeat one another."""
    alone, parted, joint = list[str](), list[str](), list[str]()
    for pair in pairs:
        one_person = person(pair.first) == person(pair.second)
        if pair.first == pair.second:
            alone.append(pair.place)
        elif pair.is_same and not one_person:
            parted.append(pair.place)
        elif one_person and not pair.is_same:
            joint.append(pair.place)
    for places, what in (
        (alone, "pair an image with itself"),
        (parted, "are called same, but their images are named after two people"),
        (joint, "are called different, but their images are named after one person"),
        (_repeated(pairs), "pair images that an earlier one pairs already"),
    ):
        if places:
            yield f"{place}: {len(places)} of {len(pairs)} pairs {what} (the first at {places[0]})"


def _repeated(pairs: Sequence[ListedPair]) -> list[str]:
    """Return the places of pairs of two images that are a pair before, in either order."""
    first = {frozenset((pair.first, pair.second)): pair.place for pair in reversed(pairs)}
    return [pair.place for pair in pairs if first[frozenset((pair.first, pair.second))] != pair.place]
