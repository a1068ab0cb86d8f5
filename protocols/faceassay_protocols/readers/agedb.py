"""Own the reading of AgeDB-30: its MATLAB list of pairs, the names of its images. Scores nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from faceassay.contracts import DataError
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.known import KNOWN
from faceassay_protocols.readers.matlab import Value, matlab_variables
from faceassay_protocols.readers.pair_lists import ListedPair, deviations, pair_pack, stem
from faceassay_protocols.readers.tree import LARGEST_LIST, joined, open_tree, subtree_with

LIST_NAME = "04_FINAL_protocol_30_years.mat"


def read_agedb(path: Path, *, image_size: int, other_sizes: OtherSizes) -> PairPack:
    """Open AgeDB-30 (Moschoglou et al. 2017) as published: a MATLAB list and a folder of images.

    Args:
        path: the folder or zip; the list and the images may lie up to two folders deeper.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when the list is missing, damaged or laid out otherwise, most same pairs are of two people by the
            names of their images, images are missing or damaged, or a size is refused.
    """
    tree = open_tree(path)
    listing = joined(subtree_with(tree, LIST_NAME), LIST_NAME)
    pairs = list(_pairs(matlab_variables(tree.read(listing, LARGEST_LIST), tree.place(listing)), tree.place(listing)))
    field = _person_field(pairs)
    _require_persons(pairs, field, tree.place(listing))
    return pair_pack(
        tree,
        pairs,
        lambda image: _field(image, field),
        lists=[listing],
        warnings=deviations(KNOWN["agedb-30"], pairs, str(path)),
        notes={"format": LIST_NAME},
        image_size=image_size,
        other_sizes=other_sizes,
    )


def _pairs(variables: dict[str, Value], place: str) -> Iterator[ListedPair]:
    """Yield the pairs of ``splits``: per fold the names of their images, first and second in turn, and the labels."""
    splits = variables.get("splits")
    if not isinstance(splits, list):
        raise DataError(f"{place}: no cells called splits: is this the list of AgeDB?")
    for fold, split in enumerate(splits):
        where = f"{place}, fold {fold + 1}"
        names, is_same = _split(split, where)
        for at, same in enumerate(is_same):
            here = f"{where}, pair {at + 1}"
            yield ListedPair(_image(names[2 * at], here), _image(names[2 * at + 1], here), same, fold, here)


def _split(split: Value, place: str) -> tuple[list[Value], list[bool]]:
    match _unwrapped(split):
        case [list() as names, np.ndarray() as labels] if len(names) == 2 * len(labels):
            pass
        case _:
            raise DataError(f"{place}: not two rows of names and a row of as many labels: the list is damaged")
    odd = [label for label in labels.tolist() if label not in (1, -1)]
    if odd:
        raise DataError(f"{place}: label {odd[0]} ({len(odd)} of {len(labels)} are neither 1 nor -1)")
    return names, (labels == 1).tolist()


def _unwrapped(value: Value) -> Value:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _image(value: Value, place: str) -> str:
    """Return the path of an image, the first field of its structure; the second is the age."""
    while isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        raise DataError(f"{place}: no name of an image: the list is damaged")
    return stem(value, place)


def _person_field(pairs: Sequence[ListedPair]) -> int:
    """Return which part of the names between underscores is the person: where the fewest pairs contradict their label.

    The images of the protocol begin with the person (insightface's packer takes the same pairs from it), those of the
    whole set with a running number before the person's name.
    """
    return min((0, 1), key=lambda field: sum(_contradicts(pair, field) for pair in pairs))


def _require_persons(pairs: Sequence[ListedPair], field: int, place: str) -> None:
    """Refuse what a list of n x 2 instead of 2 x n names becomes: neighbours that are no pairs."""
    same = [pair for pair in pairs if pair.is_same]
    parted = [pair for pair in same if _contradicts(pair, field)]
    if 2 * len(parted) > len(same):
        raise DataError(
            f"{place}: {len(parted)} of {len(same)} same pairs are of two people by the names of their images (the "
            f"first: {parted[0].first} and {parted[0].second}): the list is laid out otherwise, fetch it again"
        )


def _contradicts(pair: ListedPair, field: int) -> bool:
    return (_field(pair.first, field) == _field(pair.second, field)) != pair.is_same


def _field(image: str, field: int) -> str:
    fields = image.rpartition("/")[2].split("_")
    return fields[min(field, len(fields) - 1)]
