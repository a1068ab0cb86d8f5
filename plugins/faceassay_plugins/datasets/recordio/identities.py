"""Own who is on the images of a `.rec` file: its labels (where they may be identities), or the paths of a list."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from faceassay import DataError, FloatArray, IntArray
from faceassay_plugins.datasets.archive import refuse_named
from faceassay_plugins.datasets.people import People
from faceassay_plugins.datasets.recordio.layout import EXACT, ImageRecords

MOST_DIGITS = 18
LIST_REMEDY = "put the list of paths beside it (list.txt: key, tab, IDENTITY/NAME.jpg)"


def people_of_labels(rec: Path, records: ImageRecords, trusted: bool) -> People:
    """Return the identities that the records' labels say, named by number.

    Args:
        rec: the file.
        records: its images.
        trusted: whether the labels are taken although they may be no identities; their values must be good anyway.

    Raises:
        DataError: when a label is no number of an identity, or (unless ``trusted``) the labels look like none.
    """
    labels = _integers(rec, records.keys, records.labels)
    counts = np.bincount(labels)
    classes = _classes(rec)
    if classes and len(counts) > classes:
        beyond = [f"key {key}" for key in records.keys[labels >= classes]]
        remedy = "The files are not of one set: bring them again, or take the property file away"
        refuse_named(rec, f"labels beyond the {classes:,} classes of {_property(rec)}", beyond, remedy)
    reason = "" if trusted else _doubt(counts, classes)
    if reason:
        raise DataError(
            f"{rec}: the labels in the records look like no identities ({reason}); training on them would give a "
            f"recognizer at chance: {LIST_REMEDY}, or say labels: record to take them as they are"
        )
    present = np.flatnonzero(counts)
    place = np.zeros(len(counts), dtype=np.int64)
    place[present] = np.arange(len(present))
    return People(place[labels], tuple(str(label) for label in present))


def warn_of_disagreement(rec: Path, of_labels: People, of_paths: IntArray) -> None:
    """Warn where the labels that are used group the images otherwise than the paths of the list do."""
    pairs = len(np.unique(of_labels.labels * (int(of_paths.max()) + 1) + of_paths))
    if not pairs == len(of_labels.identities) == len(np.unique(of_paths)):
        warnings.warn(f"{rec}: labels: record uses labels that group the images otherwise than its list does")


def _integers(rec: Path, keys: IntArray, labels: FloatArray) -> IntArray:
    large = keys[labels >= EXACT]
    refuse_named(
        rec,
        "labels of 2^24 or more, where float32 no longer holds every integer, so that identities run together",
        [f"key {key}" for key in large],
        f"Number the identities anew, or {LIST_REMEDY}",
    )
    wrong = np.flatnonzero(~((labels >= 0) & (labels == np.floor(labels))))
    names = [f"key {keys[row]} ({labels[row]:g})" for row in wrong]
    refuse_named(rec, "labels that are no number of an identity", names, f"Correct them, or {LIST_REMEDY}")
    return labels.astype(np.int64)


def _property(rec: Path) -> Path:
    return rec.with_name("property")


def _classes(rec: Path) -> int:
    """Return the number of classes that the file ``property`` says (``classes,height,width``), 0 without the file."""
    file = _property(rec)
    if not file.is_file():
        return 0
    fields = file.read_text(encoding="utf-8", errors="replace").strip().split(",")
    counts = [int(field) for field in fields if field.strip().isdecimal() and len(field) <= MOST_DIGITS]
    if len(counts) < len(fields) or counts[0] < 1:
        raise DataError(f"{file}: not the line CLASSES,HEIGHT,WIDTH: correct it or take it away")
    return counts[0]


def _doubt(counts: IntArray, classes: int) -> str:
    """Return why labels are hardly identities, given the images of each label; '' where nothing is strange."""
    present = counts[counts > 0]
    if len(present) == 1:
        return "all are the same"
    if (present == 1).all():
        return "every image has one of its own"
    if classes and len(present) != classes:
        return f"{len(present):,} different ones, the file property says {classes:,}"
    return ""
