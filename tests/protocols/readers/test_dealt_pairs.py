"""Pairs dealt from any people: who is in which fold, what is shown, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from faceassay.contracts import DataError, Pack
from faceassay_protocols.readers.dealt_pairs import DealtPairs
from fakes import ArrayDataset, toy_faces


def faces(identities=8, per_identity=3):
    return toy_faces(identities=identities, per_identity=per_identity, size=8)


def opened(data, **parameters):
    return DealtPairs(**{"folds": 4, **parameters}).open(data)


def test_labels_are_those_of_the_people():
    pack = opened(faces())
    np.testing.assert_array_equal(pack.identity[pack.first] == pack.identity[pack.second], pack.is_same)
    assert isinstance(pack, Pack)


def test_folds_share_no_person():
    pack = opened(faces())
    people = [
        {*pack.identity[pack.first[pack.fold == k]], *pack.identity[pack.second[pack.fold == k]]} for k in range(4)
    ]
    assert [len(one) for one in people] == [2] * 4
    assert len(set.union(*people)) == 8


def test_every_same_pair_is_there_with_as_many_different_ones():
    """Two people of three images in a fold: 2 x 3 same pairs."""
    pack = opened(faces())
    assert np.bincount(pack.fold).tolist() == [12] * 4
    assert [int(pack.is_same[pack.fold == k].sum()) for k in range(4)] == [6] * 4


def test_images_are_those_of_the_dataset_in_its_order():
    data = faces()
    order = np.random.default_rng(1).permutation(len(data))
    data = ArrayDataset(data.pixels[order], data.labels[order], data.identities)
    pack = opened(data, same_per_fold=1)
    rows = np.array([int(name.removeprefix("item")) for name in pack.names])
    assert rows.tolist() == sorted({*rows.tolist()})
    assert len(rows) < len(data)
    np.testing.assert_array_equal(pack.images(np.arange(len(pack))), data.pixels[rows])
    np.testing.assert_array_equal(pack.identity, data.labels[rows])


def test_the_pairs_depend_on_the_seed_alone():
    def drawn(seed):
        pack = opened(faces(), same_per_fold=2, pair_seed=seed)
        return [(pack.names[a], pack.names[b]) for a, b in zip(pack.first, pack.second, strict=True)]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_people_who_do_not_fill_the_folds_are_refused():
    with pytest.raises(DataError, match="fold"):
        opened(faces(identities=4))


def test_a_dataset_is_needed():
    assert DealtPairs.needs_data
    with pytest.raises(DataError, match="name one under data"):
        opened(None)
