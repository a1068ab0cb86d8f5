"""Own the checks of a dataset plugin: labels and names, stored files, colours. Reading is checked in ``reading``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from faceassay.contracts import DatasetPlugin, FaceDataset, WritableDataset, data_paths
from faceassay.sets.converting import convert
from faceassay.testing.checks import check, require
from faceassay.testing.faces import faces
from faceassay.testing.inputs import Handed, content
from faceassay.testing.manners import Conduct, manners
from faceassay.testing.reading import chosen, read, reading
from faceassay.testing.subject import Subject

GREY = 1.0
"""Grey levels between red and blue, on average, up to which images count as grey."""


def opened(subject: Subject) -> FaceDataset:
    """Return the set, opened once for all checks."""
    return subject.once("opening the set", lambda: opened_anew(subject))


def opened_anew(subject: Subject) -> FaceDataset:
    """Return the set, opened by a plugin of its own."""
    data: FaceDataset = type(subject.plugin).model_validate(subject.plugin.model_dump()).open()
    return data


@check(
    "DatasetPlugin",
    "Open one source of identity-labelled face images.",
    do="mend the error, or say with --set where the files are.",
)
def opens(subject: Subject) -> None:
    """Open and look for images."""
    require(len(opened(subject)) > 0, "there is no image")


@check(
    "FaceDataset",
    "Names of identities and of images are unique, and no identity is without an image.",
    do="number the identities 0 to L-1 in the order of identities, and leave out those without an image.",
)
def labels_and_names_fit(subject: Subject) -> None:
    """Look at labels and names."""
    require(not list(_faults(opened(subject))), "; ".join(_faults(opened(subject))))


@check(
    "DatasetPlugin.open",
    "Opened again it is the same, fingerprint included.",
    do="sort what a folder lists, and draw nothing at random.",
)
def labels_and_names_repeat(subject: Subject) -> None:
    """Compare labels and names with those of a set that was opened again."""
    one, other = opened(subject), opened_anew(subject)
    for name in ("labels", "identities", "item_ids"):
        same = content(_plain(getattr(one, name))) == content(_plain(getattr(other, name)))
        require(same, f"opened again it has other {name}")


@check(
    "FaceDataset.encoded",
    "Return the stored file of image ``i``, unchanged.",
    do="return the bytes as they are stored: an image file that any decoder reads, the same each time.",
)
def stored_files_are_images(subject: Subject) -> None:
    """Decode the stored files with a decoder that knows nothing of the plugin."""
    data = opened(subject)
    for row in chosen(data)[:4].tolist():
        require(data.encoded(row) == data.encoded(row), f"the file of image {row} is another one each time")
        _decoded(data, row)


@check(
    "FaceImages",
    "Give random access to square RGB images without holding them all in memory.",
    do="hand images on as RGB: OpenCV reads BGR, so turn it with [..., ::-1].copy() or cv2.cvtColor.",
)
def colours_keep_their_order(subject: Subject) -> None:
    """Compare the balance of red and blue with that of the stored files, as another decoder reads them."""
    data, rows = opened(subject), chosen(opened(subject))
    stored = np.array([_red_over_blue(_decoded(data, row)) for row in rows.tolist()])
    if np.abs(stored).mean() < GREY:
        raise SkipTest("its images are grey")
    shown = np.array([_red_over_blue(image) for image in data.images(rows)])
    told = f"red is {stored.mean():+.0f} grey levels above blue in the stored files, {shown.mean():+.0f} in the images"
    require(float(stored @ shown) > 0, told)


@check(
    "DatasetPlugin.recognises",
    "Tell by names alone whether what lies at ``path`` is stored in the way that this plugin reads.",
    do="return True for what the plugin reads, and False for an empty folder.",
)
def recognises_its_own(subject: Subject) -> None:
    """Show it its own data, and an empty folder."""
    paths = [path for path in data_paths(subject.plugin).values() if isinstance(path, Path)]
    plugin: DatasetPlugin = subject.plugin
    if not paths or not plugin.recognises(paths[0]):
        raise SkipTest("it recognises no form of storage")
    require(not plugin.recognises(subject.folder()), "it takes an empty folder for its own")


@check(
    "WritableDataset.write",
    "What is read back holds the same files, of the same people.",
    do="write every file unchanged, under names that lead back to image and identity.",
)
def writing_is_read_back(subject: Subject) -> None:
    """Write the drawn faces, read them back and compare file by file."""
    if not issubclass(subject.cls, WritableDataset):
        raise SkipTest("it does not write")
    convert(faces(), subject.cls, subject.folder() / "written", lambda images: None)


def _faults(data: FaceDataset) -> Iterator[str]:
    labels, people = data.labels, len(data.identities)
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (len(data),):
        yield f"labels are {getattr(labels, 'dtype', type(labels).__name__)}, not int64 [{len(data)}]"
        return
    if len(data.item_ids) != len(data):
        yield f"{len(data.item_ids)} item_ids for {len(data)} images"
    if labels.min() < 0 or labels.max() >= people:
        yield f"labels {labels.min()}..{labels.max()} are not in 0..{people - 1}"
    elif (counts := np.bincount(labels, minlength=people)).min() == 0:
        yield f"{data.identities[int(counts.argmin())]!r} has no image"
    for what, names in (("identities", data.identities), ("item_ids", data.item_ids)):
        if len({*names}) < len(names):
            yield f"{what} are not unique"


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, np.ndarray) else list(value)


def _decoded(data: FaceDataset, row: int) -> Any:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data.encoded(row))).convert("RGB"))


def _red_over_blue(image: Any) -> float:
    means = image.reshape(-1, 3).mean(axis=0, dtype=np.float64)
    return float(means[0] - means[2])


def _conduct(subject: Subject, is_frozen: bool = False) -> Conduct:
    opened(subject)
    handed = Handed(is_frozen)
    disturbance = read(lambda: opened_anew(subject), handed)
    return Conduct({"open() and images()": [disturbance]}, handed.changed())


DATASET = (
    opens,
    labels_and_names_fit,
    labels_and_names_repeat,
    *reading(opened, opened_anew, "DatasetPlugin.open"),
    stored_files_are_images,
    colours_keep_their_order,
    recognises_its_own,
    writing_is_read_back,
    *manners(_conduct, lambda subject: _conduct(subject, is_frozen=True)),
)
