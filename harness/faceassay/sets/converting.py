"""Own the writing of a set in another form: whole and unchanged, or not at all. Forms are the plugins' affair."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from faceassay.contracts import DataError, FaceDataset, WritableDataset, Written


def convert(
    data: FaceDataset, form: type[WritableDataset], target: Path, advance: Callable[[int], None]
) -> FaceDataset:
    """Write the stored files of ``data``, unchanged, as a set of ``form``; every one is read back and compared.

    All is written under a hidden name beside ``target`` and renamed at the end. What an interrupted conversion left is
    removed by the next one, which begins anew.

    Args:
        data: the images.
        form: the plugin that writes and reads them.
        target: a file or folder that does not exist.
        advance: told how many more images were written or compared: twice the number of images in all.

    Returns:
        the written set as ``form`` opens it.

    Raises:
        DataError: when ``target`` exists, an image cannot be read or written, or what is read back differs.
    """
    refuse_existing(target)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        _remove(unfinished)
        written = form.write(data, unfinished, advance)
        _require_same(data, _opened(form, unfinished, data.image_size), written, advance)
        refuse_existing(target)
        unfinished.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror or error}): give another place") from error
    finally:
        _remove(unfinished)
    return _opened(form, target, data.image_size)


def refuse_existing(target: Path) -> None:
    """Raise DataError where there is something at ``target`` already, or no folder for it."""
    if os.path.lexists(target):
        raise DataError(f"{target} exists: give another name, or remove it first")
    if not target.parent.is_dir():
        raise DataError(f"{target.parent} is no folder: make it first")


def _opened(form: type[WritableDataset], path: Path, image_size: int) -> FaceDataset:
    wanted = {"path": path.absolute(), "image_size": image_size, "min_images": 1}
    return form.model_validate({name: value for name, value in wanted.items() if name in form.model_fields}).open()


def _require_same(data: FaceDataset, back: FaceDataset, written: Written, advance: Callable[[int], None]) -> None:
    if not len(data) == len(back) == len(written.rows):
        raise DataError(f"{len(data):,} images were to be written, {len(back):,} are read back: nothing was kept")
    for place, row in enumerate(written.rows.tolist()):
        name = back.identities[back.labels[place]]
        if name != written.identities[data.labels[row]]:
            raise DataError(f"image {data.item_ids[row]} is read back as one of {name!r}: nothing was kept")
        if data.encoded(row) != back.encoded(place):
            raise DataError(f"image {data.item_ids[row]} is read back with other bytes: nothing was kept")
        advance(1)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
