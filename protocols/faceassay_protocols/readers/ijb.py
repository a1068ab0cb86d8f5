"""Own the packs of IJB-B and IJB-C in the layout of the field: crops or aligned faces, beside lists. Scores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, Fact, ImageBatch, IntArray
from faceassay.datasets import rows
from faceassay_protocols.packs import TemplatePack, spread
from faceassay_protocols.readers.alignment import ALIGNMENT, degenerate, scaled_template, similarity, warped
from faceassay_protocols.readers.decoding import (
    OtherSizes,
    Pixels,
    decoded,
    decoding_fingerprint,
    size_warnings,
    squared,
    stored_size,
)
from faceassay_protocols.readers.ijb_meta import IjbMeta, read_meta, some, templates_file
from faceassay_protocols.readers.tree import (
    Tree,
    combined_sha256,
    inside,
    joined,
    open_tree,
    says_aligned,
    subtree_with,
)

Align = Literal["auto", "five-point", "none"]
Shape = Callable[[Pixels, int], Pixels]
"""Turns the decoded image of a row, uint8 [H, W, 3], into the square one."""

CROPS = "loose_crop"
_SIZES_LOOKED_AT = 1000


@dataclass(frozen=True)
class Known:
    """Say how large a benchmark is: from the public evaluation code, and its assertions where it has some."""

    title: str
    images: int
    templates: int
    pairs: int
    genuine_pairs: int

    def deviations(self, notes: Mapping[str, Fact], place: str) -> Iterator[str]:
        """Yield in one sentence each which counts in ``notes`` differ."""
        for counted in ("images", "templates", "pairs", "genuine_pairs"):
            if notes[counted] != (expected := getattr(self, counted)):
                yield f"{place}: {notes[counted]} {counted.replace('_', ' ')}, {self.title} has {expected}"


KNOWN: Mapping[str, Known] = {
    "ijb-b": Known("IJB-B", images=227_630, templates=12_115, pairs=8_010_270, genuine_pairs=10_270),
    "ijb-c": Known("IJB-C", images=469_375, templates=23_124, pairs=15_658_489, genuine_pairs=19_557),
}


@dataclass(frozen=True)
class _Shaping:
    """Say how decoded images become square: in words, as a function, and what changes when its pixels do."""

    described: str
    shape: Shape
    versions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ShapedImages:
    """Show stored images as square ones (a ``NamedImages``); each is read, decoded and shaped when asked for.

    Attributes:
        names: name of each of the N images.
        fingerprint: sha256 (hex) of what they come from and of how they are made.
        image_size: side in pixels.
        tree, folder: where the image files are.
        shape: makes the square image of a row.
    """

    names: Sequence[str]
    fingerprint: str
    image_size: int
    tree: Tree
    folder: str
    shape: Shape

    def __len__(self) -> int:
        return len(self.names)

    def images(self, index: IntArray) -> ImageBatch:
        """Return the images at ``index`` (int64 [B]) as uint8 [B, S, S, 3] RGB.

        Raises:
            IndexError: when an index is out of range.
            DataError: when an image is missing, damaged or of a size that is refused (names it).
        """
        wanted = rows(index, len(self))
        batch = np.empty((len(wanted), self.image_size, self.image_size, 3), dtype=np.uint8)
        for pixels, row in zip(batch, wanted.tolist(), strict=True):
            name = joined(self.folder, self.names[row])
            pixels[:] = self.shape(decoded(self.tree.read(name), self.tree.place(name)), row)
        return batch


def read_ijb(
    path: Path,
    *,
    name: Literal["ijb-b", "ijb-c"],
    image_size: int = 112,
    align: Align = "auto",
    images_in: str | None = None,
    other_sizes: OtherSizes = "refuse",
) -> TemplatePack:
    """Open IJB-B or IJB-C: ``meta`` with the lists, beside ``loose_crop`` or a folder of aligned faces.

    The lists are parsed once and kept in the cache; images are decoded when asked for.

    Args:
        path: the folder of the benchmark, one above it such as ``IJB_release``, or a zip of either.
        name: which benchmark.
        image_size: side of the images in pixels.
        align: ``five-point`` moves the landmarks of the lists to the ArcFace template, ``none`` takes the images as
            they are, ``auto`` aligns ``loose_crop`` and nothing else.
        images_in: folder of the images, relative to that of the benchmark; by default ``loose_crop``, else the one
            folder whose name says that its images are aligned.
        other_sizes: whether images that are not aligned here and not ``image_size`` pixels square are refused or
            resized.

    Raises:
        DataError: when files are missing or malformed or contradict one another, landmarks cannot be aligned, or one of
            1000 images is damaged or has another size and those are refused.
    """
    code = name.replace("-", "")
    tree, pack = _at(path, templates_file(code))
    meta = read_meta(tree, pack, code)
    folder = _image_folder(tree, pack, images_in)
    files = _present(tree, folder, meta.names)
    if align == "five-point" or (align == "auto" and PurePosixPath(folder).name == CROPS):
        shaping = _five_point(meta, image_size, tree, files, tree.place(folder))
    else:
        shaping = _as_found(tree, files, image_size, other_sizes, tree.place(folder))
    sha256 = tree.sha256([*meta.files, *files])
    made = combined_sha256(decoding_fingerprint(sha256, meta.names, image_size), *shaping.versions)
    notes = {"sha256": sha256, **_counts(meta), **_making(tree, folder), "alignment": shaping.described}
    return TemplatePack(
        source=ShapedImages(meta.names, made, image_size, tree, folder, shaping.shape),
        people=() if meta.subjects is None else [str(subject) for subject in np.unique(meta.subjects[1])],
        notes=notes,
        warnings=[*KNOWN[name].deviations(notes, str(path)), *meta.warnings, *shaping.warnings],
        template_ids=meta.template_ids,
        media_ids=meta.media_ids,
        detector_scores=meta.detector_scores,
        first_ids=meta.first_ids,
        second_ids=meta.second_ids,
        is_same=meta.is_same,
        subjects=meta.subjects,
    )


def _at(path: Path, entry: str) -> tuple[Tree, str]:
    """Find the folder with ``entry``. A folder is opened itself: its hash must not depend on what it lies in."""
    tree = open_tree(path)
    pack = subtree_with(tree, entry)
    return (open_tree(path / pack), "") if path.is_dir() else (tree, pack)


def _image_folder(tree: Tree, pack: str, images_in: str | None) -> str:
    if images_in is not None:
        return joined(pack, inside(images_in, "images_in"))
    folders = tree.folders(pack)
    if (crops := joined(pack, CROPS)) in folders:
        return crops
    found = [folder for folder in folders if says_aligned(PurePosixPath(folder).name)]
    if len(found) != 1:
        raise DataError(
            f"{tree.place(pack)}: holds no {CROPS}, and {len(found)} folders of aligned images"
            f"{''.join(f' {folder}' for folder in found)}: name the folder of the images with images_in"
        )
    return found[0]


def _present(tree: Tree, folder: str, names: Sequence[str]) -> list[str]:
    """Return the files of the images, once a listing shows that all are there."""
    files = [joined(folder, name) for name in names]
    present = {file for inner in {file.rpartition("/")[0] for file in files} for file in tree.listed(inner)}
    missing = [file for file in files if file not in present]
    if missing:
        raise DataError(
            f"{tree.path}: {len(missing)} of {len(files)} images are missing: {some(missing)}. Restore them"
        )
    return files


def _five_point(meta: IjbMeta, image_size: int, tree: Tree, files: Sequence[str], place: str) -> _Shaping:
    if meta.landmarks is None:
        raise DataError(f"{place}: there is no file of landmarks to align with: restore it, or set align to none")
    if (wrong := np.flatnonzero(degenerate(meta.landmarks))).size:
        named = some([meta.names[row] for row in wrong.tolist()])
        raise DataError(f"{place}: the landmarks of {len(wrong)} images cannot be aligned: {named}. Restore them")
    matrices = similarity(meta.landmarks, scaled_template(image_size))
    return _Shaping(
        "five-point similarity, warpAffine as in OpenCV 4",
        lambda pixels, row: warped(pixels, matrices[row], image_size),
        versions=(ALIGNMENT,),
        warnings=tuple(_misplaced(meta.landmarks, tree, files, place)),
    )


def _misplaced(landmarks: NDArray[np.float64], tree: Tree, files: Sequence[str], place: str) -> Iterator[str]:
    """Yield a warning where landmarks cannot be pixels of their crop. One or two outside a crop are no fault."""
    rows, sizes = _sample_sizes(tree, files)
    heights_widths = np.array([size for _, size in sizes])
    points = landmarks[rows]
    centre = points.mean(axis=1)[:, ::-1]
    wrong = (centre < 0).any(1) | (centre > heights_widths).any(1) | (np.ptp(points, axis=1) < 1).all(1)
    if wrong.any():
        yield (
            f"{place}: the landmarks of {np.count_nonzero(wrong)} of {len(sizes)} images looked at are centred outside "
            f"the image or within one pixel, such as {files[rows[np.argmax(wrong)]]}: they must be pixels of the crop; "
            "what is aligned to them is no face"
        )


def _sample_sizes(tree: Tree, files: Sequence[str]) -> tuple[IntArray, list[tuple[str, tuple[int, int]]]]:
    """Return rows evenly spread over the images, int64, and the (file, (height, width)) of each."""
    looked_at = spread(np.arange(len(files)), _SIZES_LOOKED_AT)
    return looked_at, [
        (files[row], stored_size(tree.read(files[row]), tree.place(files[row]))) for row in looked_at.tolist()
    ]


def _as_found(tree: Tree, files: Sequence[str], image_size: int, other_sizes: OtherSizes, place: str) -> _Shaping:
    _, sizes = _sample_sizes(tree, files)
    where = place if len(sizes) == len(files) else f"{place}, a sample"
    warnings = tuple(size_warnings(sizes, image_size, other_sizes, where))

    def shape(pixels: Pixels, row: int) -> Pixels:
        height, width = pixels.shape[:2]
        if other_sizes == "refuse" and (height, width) != (image_size, image_size):
            raise DataError(
                f"{tree.place(files[row])}: {width}x{height} pixels, not {image_size}x{image_size}: align the images "
                "first, or set other_sizes to resize"
            )
        return squared(pixels, image_size)

    return _Shaping("as found", shape, warnings=warnings)


def _counts(meta: IjbMeta) -> dict[str, Fact]:
    genuine = int(np.count_nonzero(meta.is_same))
    counts: dict[str, Fact] = {
        "images": len(meta.names),
        "templates": len(np.unique(meta.template_ids)),
        "media": len(np.unique(meta.media_ids)),
        "pairs": len(meta.is_same),
        "genuine_pairs": genuine,
        "impostor_pairs": len(meta.is_same) - genuine,
    }
    return counts if meta.subjects is None else counts | {"subjects": len(np.unique(meta.subjects[1]))}


def _making(tree: Tree, folder: str) -> dict[str, Fact]:
    import cv2

    kind = "folder" if tree.path.is_dir() else "zip"
    return {
        "format": f"{kind} of images in {PurePosixPath(folder).name} with lists in meta",
        "decoder": f"OpenCV {cv2.__version__}",
    }
