"""Tell the attributes of the real images, once for every stage that is conditioned on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from faceassay.contracts import (
    Attribute,
    AttributePredictor,
    AttributeTable,
    FaceassayError,
    FaceDataset,
    FloatArray,
    IntArray,
    Sources,
    StageContext,
)

BATCH = 256
"""Images in memory together."""


def run(plugin: AttributePredictor, sources: Sources, context: StageContext) -> None:
    """Predict and write ``values.npy``, float32 [N, A], and ``columns.json``.

    Raises:
        DataError: when values are out of the ranges of their columns.
        FaceassayError: when the plugin returns anything but one row per image and one column per attribute.
    """
    data, columns = sources.real, plugin.columns()
    table = AttributeTable(columns, predicted(plugin, data, np.arange(len(data)), context))
    np.save(context.folder / "values.npy", table.values)
    (context.folder / "columns.json").write_text(json.dumps([asdict(column) for column in columns], indent=1))


def predicted(
    plugin: AttributePredictor, data: FaceDataset, rows: IntArray, context: StageContext | None = None
) -> FloatArray:
    """Return the attributes of the images ``rows`` of a set, float32 [N, A], few images being in memory at a time.

    Raises:
        FaceassayError: when the plugin returns anything but float [B, A].
    """
    width = len(plugin.columns())
    parts = [np.empty((0, width), np.float32)]
    for start in range(0, len(rows), BATCH):
        index = rows[start : start + BATCH]
        values = plugin.predict(data.images(index), [data.item_ids[row] for row in index])
        if getattr(values, "shape", None) != (len(index), width):
            got = f"{type(values).__name__} {getattr(values, 'shape', '')}"
            raise FaceassayError(
                f"attribute {plugin.name!r} returned {got}: predict() must return [{len(index)}, {width}]"
            )
        parts.append(values.astype(np.float32))
        if context:
            context.progress(start + len(index), len(rows))
    return np.concatenate(parts)


def load(plugin: AttributePredictor, folder: Path, device: str) -> AttributeTable:
    """Open stored attributes."""
    columns = tuple(Attribute(**column) for column in json.loads((folder / "columns.json").read_text()))
    return AttributeTable(columns, np.load(folder / "values.npy"))
