"""Own the distance of two classes in float64: every pair has the same bits wherever and however it is computed."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import IntArray
from faceassay_plugins.selection.numbering import first_numbers, pair_count

Metric = Literal["cosine", "l2"]
Rows = NDArray[np.float64]

TOGETHER = 2**17
"""Numbers gathered at once."""
STRIP = 256
"""Rows that stay in the processor's cache while others pass by."""


def checked_rows(vectors: NDArray[Any], metric: Metric) -> Rows:
    """Return ``vectors`` [L, d] as float64, scaled to unit length under ``cosine``.

    Raises:
        ValueError: when they are no table, a number is not finite, or a row is zero under ``cosine``; names the rows.
    """
    if metric not in ("cosine", "l2"):
        raise ValueError(f"metric must be 'cosine' or 'l2' (got {metric!r})")
    rows = np.array(vectors, dtype=np.float64, order="C")
    if rows.ndim != 2:
        raise ValueError(f"class vectors must be [L, d] (got {list(rows.shape)})")
    _refuse(~np.isfinite(rows).all(axis=1), "hold NaN or infinity")
    if metric == "cosine":
        norms = np.linalg.norm(rows, axis=1)
        _refuse(norms == 0, "are zero and have no direction")
        rows /= norms[:, None]
    return rows


def pair_distances(rows: Rows, pairs: IntArray, metric: Metric) -> NDArray[np.float64]:
    """Return the distance of each pair of ``rows`` (from ``checked_rows``), float64 [N]."""
    found = np.empty(len(pairs))
    step = max(1, TOGETHER // max(1, rows.shape[1]))
    for start in range(0, len(pairs), step):
        first, second = rows[pairs[start : start + step].T]
        found[start : start + step] = _distances(first, second, metric)
    return found


def all_distances(rows: Rows, metric: Metric) -> NDArray[np.float64]:
    """Return the distances of all pairs, float64 [L (L - 1) / 2], in the order (0, 1), (0, 2), ..., (1, 2), ..."""
    classes, number = len(rows), first_numbers(len(rows))
    found = np.empty(pair_count(classes))
    for start in range(0, classes, STRIP):
        strip = rows[start : start + STRIP]
        for i in range(start + len(strip)):
            others = strip[max(0, i + 1 - start) :]
            at = number[i] + start + len(strip) - len(others)
            found[at : at + len(others)] = _distances(rows[i], others, metric)
    return found


def _distances(first: Rows, second: Rows, metric: Metric) -> NDArray[np.float64]:
    # einsum adds up along each row by itself, in an order that depends on its length alone; a matrix product would not.
    if metric == "cosine":
        products: NDArray[np.float64] = np.einsum("d,nd->n" if first.ndim == 1 else "nd,nd->n", first, second)
        return 1.0 - products
    apart = first - second
    squares: NDArray[np.float64] = np.einsum("nd,nd->n", apart, apart)
    return np.sqrt(squares)


def _refuse(wrong: Any, what: str) -> None:
    if wrong.any():
        listed = np.flatnonzero(wrong)
        names = ", ".join(map(str, listed[:5])) + (", ..." if len(listed) > 5 else "")
        raise ValueError(f"{len(listed)} class vectors {what}: rows {names}; train the model that they come from anew")
