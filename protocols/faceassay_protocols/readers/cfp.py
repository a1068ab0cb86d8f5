"""Own the reading of CFP: its lists of images, its splits into folds. Scores nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from faceassay.contracts import DataError
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.known import KNOWN
from faceassay_protocols.readers.pair_lists import ListedPair, deviations, pair_pack, stem, whole
from faceassay_protocols.readers.text import text_lines
from faceassay_protocols.readers.tree import LARGEST_LIST, Tree, joined, open_tree, subtree_with

Kind = Literal["FP", "FF"]
"""Frontal with profile, or frontal with frontal."""

PROTOCOL = "Protocol"
SPLIT = {"same.txt": True, "diff.txt": False}
"""The two files of a fold, and what their pairs are."""


def read_cfp(path: Path, *, kind: Kind, image_size: int, other_sizes: OtherSizes) -> PairPack:
    """Open CFP (Sengupta et al. 2016) as published: folders ``Data`` and ``Protocol``.

    Args:
        path: the folder or zip; both folders may lie up to two folders deeper.
        kind: which of its two protocols.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when a list is missing or damaged, names an image that is not there, or a size is refused.
    """
    tree = open_tree(path)
    protocol = joined(subtree_with(tree, f"{PROTOCOL}/Pair_list_F.txt"), PROTOCOL)
    lists = [joined(protocol, f"Pair_list_{pose}.txt") for pose in kind]
    images = [_images(tree, name, protocol) for name in lists]
    folds = _folds(tree, joined(protocol, f"Split/{kind}"))
    files = [(joined(folder, file), fold) for fold, folder in enumerate(folds) for file in SPLIT]
    pairs = [
        ListedPair(*_listed(images, line, place), SPLIT[_last(file)], fold, place)
        for file, fold in files
        for place, line in _lines(tree, file)
    ]
    return pair_pack(
        tree,
        pairs,
        _person,
        lists=[*lists, *(file for file, _ in files)],
        warnings=deviations(KNOWN[f"cfp-{kind.lower()}"], pairs, str(path)),
        notes={"format": f"CFP Protocol/Split/{kind}"},
        image_size=image_size,
        other_sizes=other_sizes,
    )


def _lines(tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    place = tree.place(name)
    return ((f"{place}:{number}", line) for number, line in text_lines(tree.read(name, LARGEST_LIST), place))


def _images(tree: Tree, name: str, protocol: str) -> Mapping[int, str]:
    """Return the path of each image by its number in a list, which gives it as seen from the folder of the list."""
    images = dict[int, str]()
    for place, line in _lines(tree, name):
        fields = line.split(maxsplit=1)
        number, image = whole(fields[0], place), stem(joined(protocol, fields[-1]), place)
        if len(fields) < 2 or image.count("/") < 2 or number in images:
            raise DataError(
                f"{place}: {line!r} where a new number and ../Data/Images/<person>/<pose>/<image> should be"
            )
        images[number] = image
    return images


def _folds(tree: Tree, split: str) -> list[str]:
    folders = [folder for folder in tree.folders(split) if re.fullmatch("[0-9]{2}", _last(folder))]
    if not folders or [int(_last(folder)) for folder in folders] != list(range(1, len(folders) + 1)):
        found = " ".join(map(_last, folders)) or "no folder"
        raise DataError(f"{tree.place(split)}: {found} where the folds 01 to 10 should be: restore them")
    return folders


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _listed(images: list[Mapping[int, str]], line: str, place: str) -> tuple[str, str]:
    numbers = [whole(number.strip(), place) for number in line.split(",")]
    if len(numbers) != 2:
        raise DataError(f"{place}: {line!r} where two numbers of images should be, as in 12,345")
    for number, listed in zip(numbers, images, strict=True):
        if number not in listed:
            raise DataError(f"{place}: image {number} of a list of {len(listed)}")
    return images[0][numbers[0]], images[1][numbers[1]]


def _person(image: str) -> str:
    return image.split("/")[-3]
