"""Own the pack of pairs that is dealt from any labelled faces. Which pairs: `pairing`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from faceassay.contracts import DataError, FaceDataset, PackReader, Plugin, parameter
from faceassay_protocols.packs import PairPack
from faceassay_protocols.pairing import fold_pairs
from faceassay_protocols.selection import ImageSelection


class DealtPairParameters(Plugin):
    """Say how people are dealt into folds and which pairs they give."""

    folds: int = parameter(10, description="Folds with equal numbers of people", unit="folds", ge=2)
    same_per_fold: int | None = parameter(
        None, description="Same pairs of a fold at most; all of them when left out", unit="pairs", ge=1
    )
    pair_seed: int = parameter(0, description="Seed of the drawing of pairs, the same for every row", ge=0)


class DealtPairs(DealtPairParameters, PackReader):
    """Deal the people of a dataset into folds and list the pairs of each."""

    name: ClassVar[str] = "pair-verification"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "pairs built from any test people"
    needs_data: ClassVar[bool] = True

    def open(self, data: FaceDataset | None) -> PairPack:
        """Return the images that occur in a pair, each once, in the dataset's order, with the pairs.

        Raises:
            DataError: when the people do not fill the folds evenly or a fold has pairs of one class only.
        """
        if data is None:
            raise DataError("pairs are dealt from a dataset: name one under data")
        pairs = fold_pairs(
            data.labels,
            len(data.identities),
            folds=self.folds,
            same_per_fold=self.same_per_fold,
            seed=self.pair_seed,
        )
        used = np.union1d(pairs.first, pairs.second)
        return PairPack(
            source=ImageSelection(data, used),
            people=data.identities,
            notes={
                "pairs": len(pairs.first),
                "same_pairs": int(pairs.is_same.sum()),
                "images": len(used),
                "people": len(data.identities),
                "folds": self.folds,
                "population": "pairs of images of the test people; no person is in two folds",
                "sha256": data.fingerprint,
            },
            first=np.searchsorted(used, pairs.first),
            second=np.searchsorted(used, pairs.second),
            is_same=pairs.is_same,
            fold=pairs.fold,
            identity=data.labels[used],
        )
