"""Own templates: one unit vector pooled from the images of a template, and the scores of listed pairs of them.

Source: the IJB evaluation that insightface, AdaFace, CVLface and TFace share; their settings are the options here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.blockwise import blocks, for_each
from faceassay_protocols.embeddings import (
    PAIRS_AT_A_TIME,
    Embeddings,
    Precision,
    named,
    refuse_unusable,
    require_matrix,
    row_lengths,
)
from faceassay_protocols.wording import SHOWN

IMAGES_AT_A_TIME = 512
IMAGES_OF_A_THREAD = 2**15
SCORES_AT_A_TIME = 2**27
"""Scores of a grid held at once: 1 GiB of float64; the grid of IJB-C is half of that and done in one piece."""
CELLS_PER_PAIR = 100
"""A cell of a dense product costs about a hundredth of a pair whose two vectors are gathered."""
LARGEST_SPAN = 2**25
"""Template numbers within such a range are looked up in a table of 128 MiB at most, others searched for."""
PAIR_IDS_AT_A_TIME = 2**16


@dataclass(frozen=True, eq=False)
class Templates:
    """Hold templates: ``ids``, sorted and unique, int64 [T]; ``vectors``, unit rows, float64 or float32 [T, d]."""

    ids: IntArray
    vectors: NDArray[np.floating]


def pool_templates(
    features: Embeddings,
    template_ids: NDArray[np.integer],
    media_ids: NDArray[np.integer],
    *,
    flipped: Embeddings | None = None,
    detector_scores: NDArray[np.floating] | None = None,
    keep_norm: bool = True,
    dtype: Precision = "float64",
    names: Sequence[str] | None = None,
) -> Templates:
    """Pool the embeddings of each template: mean over the images of a medium, sum over its media, scaled to length one.

    Args:
        features: raw embeddings [N, d]; read some images at a time, so they may be memory-mapped.
        template_ids: template of each image [N], in any order.
        media_ids: medium of each image [N], unique within a template only; the frames of a video share it.
        flipped: raw embeddings of the mirrored images [N, d], added first.
        detector_scores: weight of each image [N], 0 or more; one when left out.
        keep_norm: let long embeddings count for more; otherwise each is scaled to length one before it is weighted.
        dtype: what the pooling is computed in.
        names: names of the images, for errors; their rows when left out.

    Raises:
        DataError: when lengths differ, there is no image, an embedding is NaN, infinite or of length zero, a detector
            score is negative or not finite (names the images), or a template's sum is zero (names the templates).
    """
    require_matrix(features, flipped)
    _require_one_each(len(features), template_ids, media_ids, detector_scores, names)
    ids, template = np.unique(template_ids, return_inverse=True)
    weights = _shares(template, media_ids) * _usable_scores(detector_scores, len(features), names)
    vectors = np.zeros((len(ids), features.shape[1]), dtype=dtype)
    lengths = np.empty(len(features))
    by_template = np.argsort(template, kind="stable")

    def add(span: slice) -> None:
        for part in blocks(span.stop, IMAGES_AT_A_TIME, span.start):
            rows = _as_slice(by_template[part])
            images = features[rows].astype(dtype, copy=False)
            if flipped is not None:
                images = images + flipped[rows]
            lengths[rows] = row_lengths(images)
            if not keep_norm:
                with np.errstate(divide="ignore", invalid="ignore"):  # such images are refused below, all at once
                    weights[rows] /= lengths[rows]
            _add(vectors, images, template[rows], weights[rows])

    for_each(_whole_templates(template[by_template]), add)
    refuse_unusable(lengths, names)
    weight = np.asarray(np.bincount(template, weights * lengths), dtype=np.float64)
    rounding = np.finfo(dtype).eps * np.bincount(template) * weight
    return Templates(ids.astype(np.int64), _unit(vectors, ids, rounding))


def score_pairs(
    templates: Templates,
    first_ids: NDArray[np.integer],
    second_ids: NDArray[np.integer],
    *,
    dtype: Precision = "float64",
) -> NDArray[np.floating]:
    """Return the dot products of listed pairs of templates, ``dtype`` [P], in the order of the list.

    Where the list covers a good part of the grid of its first and second templates, as IJB's gallery by probes, the
    grid is computed block by block; otherwise the pairs' vectors are gathered.

    Args:
        templates: the templates.
        first_ids, second_ids: template numbers of each pair [P], in any order; may be memory-mapped.
        dtype: what the products are computed in.

    Raises:
        DataError: when lengths differ or pairs name templates that have no images (names some, counts them).
    """
    first_ids, second_ids = np.asarray(first_ids), np.asarray(second_ids)
    if first_ids.shape != second_ids.shape or first_ids.ndim != 1:
        raise DataError(f"pairs of templates: {first_ids.shape} first and {second_ids.shape} second numbers")
    (first, rows), (second, columns) = (_rows_of(templates.ids, ids) for ids in (first_ids, second_ids))
    _require_images(first_ids, first, second_ids, second)
    vectors = templates.vectors.astype(dtype, copy=False)
    if len(rows) * len(columns) < CELLS_PER_PAIR * len(first):
        return _grid_scores(vectors, first, second, rows, columns)
    return _gathered_scores(vectors, first, second)


def _require_one_each(images: int, *columns: Sequence[object] | NDArray[np.generic] | None) -> None:
    if not images:
        raise DataError("there are no images to pool")
    others = [len(column) for column in columns if column is not None and len(column) != images]
    if others:
        raise DataError(f"{images} embeddings, but {others[0]} templates, media, detector scores or names of images")


def _shares(template: IntArray, media_ids: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return one over the number of images of each image's medium in its template, float64 [N]."""
    _, medium = np.unique(media_ids, return_inverse=True)
    _, group, images = np.unique(template * (medium.max() + 1) + medium, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = 1 / images[group]
    return shares


def _usable_scores(
    detector_scores: NDArray[np.floating] | None, images: int, names: Sequence[str] | None
) -> NDArray[np.float64]:
    if detector_scores is None:
        return np.ones(images)
    weights = np.asarray(detector_scores, dtype=np.float64)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        which = named(wrong, range(images) if names is None else names)
        raise DataError(
            f"detector scores of images {which} are negative, NaN or infinite, which no weight is: restore their list"
        )
    return weights


def _whole_templates(ordered: IntArray) -> list[slice]:
    """Cut the images, given the template of each in order, into spans for threads, no template in two of them."""
    starts = np.unique(np.searchsorted(ordered, ordered[::IMAGES_OF_A_THREAD])).tolist()
    return [slice(start, stop) for start, stop in pairwise([*starts, len(ordered)])]


def _as_slice(rows: IntArray) -> slice | IntArray:
    """Return consecutive ``rows`` as a slice, with which they are read in place."""
    is_run = np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
    return slice(int(rows[0]), int(rows[-1]) + 1) if is_run else rows


def _add(
    vectors: NDArray[np.floating], images: NDArray[np.floating], template: IntArray, weights: NDArray[np.float64]
) -> None:
    """Add weighted ``images`` [n, d] to the rows of ``vectors`` that ``template`` [n], sorted, says."""
    from scipy.sparse import csr_array

    low, high = int(template[0]), int(template[-1]) + 1
    starts = np.searchsorted(template, np.arange(low, high + 1))
    columns = np.arange(len(template))
    pooling = csr_array((weights.astype(vectors.dtype), columns, starts), shape=(high - low, len(template)))
    vectors[low:high] += pooling @ images


def _unit(
    vectors: NDArray[np.floating], ids: NDArray[np.integer], rounding: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Scale ``vectors`` to length one in place, unless one is not longer than its ``rounding`` error."""
    lengths = row_lengths(vectors)
    gone = lengths <= rounding
    if gone.any():
        raise DataError(
            f"templates {named(gone, ids)} point nowhere: all their images weigh nothing (detector score 0) or they "
            "cancel out: restore the list of scores, or choose conventions that do not use it (adaface, tface)"
        )
    vectors /= lengths[:, None]
    return vectors


def _rows_of(ids: IntArray, wanted: NDArray[np.integer]) -> tuple[NDArray[np.int32], IntArray]:
    """Return the row of each of ``wanted`` [P] in sorted ``ids``, -1 where it is not there, and the rows that occur."""
    rows, occurs = np.empty(len(wanted), dtype=np.int32), np.zeros(len(ids), dtype=np.bool_)
    find = _table(ids) if int(ids[-1]) - int(ids[0]) < LARGEST_SPAN else _search(ids)

    def look_up(part: slice) -> None:
        rows[part] = found = find(wanted[part].astype(np.int64))
        occurs[found] = True

    for_each(blocks(len(wanted), PAIR_IDS_AT_A_TIME), look_up)
    return rows, np.flatnonzero(occurs)


def _table(ids: IntArray) -> Callable[[IntArray], IntArray]:
    """Return a lookup in a table with a row for each number of the range, and -1 at both ends for all others."""
    before = ids[0] - 1
    table = np.full(ids[-1] - ids[0] + 3, -1, dtype=np.int32)
    table[ids - before] = np.arange(len(ids))
    return lambda wanted: table.take(wanted - before, mode="clip")


def _search(ids: IntArray) -> Callable[[IntArray], IntArray]:
    def find(wanted: IntArray) -> IntArray:
        rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
        return np.where(ids[rows] == wanted, rows, -1)

    return find


def _require_images(
    first_ids: NDArray[np.integer], first: NDArray[np.int32], second_ids: NDArray[np.integer], second: NDArray[np.int32]
) -> None:
    unknown = (first < 0) | (second < 0)
    if unknown.any():
        strangers = np.union1d(first_ids[first < 0], second_ids[second < 0])
        shown = ", ".join(map(str, strangers[:SHOWN])) + (", ..." if len(strangers) > SHOWN else "")
        raise DataError(
            f"{np.count_nonzero(unknown)} of {len(unknown)} pairs name {len(strangers)} templates without images: "
            f"{shown}: the pair list and the images are not of one set"
        )


def _grid_scores(
    vectors: NDArray[np.floating],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    rows: IntArray,
    columns: IntArray,
) -> NDArray[np.floating]:
    """Pick the scores of pairs from blocks of the grid of ``rows`` and ``columns``, the templates that occur."""
    scores = np.empty(len(first), dtype=vectors.dtype)
    start_of, column_of = np.empty((2, len(vectors)), dtype=np.int64)
    column_of[columns] = np.arange(len(columns))
    right, rows_at_a_time = vectors[columns].T, min(len(rows), max(1, SCORES_AT_A_TIME // len(columns)))
    grid = np.empty((rows_at_a_time, len(columns)), dtype=vectors.dtype)

    def pick(few: slice) -> None:
        inside = (first[few] >= low) & (first[few] <= high)
        some = few if inside.all() else few.start + np.flatnonzero(inside)
        scores[some] = grid.ravel().take(start_of.take(first[some]) + column_of.take(second[some]))

    for part in blocks(len(rows), rows_at_a_time):
        low, high = rows[part][[0, -1]]
        start_of[rows[part]] = np.arange(part.stop - part.start) * len(columns)
        np.matmul(vectors[rows[part]], right, out=grid[: part.stop - part.start])
        for_each(blocks(len(first), PAIR_IDS_AT_A_TIME), pick)
    return scores


def _gathered_scores(
    vectors: NDArray[np.floating], first: NDArray[np.int32], second: NDArray[np.int32]
) -> NDArray[np.floating]:
    """Multiply pair by pair, in the order of the first templates, whose vectors then stay in the cache."""
    scores = np.empty(len(first), dtype=vectors.dtype)
    order = np.argsort(first)

    def multiply(part: slice) -> None:
        some = order[part]
        scores[some] = np.einsum("ij,ij->i", vectors[first[some]], vectors[second[some]])

    for_each(blocks(len(first), PAIRS_AT_A_TIME), multiply)
    return scores
