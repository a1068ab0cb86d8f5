"""Own the layout most face data has: one folder per identity, image files in it. Archives are not opened here."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from faceassay import DataError, DataPath, FaceDataset, WritableDataset, Written, parameter
from faceassay_plugins.datasets.files import open_files
from faceassay_plugins.datasets.images import SUFFIXES, Fit
from faceassay_plugins.datasets.people import natural_order, refuse_few
from faceassay_plugins.datasets.written import File, write_files

_REMEDY = (
    "Add images, move these folders away, or lower min_images. Images are "
    f"{', '.join(SUFFIXES)}, directly in the folder of their identity"
)


class Folder(WritableDataset):
    """Open a folder that holds one folder per identity.

    Files count as images by their suffix (``images.SUFFIXES``, in any case). Hidden files are ignored, other files
    are ignored with a warning that counts them. Identities and files are in natural order (s2 before s10).
    """

    name: ClassVar[str] = "folder"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "your own images: one folder per identity, JPEG or PNG files in it"

    path: DataPath = parameter(description="folder with one folder per identity")
    image_size: int = parameter(112, description="side of the decoded images", unit="px", ge=8, le=1024)
    fit: Fit = parameter("crop", description="how an image becomes square: centre crop, padded edges, or stretched")
    min_images: int = parameter(2, description="fewest images an identity may have", unit="images", ge=1)

    def open(self) -> FaceDataset:
        """Open the images; all of them are decoded once when new or changed.

        Raises:
            DataError: when the folder holds no identities, an identity has too few images, or an image is damaged.
        """
        if not self.path.is_dir():
            raise DataError(
                f"{self.path} is not a folder: give the folder that holds one folder per identity "
                "(a .zip of it is read by the dataset 'zip')"
            )
        entries = _visible(self.path)
        held = {entry.name: _visible(entry) for entry in entries if entry.is_dir()}
        if not held:
            raise DataError(f"{self.path} holds no folders: put the images of each identity into a folder of its own")
        files = {name: [f"{name}/{entry.name}" for entry in held[name] if _is_image(entry)] for name in held}
        refuse_few(self.path, list(files), [len(group) for group in files.values()], self.min_images, _REMEDY)
        stray = [entry for entry in entries if not entry.is_dir()]
        stray += [entry for group in held.values() for entry in group if not _is_image(entry)]
        _warn_of_ignored(self.path, stray)
        return open_files(self.path, files, self.image_size, self.fit)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether an image is in a folder of ``path``."""
        return path.is_dir() and any(
            _is_image(entry) for folder in _visible(path) if folder.is_dir() for entry in _visible(folder)
        )

    @classmethod
    def write(cls, data: FaceDataset, target: Path, advance: Callable[[int], None]) -> Written:
        """Write a folder for each identity.

        Raises:
            DataError: when an identity cannot be the name of a folder, or an image is none.
            OSError: when it cannot be written.
        """

        def put(file: File) -> None:
            (target / file.folder).mkdir(parents=True, exist_ok=True)
            (target / file.folder / file.name).write_bytes(file.content)

        return write_files(data, put, advance)


def _visible(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: natural_order(entry.name))


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(SUFFIXES) and not entry.is_dir()


def _warn_of_ignored(root: Path, stray: Sequence[os.DirEntry[str]]) -> None:
    if stray:
        kinds = Counter(os.path.splitext(entry.name)[1].lower() or "no suffix" for entry in stray)
        counts = ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common())
        warnings.warn(f"{root}: {len(stray)} other files or folders ignored ({counts})", stacklevel=3)
