"""Own the lists of IJB-B and IJB-C as the field passes them on: their files, how they fit together. Opens no image.

The crops and the lists of templates and pairs are those of the VGGFace2 authors, the landmarks insightface's; the 1:N
lists are read only for the subjects of the templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.packs import BoolArray
from faceassay_protocols.readers.columns import Columns, Kind, Layout, kept, read_columns
from faceassay_protocols.readers.tree import Tree, joined

KEPT_IN = "ijb"
IMAGES = Layout({"image": "word", "template": "number", "medium": "number"})
PAIRS = Layout({"first": "number", "second": "number", "label": "flag"})
_COORDINATES: tuple[str, ...] = tuple(f"{axis}{point}" for point in range(1, 6) for axis in "xy")
_REALS: dict[str, Kind] = dict.fromkeys((*_COORDINATES, "score"), "real")
ODD_PAIRS = Layout({"repeated": "number", "first": "number", "second": "number", "alone": "number", "with": "number"})
"""Of the pairs: how many an earlier one pairs already, two such templates; how many are of one template, and which."""
LANDMARKS = Layout({"image": "word", **_REALS})
SUBJECTS = Layout({"template": "number", "subject": "number"}, separator="commas")
SUBJECT_LISTS = ("1N_gallery_S1", "1N_gallery_S2", "1N_gallery_G1", "1N_gallery_G2", "1N_probe_mixed")
_NAMED = 5

Subjects = tuple[IntArray, IntArray]
"""Template numbers, ascending, int64 [K], and the subject number of each, int64 [K]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class IjbMeta:
    """Hold what the lists say.

    Attributes:
        names: file name of each of the N crops, in the order of the list of templates.
        template_ids, media_ids: template and medium of each crop, int64 [N].
        landmarks: eyes, nose and mouth corners in each crop, (x, y) in pixels, float64 [N, 5, 2]; None without a file.
        detector_scores: confidence of the detector, float64 [N]; None without that file.
        first_ids, second_ids: templates of each pair, int32 [P]; may be memory-mapped.
        is_same: bool [P]; may be memory-mapped.
        subjects: from the 1:N lists; None where there are none, or they do not cover the templates of the pairs.
        files: names of the files read.
        warnings: what does not fit together but harms no number, one sentence each.
    """

    names: Sequence[str]
    template_ids: IntArray
    media_ids: IntArray
    landmarks: NDArray[np.float64] | None
    detector_scores: NDArray[np.float64] | None
    first_ids: NDArray[np.int32]
    second_ids: NDArray[np.int32]
    is_same: BoolArray
    subjects: Subjects | None
    files: Sequence[str]
    warnings: Sequence[str]


def templates_file(code: str) -> str:
    """Return the name of the file by which the lists of ``code`` (ijbb or ijbc) are found."""
    return f"meta/{code}_face_tid_mid.txt"


def read_meta(tree: Tree, folder: str, code: str) -> IjbMeta:
    """Read the lists of ``code`` (ijbb or ijbc) from the folder ``meta`` in ``folder`` and check them.

    Raises:
        DataError: when the list of templates or of pairs is missing, a file is malformed (names file and line), or the
            files contradict one another (says how often, with examples).
    """
    images_file = joined(folder, templates_file(code))
    pairs_file = joined(folder, f"meta/{code}_template_pair_label.txt")
    landmarks_file = joined(folder, f"meta/{code}_name_5pts_score.txt")
    lists = [joined(folder, f"meta/{code}_{kind}.csv") for kind in SUBJECT_LISTS]
    files = [images_file, pairs_file, *(name for name in (landmarks_file, *lists) if name in tree)]

    images = read_columns(tree, images_file, IMAGES, kept_in=KEPT_IN)
    _refuse_repeated(images["image"], tree.place(images_file))
    pairs = read_columns(tree, pairs_file, PAIRS, kept_in=KEPT_IN)
    paired = np.union1d(np.unique(pairs["first"]), np.unique(pairs["second"]))
    odd = kept(tree, pairs_file, ODD_PAIRS, lambda: _odd_pairs(pairs), kept_in=KEPT_IN)
    faces, warnings = None, [*_unpaired(paired, images["template"], tree.place(pairs_file))]
    warnings += _oddities(odd, len(pairs["label"]), tree.place(pairs_file))
    if landmarks_file in files:
        faces, moved = _in_order_of(images["image"], tree, landmarks_file)
        warnings += moved
    subjects = _subjects(tree, [name for name in lists if name in files])
    if subjects:
        warnings += _contradicted_labels(pairs, subjects, tree.place(pairs_file))
        uncovered = [*_uncovered(paired, subjects, tree.place(pairs_file))]
        warnings, subjects = warnings + uncovered, None if uncovered else subjects
    return IjbMeta(
        names=[name.decode() for name in images["image"].tolist()],
        template_ids=images["template"].astype(np.int64),
        media_ids=images["medium"].astype(np.int64),
        landmarks=None if faces is None else np.stack([faces[axis] for axis in _COORDINATES], 1).reshape(-1, 5, 2),
        detector_scores=None if faces is None else np.array(faces["score"]),
        first_ids=pairs["first"],
        second_ids=pairs["second"],
        is_same=pairs["label"],
        subjects=subjects,
        files=files,
        warnings=warnings,
    )


