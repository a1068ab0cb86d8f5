"""Own which reader opens a pair set: an insightface pack or the native files, in a folder or a zip."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from faceassay.contracts import DataError, DataPath, FaceDataset, PackReader, Plugin, parameter
from faceassay_protocols.packs import PairPack
from faceassay_protocols.readers.agedb import read_agedb
from faceassay_protocols.readers.bin_pack import read_bin
from faceassay_protocols.readers.cfp import read_cfp
from faceassay_protocols.readers.decoding import OtherSizes
from faceassay_protocols.readers.known import FOLDS, KNOWN
from faceassay_protocols.readers.lfw import read_lfw
from faceassay_protocols.readers.tree import BIN_SUFFIXES
from faceassay_protocols.readers.two_line_pairs import read_two_line_pairs

PairSetName = Literal["lfw", "cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw"]


class PairFileParameters(Plugin):
    """Say where a pair set is and which of its pairs and images are used."""

    path: DataPath = parameter(description="insightface pack (.bin, .bin.xz), or folder or zip of the native files")
    image_size: int = parameter(112, description="side of the images as the recognizer sees them", unit="px", ge=8)
    other_sizes: OtherSizes = parameter("refuse", description="what becomes of images of another size")


class LfwParameters(PairFileParameters):
    """Add what only LFW has: a list of pairs that travels alone, and official folds."""

    pairs: DataPath | None = parameter(None, description="list of pairs, where it is not beside the images")
    folds: str | None = parameter(
        None,
        description="official folds that are used, as FIRST..LAST or FIRST-LAST; all when left out",
        pattern=r"^\d+(\.\.|-)\d+$",
    )

    @model_validator(mode="after")
    def _native_only(self) -> LfwParameters:
        if is_bin(self.path) and (self.pairs or self.folds):
            raise ValueError(
                "an insightface pack has neither a list of pairs nor official folds: give the native files"
            )
        return self

    @model_validator(mode="after")
    def _several_folds(self) -> LfwParameters:
        chosen = self.fold_range()
        if chosen is not None and not 1 <= chosen[0] < chosen[1]:
            raise ValueError("folds: give a range of at least two folds, such as 6..10: folds count from 1")
        return self

    def fold_range(self) -> tuple[int, int] | None:
        """Return the first and the last official fold, from 1, None for all."""
        if self.folds is None:
            return None
        first, last = map(int, self.folds.replace("..", "-").split("-"))
        return first, last

    def fold_count(self) -> int:
        """Return how many folds are used."""
        chosen = self.fold_range()
        return FOLDS if chosen is None else chosen[1] - chosen[0] + 1


class PairFiles(LfwParameters, PackReader):
    """Open one of the six pair sets."""

    name: ClassVar[str] = "pair-files"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "a pair set in any form the field ships"

    benchmark: PairSetName = parameter(description="which pair set")

    def open(self, data: FaceDataset | None) -> PairPack:
        """Open the pack; every fold must hold same and different pairs.

        Raises:
            DataError: when files are missing or corrupt, contradict one another, or a fold has pairs of one class.
        """
        pack = self._bin() if is_bin(self.path) else self._native()
        require_folds(pack, self.fold_count(), str(self.path))
        return pack

    def _bin(self) -> PairPack:
        known = KNOWN[self.benchmark]
        return read_bin(self.path, known, image_size=self.image_size, other_sizes=self.other_sizes)

    def _native(self) -> PairPack:
        path, size, other = self.path, self.image_size, self.other_sizes
        match self.benchmark:
            case "lfw":
                folds = self.fold_range()
                return read_lfw(path, pairs=self.pairs, folds=folds, image_size=size, other_sizes=other)
            case "cfp-fp":
                return read_cfp(path, kind="FP", image_size=size, other_sizes=other)
            case "cfp-ff":
                return read_cfp(path, kind="FF", image_size=size, other_sizes=other)
            case "agedb-30":
                return read_agedb(path, image_size=size, other_sizes=other)
            case "calfw" | "cplfw" as name:
                return read_two_line_pairs(path, name=name, image_size=size, other_sizes=other)


def require_folds(pack: PairPack, wanted: int, place: str) -> None:
    """Refuse folds in which no accuracy can be measured.

    Raises:
        DataError: when there are not as many folds as ``wanted``, or fewer than two, or one holds pairs of one class.
    """
    folds = np.unique(pack.fold)
    if len(folds) != wanted or wanted < 2:
        remedy = f"for lfw name them as folds 1..{len(folds)}" if len(folds) > 1 else "give a list with two or more"
        raise DataError(f"{place}: {len(folds)} folds where {wanted} are expected, two at least: {remedy}")
    for fold in folds:
        same, total = int(pack.is_same[pack.fold == fold].sum()), int((pack.fold == fold).sum())
        if same in (0, total):
            raise DataError(
                f"{place}: fold {fold + 1} of {len(folds)} holds {same} same and {total - same} different pairs: its "
                "accuracy means nothing; the list is sorted by class or cut into the wrong number of folds"
            )


def is_bin(path: Path) -> bool:
    """Tell whether ``path`` is a pack of insightface, by its name."""
    return path.is_file() and path.name.endswith(BIN_SUFFIXES)
