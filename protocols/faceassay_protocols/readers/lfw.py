"""Own the reading of LFW: its list of pairs and its folders of people. Scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faceassay.contracts import DataError, Fact
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.known import KNOWN
from faceassay_protocols.readers.pair_lists import ListedPair, deviations, levels, pair_pack, stem, whole
from faceassay_protocols.readers.text import text_lines
from faceassay_protocols.readers.tree import LARGEST_LIST, FolderTree, Tree, joined, open_tree, packs_hint

LIST_NAMES = ("pairs.txt", "lfw_pairs.txt")
"""How the list is called in or beside the images."""


def read_lfw(
    path: Path, *, pairs: Path | None, folds: tuple[int, int] | None, image_size: int, other_sizes: OtherSizes
) -> PairPack:
    """Open LFW: images ``Name/Name_0001.jpg``, pairs from ``pairs.txt`` (Huang et al. 2007, view 2) or one like it.

    Args:
        path: the folder or zip of the images; they may lie up to two folders deeper.
        pairs: the list of pairs; None to look for it in ``path`` and beside it.
        folds: the first and last official fold to keep, from 1; None for all. The kept ones are numbered from 0.
        image_size: side of the images in pixels.
        other_sizes: whether images of another size are resized or refused.

    Raises:
        DataError: when the list is missing or contradicts its header, ``folds`` are not in it, images are missing or
            damaged, or a size is refused.
    """
    tree = open_tree(path)
    source, name = _list(tree, pairs)
    listed = _pairs(source.read(name, LARGEST_LIST), source.place(name))
    kept = _kept(listed, folds, source.place(name)) if folds else listed
    return pair_pack(
        tree,
        kept,
        _person,
        lists=[name] if source is tree else [],
        outside=None if source is tree else source.path / name,
        warnings=deviations(KNOWN["lfw"], listed, str(path)),
        notes={"format": "LFW pairs.txt", **_official(listed, folds)},
        image_size=image_size,
        other_sizes=other_sizes,
    )


def _list(tree: Tree, pairs: Path | None) -> tuple[Tree, str]:
    if pairs is not None:
        return FolderTree(pairs.parent), pairs.name
    for level in levels(tree):
        for name in (joined(folder, name) for folder in level for name in LIST_NAMES):
            if name in tree:
                return tree, name
    beside = FolderTree(tree.path.absolute().parent)
    for name in LIST_NAMES:
        if name in beside:
            return beside, name
    raise DataError(
        f"{tree.path}: no list of pairs; looked for {' and '.join(LIST_NAMES)} in it and in {beside.path}: "
        f"give it as pairs=FILE{packs_hint(tree)}"
    )


def _pairs(content: bytes, place: str) -> list[ListedPair]:
    """Read folds of pairs, each with its same pairs first, as the header in the first line counts them."""
    lines = [(f"{place}:{number}", line.split()) for number, line in text_lines(content, place)]
    if not lines:
        raise DataError(f"{place}: empty: give the list of pairs")
    where, head = lines.pop(0)
    *several, half = [whole(field, where) for field in head]
    folds = several[0] if several else 1
    if len(several) > 1 or not folds * half:
        raise DataError(f"{where}: the first line should give the number of folds and of same pairs in each")
    if len(lines) != 2 * folds * half:
        raise DataError(
            f"{lines[-1][0] if lines else where}: {len(lines)} pairs, but the first line promises {folds} x ({half} "
            f"same + {half} different): the list is damaged, fetch it again"
        )
    return [_pair(fields, at % (2 * half) < half, at // (2 * half), where) for at, (where, fields) in enumerate(lines)]


def _pair(fields: Sequence[str], is_same: bool, fold: int, place: str) -> ListedPair:
    match fields:
        case [person, one, two] if is_same:
            return ListedPair(_image(person, one, place), _image(person, two, place), True, fold, place)
        case [person, one, other, two] if not is_same:
            return ListedPair(_image(person, one, place), _image(other, two, place), False, fold, place)
    wanted = "a same pair: name, number, number" if is_same else "a different pair: name, number, name, number"
    raise DataError(f"{place}: {' '.join(fields)!r} where the first line promises {wanted}")


def _image(person: str, number: str, place: str) -> str:
    return stem(f"{person}/{person}_{whole(number, place):04d}", place)


def _person(image: str) -> str:
    return image.rpartition("_")[0].rpartition("/")[2]


def _kept(listed: Sequence[ListedPair], folds: tuple[int, int], place: str) -> list[ListedPair]:
    first, last = folds
    total = listed[-1].fold + 1
    if not 1 <= first <= last <= total:
        raise DataError(f"{place}: folds {first} to {last} of a list with folds 1 to {total}")
    return [replace(pair, fold=pair.fold - first + 1) for pair in listed if first <= pair.fold + 1 <= last]


def _official(listed: Sequence[ListedPair], folds: tuple[int, int] | None) -> dict[str, Fact]:
    return {"official_folds": f"{folds[0]}-{folds[1]} of {listed[-1].fold + 1}"} if folds else {}
