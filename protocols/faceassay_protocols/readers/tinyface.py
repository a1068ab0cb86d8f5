"""Own the reading of TinyFace: its lists, its three folders of crops, its counts. Scores nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import splitext
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.packs import GalleryPack, spread
from faceassay_protocols.readers.decoding import (
    EncodedImages,
    OtherSizes,
    decoder,
    decoding_fingerprint,
    size_warnings,
    stored_size,
)
from faceassay_protocols.readers.matlab import Value, matlab_variables
from faceassay_protocols.readers.tree import LARGEST_LIST, Tree, inside, joined, open_tree, subtree_with

Counts = Literal["assert", "warn"]
"""What becomes of a set with other counts than TinyFace."""

ALIGNED = "aligned_pad_0.1_pad_high"
DISTRACTORS = "Gallery_Distractor"
COUNTS = {"probes": 3728, "gallery": 4443, "distractors": 153428}
HEADERS_CHECKED = 1000

_IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
_NAMED = 5
_RESIZED = (
    f"TinyFace: published numbers use the aligned tree {ALIGNED}; with crops as found, one user of published weights "
    "got rank-1 46.0 instead of 72.0"
)


@dataclass(frozen=True)
class _List:
    """Name a folder of images, the MATLAB file that lists it and its two variables."""

    folder: str
    file: str
    names: str
    ids: str


_PROBES = _List("Probe", "probe_img_ID_pairs.mat", "probe_set", "probe_ids")
_MATES = _List("Gallery_Match", "gallery_match_img_ID_pairs.mat", "gallery_set", "gallery_ids")
_FOLDERS = {_PROBES.folder, _MATES.folder, DISTRACTORS}


@dataclass(frozen=True)
class _Layout:
    """Say where in ``tree`` the lists are (folder ``lists``) and the three folders of crops (in ``images``)."""

    tree: Tree
    lists: str
    images: str

    @property
    def title(self) -> str:
        """Name the folder of crops: 'as found' beside the lists, unless it is the aligned one."""
        name = PurePosixPath(self.tree.place(self.images)).name
        return "as found" if self.images == self.lists and name != ALIGNED else name

    def files(self, folder: str) -> list[str]:
        """Return the base names of the images in one of the three folders, sorted."""
        names = (PurePosixPath(file).name for file in self.tree.listed(joined(self.images, folder)))
        return [name for name in names if name.lower().endswith(_IMAGES)]


@dataclass(frozen=True, eq=False)
class _Listed:
    """Hold the listed images as ``folder/file``, their identity numbers (int64 [n]), what is odd about them."""

    names: Sequence[str]
    ids: IntArray
    warnings: Sequence[str]


def read_tinyface(
    path: Path, *, images_in: str | None, image_size: int, other_sizes: OtherSizes, counts: Counts = "assert"
) -> GalleryPack:
    """Open TinyFace: every probe against the mated gallery and the distractors (Cheng, Zhu and Gong 2018).

    Names are ``Probe/x.jpg`` and so on: equal file names in two folders stay apart. Who is who is what the lists say;
    their extensions need not be those of the files. The sizes of 1,000 images are checked here, every other one when
    it is decoded.

    Args:
        path: ``tinyface``, the folder above it, ``Testing_Set``, or a zip of one; or a folder of crops by itself with
            the lists in or beside it.
        images_in: folder of ``path`` that holds Probe, Gallery_Match and Gallery_Distractor; by default the aligned
            tree beside or above the lists, else the crops beside the lists.
        image_size: side of the crops in pixels.
        other_sizes: whether other crops are refused or resized.
        counts: whether another number of probes, mates or distractors is an error or a warning.

    Raises:
        DataError: when lists or images are missing or damaged, contradict one another, or counts or sizes are others.
    """
    layout = _layout(path, images_in)
    tree = layout.tree
    probes, mates = _listed(layout, _PROBES), _listed(layout, _MATES)
    distractors = [f"{DISTRACTORS}/{name}" for name in layout.files(DISTRACTORS)]
    found = {"probes": len(probes.names), "gallery": len(mates.names), "distractors": len(distractors)}
    deviations = list(_deviations(found, tree.place(layout.images), counts))
    _require_mates(probes, mates, tree.place(joined(layout.lists, _PROBES.file)))
    names = (*probes.names, *mates.names, *distractors)
    files = [joined(layout.images, name) for name in names]
    resized = list(_resized(tree, files, image_size, other_sizes))
    sha256 = tree.sha256([*(joined(layout.lists, one.file) for one in (_PROBES, _MATES)), *files])
    people, identity = np.unique(np.concatenate([probes.ids, mates.ids]), return_inverse=True)
    return GalleryPack(
        source=EncodedImages(
            names=names,
            fingerprint=decoding_fingerprint(sha256, files, image_size),
            image_size=image_size,
            read=lambda row: tree.read(files[row]),
            place=lambda row: tree.place(files[row]),
            other_sizes=other_sizes,
        ),
        people=[str(person) for person in people],
        notes={
            "sha256": sha256,
            **found,
            "people": len(people),
            "format": "TinyFace lists and folders",
            "tree": layout.title,
            "decoder": decoder(),
        },
        warnings=[*deviations, *probes.warnings, *mates.warnings, *resized],
        probe_ids=identity[: len(probes.ids)],
        gallery_ids=np.append(identity[len(probes.ids) :], np.full(len(distractors), -1)),
    )


def _layout(path: Path, images_in: str | None) -> _Layout:
    tree, lists_needed = open_tree(path), {_PROBES.file, _MATES.file}
    if images_in is None and path.is_dir() and set(tree.folders()) >= _FOLDERS and not lists_needed <= {*tree.listed()}:
        return _layout(path.absolute().parent, path.absolute().name)
    lists = subtree_with(tree, *lists_needed, depth=3)
    images = _aligned(tree, lists) if images_in is None else inside(images_in, str(path))
    if missing := sorted(_FOLDERS - {PurePosixPath(folder).name for folder in tree.folders(images)}):
        raise DataError(
            f"{tree.place(images)}: no folder {', '.join(missing)}: name the one that holds them (images_in)"
        )
    return _Layout(tree, lists, images)


def _aligned(tree: Tree, lists: str) -> str:
    """Return the aligned tree in the folder ``lists`` or one above it, else ``lists``."""
    above = ["" if folder == PurePosixPath(".") else str(folder) for folder in PurePosixPath(lists, "x").parents]
    candidates = (joined(folder, ALIGNED) for folder in above)
    return next((folder for folder in candidates if tree.folders(folder)), lists)


def _listed(layout: _Layout, what: _List) -> _Listed:
    place = layout.tree.place(joined(layout.lists, what.file))
    content = layout.tree.read(joined(layout.lists, what.file), LARGEST_LIST)
    listed, ids = _entries(matlab_variables(content, place), what, place)
    files = layout.files(what.folder)
    names = [f"{what.folder}/{name}" for name in _present(listed, files, layout.tree.place(layout.images), what)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{place}: {len(twice)} images are listed more than once, such as {_some(twice)}")
    return _Listed(names, ids, [*_unlisted(names, files, what, place), *_renamed(listed, ids, place)])


def _entries(variables: dict[str, Value], what: _List, place: str) -> tuple[list[str], IntArray]:
    """Return the file names and the identity numbers (int64 [n]) that a list gives."""
    cells, ids = variables.get(what.names), variables.get(what.ids)
    if not isinstance(cells, list) or not isinstance(ids, np.ndarray):
        raise DataError(f"{place}: no cells {what.names} or no numbers {what.ids}: is this the right file?")
    names = [name for cell in cells if isinstance(name := _only(cell), str)]
    if len(names) != len(cells) or len(names) != len(ids) or not names:
        raise DataError(f"{place}: {len(cells)} cells with {len(names)} file names, {len(ids)} identities")
    if not np.all((ids >= 0) & (ids < 2**31) & (ids == np.rint(ids))):
        raise DataError(f"{place}: {what.ids} holds what is no identity number (0, 1, 2, ...)")
    return names, ids.astype(np.int64)


def _only(cell: Value) -> Value:
    """Return what is in a cell, or in a cell in a cell."""
    while isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    return cell


def _present(listed: Sequence[str], files: Sequence[str], place: str, what: _List) -> list[str]:
    """Return the file of each listed name: the one of that name, else the only one that differs in its extension."""
    by_stem = defaultdict(list)
    for file in files:
        by_stem[splitext(file)[0]].append(file)
    exact = set(files)
    chosen = [[name] if name in exact else by_stem.get(splitext(name)[0], []) for name in listed]
    if lost := [name for name, found in zip(listed, chosen, strict=True) if len(found) != 1]:
        raise DataError(
            f"{place}/{what.folder}: {len(lost)} of {len(listed)} listed images are missing, or there in several "
            f"formats, such as {_some(lost)}: restore them"
        )
    return [found[0] for found in chosen]


def _unlisted(names: Sequence[str], files: Sequence[str], what: _List, place: str) -> Iterator[str]:
    if extra := sorted({f"{what.folder}/{file}" for file in files} - set(names)):
        yield f"{place}: {len(extra)} images of {what.folder} are not listed and not used, such as {_some(extra)}"


def _renamed(listed: Sequence[str], ids: IntArray, place: str) -> Iterator[str]:
    """Yield a warning where names do not start with the identity, which is what other evaluations go by."""
    numbered = zip(listed, ids, strict=True)
    if odd := [f"{name} ({number})" for name, number in numbered if not re.match(f"0*{number}_", name)]:
        yield (
            f"{place}: the identities of {len(odd)} of {len(ids)} images are not the numbers that their names start "
            f"with, such as {_some(odd)}; those of the list are used"
        )


def _deviations(found: dict[str, int], place: str, counts: Counts) -> Iterator[str]:
    wrong = [f"{found[role]} {role} instead of {known}" for role, known in COUNTS.items() if found[role] != known]
    if wrong and counts == "assert":
        raise DataError(
            f"{place}: {', '.join(wrong)}: this is not the whole TinyFace; restore it, or set counts to warn"
        )
    if wrong:
        yield f"{place}: {', '.join(wrong)}: numbers are not comparable with published ones"


def _require_mates(probes: _Listed, mates: _Listed, place: str) -> None:
    if alone := np.flatnonzero(~np.isin(probes.ids, mates.ids)).tolist():
        examples = [f"{probes.names[row]} (identity {probes.ids[row]})" for row in alone]
        raise DataError(f"{place}: {len(alone)} probes have no mate in the gallery, such as {_some(examples)}")


def _resized(tree: Tree, files: Sequence[str], image_size: int, other_sizes: OtherSizes) -> Iterator[str]:
    looked_at = [files[row] for row in spread(np.arange(len(files)), HEADERS_CHECKED).tolist()]
    sizes = ((file, stored_size(tree.read(file), tree.place(file))) for file in looked_at)
    place = f"{tree.path} ({len(looked_at)} of {len(files)} images looked at)"
    for warning in size_warnings(sizes, image_size, other_sizes, place):
        yield from (warning, _RESIZED)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED])
