"""Own the checks of an attribute predictor and of a figure: what they declare, and what a predictor tells of images."""

from __future__ import annotations

import numpy as np

from faceassay.contracts import AttributeTable, FloatArray
from faceassay.testing.checks import check, require
from faceassay.testing.disturbance import watched
from faceassay.testing.faces import faces
from faceassay.testing.inputs import Handed
from faceassay.testing.manners import Conduct, manners
from faceassay.testing.subject import Subject

ROUNDING = 1e-4
"""Share of a column's range that a value may differ by with the batch: a thousand roundings of float32 (6e-8)."""
DRAWABLE = frozenset({"generator", "recognizer", "plan", "synthesis", "search"})


@check(
    "AttributePredictor.predict",
    "float32 [B, A], each value in the range of its column, NaN where it cannot be told.",
    do="return np.float32, one row for each image and one column for each of columns(), within low and high.",
)
def values_are_in_range(subject: Subject) -> None:
    """Tell the attributes of all images, and of one."""
    columns = subject.plugin.columns()
    for values, images in ((_predicted(subject, slice(None)), len(faces())), (_predicted(subject, slice(1)), 1)):
        got = f"{getattr(values, 'dtype', type(values).__name__)} {list(getattr(values, 'shape', []))}"
        is_right = isinstance(values, np.ndarray) and values.dtype == np.float32
        require(is_right and values.shape == (images, len(columns)), f"predict() returned {got} for {images} images")
        AttributeTable(columns, values)
    require(all(column.low < column.high for column in columns), "a column has no range")


@check(
    "AttributePredictor.predict",
    "What is told of an image is the same in every batch, but for rounding.",
    do="compute nothing over the images of a batch, and keep nothing between two calls.",
)
def images_are_told_alone(subject: Subject) -> None:
    """Tell all together, then by threes from the last to the first."""
    whole = _predicted(subject, slice(None)).astype(np.float64)
    starts = range(0, len(faces()), 3)
    parts = {start: _predicted(subject, slice(start, start + 3)) for start in starts[::-1]}
    apart = np.abs(np.concatenate([parts[start] for start in starts]) - whole)
    ranges = np.array([column.high - column.low for column in subject.plugin.columns()])
    unknown = [np.isnan(np.concatenate([parts[start] for start in starts])), np.isnan(whole)]
    require(np.array_equal(*unknown), "what is unknown depends on the batch")
    require(bool((np.nan_to_num(apart) <= ROUNDING * ranges).all()), "values depend on the batch that an image is in")


def _predicted(subject: Subject, rows: slice) -> FloatArray:
    data = faces()
    with watched(1):
        values: FloatArray = subject.plugin.predict(data.pixels[rows].copy(), list(data.item_ids[rows]))
    return values


def _conduct(subject: Subject, is_frozen: bool = False) -> Conduct:
    handed, data = Handed(is_frozen), faces()
    images = handed.over("images", data.pixels)
    with watched(1) as disturbance:
        subject.plugin.predict(images, list(data.item_ids))
    return Conduct({"predict()": [disturbance]}, handed.changed())


@check(
    "Figure.needs",
    "Any of ``generator`` and ``recognizer`` (trained on the real images: M_orig), which are the matrix's own, and of "
    "what belongs to one method: ``plan``, ``synthesis``, ``search``.",
    do="return a frozenset of these names.",
)
def needs_are_known(subject: Subject) -> None:
    """Compare the names with those that a matrix can serve."""
    needs = subject.plugin.needs()
    require(isinstance(needs, frozenset), f"needs() returns {needs!r}, no frozenset")
    require(needs <= DRAWABLE, f"needs() names {', '.join(sorted(map(repr, needs - DRAWABLE)))}, which nothing serves")


ATTRIBUTE = (
    values_are_in_range,
    images_are_told_alone,
    *manners(_conduct, lambda subject: _conduct(subject, is_frozen=True)),
)
FIGURE = (needs_are_known,)
