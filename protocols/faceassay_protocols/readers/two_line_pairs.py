"""Own the reading of CALFW and CPLFW: lists of two lines a pair, same pairs first, dealt into folds. Scores nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from faceassay.contracts import DataError
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.known import FOLDS, KNOWN
from faceassay_protocols.readers.pair_lists import ListedPair, deviations, pair_pack, stem, whole
from faceassay_protocols.readers.text import text_lines
from faceassay_protocols.readers.tree import LARGEST_LIST, joined, open_tree, subtree_with

Name = Literal["calfw", "cplfw"]

LARGEST_LABEL = {"calfw": FOLDS, "cplfw": 1}
"""CALFW labels its same pairs with their folds, 1 to 10."""


def read_two_line_pairs(path: Path, *, name: Name, image_size: int, other_sizes: OtherSizes) -> PairPack:
    """Open CALFW (Zheng et al. 2017) or CPLFW (Zheng and Deng 2018) as published.

    The lists hold all same pairs before all different ones. Fold k has the k-th tenth of the same pairs, then the k-th
    tenth of the different ones, as FaceX-Zoo deals them.

    Args:
        path: the folder or zip; the list and the folder of images may lie deeper.
        name: which of the two.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when the list is missing or damaged or cannot be cut into ten folds, images are missing or damaged,
            or a size is refused.
    """
    tree = open_tree(path)
    file = f"pairs_{name.upper()}.txt"
    listing = joined(subtree_with(tree, file), file)
    listed = list(_pairs(tree.read(listing, LARGEST_LIST), tree.place(listing), name))
    pairs = _folded(listed, tree.place(listing))
    return pair_pack(
        tree,
        pairs,
        _person,
        lists=[listing],
        warnings=[*deviations(KNOWN[name], pairs, str(path)), *_misdealt(listed, pairs, str(path))],
        notes={"format": file},
        image_size=image_size,
        other_sizes=other_sizes,
    )


def _pairs(content: bytes, place: str, name: Name) -> Iterator[ListedPair]:
    """Yield the pairs in order; the fold of a same pair is the one that its label would be."""
    lines = [_line(line, f"{place}:{number}", name) for number, line in text_lines(content, place)]
    if len(lines) % 2:
        raise DataError(f"{lines[-1][2]}: the last of {len(lines)} lines has no partner: each pair takes two lines")
    for (first, label, where), (second, other, below) in zip(lines[::2], lines[1::2], strict=True):
        if label != other:
            raise DataError(f"{below}: label {other} below label {label}: the two lines of a pair have the same one")
        yield ListedPair(first, second, label > 0, label - 1, where)


def _line(line: str, place: str, name: Name) -> tuple[str, int, str]:
    fields = line.rsplit(maxsplit=1)
    label = whole(fields[-1], place)
    if len(fields) < 2 or label > LARGEST_LABEL[name]:
        wanted = f"the name of an image and a label from 0 to {LARGEST_LABEL[name]} should be"
        raise DataError(f"{place}: {line!r} where {wanted}: is this the list of {KNOWN[name].title}?")
    return stem(fields[0], place), label, place


def _folded(pairs: Sequence[ListedPair], place: str) -> list[ListedPair]:
    same, different = ([pair for pair in pairs if pair.is_same is kind] for kind in (True, False))
    if len(same) % FOLDS or len(different) % FOLDS:
        raise DataError(
            f"{place}: {len(same)} same and {len(different)} different pairs cannot be cut into {FOLDS} folds: the "
            "list is incomplete, fetch it again"
        )
    return [
        replace(pair, fold=fold)
        for fold in range(FOLDS)
        for kind in (same, different)
        for pair in kind[fold * len(kind) // FOLDS : (fold + 1) * len(kind) // FOLDS]
    ]


def _misdealt(listed: Sequence[ListedPair], dealt: Sequence[ListedPair], place: str) -> Iterator[str]:
    """Yield a warning where labels that number the folds contradict them; labels that are all 1 say only: same."""
    said, given = ([pair for pair in pairs if pair.is_same] for pairs in (listed, dealt))
    odd = [one.place for one, other in zip(said, given, strict=True) if one.fold != other.fold]
    if odd and len({pair.fold for pair in said}) > 1:
        yield (
            f"{place}: the labels of {len(odd)} of {len(said)} same pairs name another fold than their tenth of the "
            f"list (the first at {odd[0]}); the tenths are used"
        )


def _person(image: str) -> str:
    return re.sub("_[0-9]+$", "", image.rpartition("/")[2])