def _refuse_repeated(names: NDArray[np.bytes_], place: str) -> None:
    distinct, count = np.unique(names, return_counts=True)
    if len(distinct) < len(names):
        raise DataError(f"{place}: images listed more than once: {some(distinct[count > 1])}. Restore the file")


def _unpaired(paired: NDArray[np.int32], templates: NDArray[np.int32], place: str) -> Iterator[str]:
    """Yield a warning where templates are in no pair; refuse pairs of templates that have no image."""
    if len(unknown := np.setdiff1d(paired, templates)):
        raise DataError(
            f"{place}: {len(unknown)} templates have no image in the list of templates: {some(unknown)}. "
            "Do both files belong to this benchmark?"
        )
    if len(unused := np.setdiff1d(templates, paired)):
        yield f"{place}: {len(unused)} templates are in no pair: {some(unused)}"


def _odd_pairs(pairs: Columns) -> Columns:
    """Count as `ODD_PAIRS` says, one entry in each column; 0 for templates that there are none of."""
    first, second = pairs["first"], pairs["second"]
    both = np.minimum(first, second).astype(np.int64) << 32 | np.maximum(first, second)
    both.sort()
    repeated, alone = both[1:][both[1:] == both[:-1]], first[first == second]
    example, one = (int(found[0]) if len(found) else 0 for found in (repeated, alone))
    found = (len(repeated), example >> 32, example & 0xFFFFFFFF, len(alone), one)
    return {title: np.array([number], dtype=np.int32) for title, number in zip(ODD_PAIRS.columns, found, strict=True)}


def _oddities(odd: Columns, pairs: int, place: str) -> Iterator[str]:
    repeated, first, second, alone, template = (int(odd[title][0]) for title in ODD_PAIRS.columns)
    if repeated:
        two = f"such as {first} and {second}"
        yield f"{place}: {repeated} of {pairs} pairs pair templates that another one pairs too, {two}"
    if alone:
        yield f"{place}: {alone} of {pairs} pairs pair a template with itself, such as {template}"


def _in_order_of(names: NDArray[np.bytes_], tree: Tree, file: str) -> tuple[Columns, list[str]]:
    """Read the landmarks in the order of ``names``. The public code relies on the same order in both files."""
    faces, place = read_columns(tree, file, LANDMARKS, kept_in=KEPT_IN), tree.place(file)
    if np.array_equal(faces["image"], names):
        return faces, []
    _refuse_repeated(faces["image"], place)
    missing, extra = np.setdiff1d(names, faces["image"]), np.setdiff1d(faces["image"], names)
    if len(missing) or len(extra):
        raise DataError(
            f"{place}: not the images of the list of templates: {len(missing)} are missing ({some(missing)}), "
            f"{len(extra)} are not in that list ({some(extra)}). Do both files belong to this benchmark?"
        )
    order = np.empty(len(names), dtype=np.int64)
    order[np.argsort(names)] = np.argsort(faces["image"])
    moved = np.count_nonzero(faces["image"] != names)
    warning = (
        f"{place}: {moved} of {len(names)} images stand in other rows than in the list of templates; joined by name, "
        "public code joins by row"
    )
    return {title: column[order] for title, column in faces.items()}, [warning]


def _subjects(tree: Tree, lists: Sequence[str]) -> Subjects | None:
    if not lists:
        return None
    tables = [read_columns(tree, name, SUBJECTS, kept_in=KEPT_IN) for name in lists]
    listed = np.concatenate([np.stack([table["template"], table["subject"]], axis=1) for table in tables])
    said = np.unique(listed, axis=0).astype(np.int64)
    templates, count = np.unique(said[:, 0], return_counts=True)
    if len(templates) < len(said):
        raise DataError(
            f"{', '.join(tree.place(name) for name in lists)}: templates with more than one subject: "
            f"{some(templates[count > 1])}. Restore the files"
        )
    return said[:, 0], said[:, 1]


def _contradicted_labels(pairs: Columns, subjects: Subjects, place: str) -> Iterator[str]:
    import pandas as pd

    index = pd.Index(subjects[0])
    first, second = (index.get_indexer(pd.Index(pairs[side])) for side in ("first", "second"))
    known, equal = (first >= 0) & (second >= 0), subjects[1][first] == subjects[1][second]
    for label, wrong in (("genuine", pairs["label"] & ~equal), ("impostor", ~pairs["label"] & equal)):
        if count := np.count_nonzero(wrong & known):
            said = "different subjects" if label == "genuine" else "one subject"
            yield f"{place}: {count} {label} pairs are of {said} by the 1:N lists"


def _uncovered(paired: NDArray[np.int32], subjects: Subjects, place: str) -> Iterator[str]:
    if len(unlisted := np.setdiff1d(paired, subjects[0])):
        yield (
            f"{place}: {len(unlisted)} of {len(paired)} templates are not in the 1:N lists: {some(unlisted)}; these "
            "lists are not used, genuine pairs tell the subjects"
        )


def some(values: Sequence[Any] | NDArray[Any]) -> str:
    """Name the first few of ``values``, and how many there are where that is not all."""
    shown = ", ".join(value.decode() if isinstance(value, bytes) else str(value) for value in values[:_NAMED])
    return f"{shown}, ... ({len(values)})" if len(values) > _NAMED else shown or "none"
