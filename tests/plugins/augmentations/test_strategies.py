"""The strategies of table 2: which pairs, what each reads, and what is refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from faceassay.contracts import FaceassayError
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.blend import Blend
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.augmentations.strategies import Strategy
from faceassay_plugins.selection import random_pairs, select_combined, select_pairs
from fakes import sources, stage_context, toy_faces

CLASSES = 7
RNG = np.random.default_rng(1)
CENTRES, CONDITIONS = RNG.normal(size=(CLASSES, 5)), RNG.normal(size=(CLASSES, 3)) * RNG.uniform(1, 4, (CLASSES, 1))
PAIRS = 6


class Vectors:
    """Be both a recognizer and a generator that has vectors and nothing else."""

    def __init__(self, centres=CENTRES, conditions=CONDITIONS, identities=None):
        self.identities = identities or tuple(f"s{k + 1}" for k in range(CLASSES))
        self.class_centres = lambda: centres
        self.condition_vectors = lambda: conditions


@pytest.fixture
def real():
    return toy_faces(identities=CLASSES, per_identity=2, size=8)


def pairs_of(strategy, opened, folder, cls=Blend, **parameters):
    plugin = cls(pairs=PAIRS, images_per_pair=1, selection=strategy, **parameters)
    return plugin.plan(opened, stage_context(folder)).sources


WANTED = {
    "random": lambda: random_pairs(CLASSES, PAIRS, seed=7),
    "close-embedding-cosine": lambda: select_pairs(CENTRES, PAIRS, order="closest"),
    "dist-embedding-cosine": lambda: select_pairs(CENTRES, PAIRS, order="farthest"),
    "close-condition-cosine": lambda: select_pairs(CONDITIONS, PAIRS, order="closest"),
    "dist-condition-cosine": lambda: select_pairs(CONDITIONS, PAIRS, order="farthest"),
    "close-condition-l2": lambda: select_pairs(CONDITIONS, PAIRS, order="closest", metric="l2"),
    "dist-condition-l2": lambda: select_pairs(CONDITIONS, PAIRS, order="farthest", metric="l2"),
    "top-close-condition-dist-embedding": lambda: select_combined(CENTRES, CONDITIONS, PAIRS, order="top"),
    "worst-close-condition-dist-embedding": lambda: select_combined(CENTRES, CONDITIONS, PAIRS, order="worst"),
}
READS = {"embedding": "recognizer", "condition": "generator"}


def test_every_strategy_is_tested():
    assert set(WANTED) == set(get_args(Strategy))


@pytest.mark.parametrize("strategy", WANTED)
def test_a_strategy_chooses_the_pairs_of_its_name(strategy, real, tmp_path):
    opened = sources(real=real, recognizer=Vectors(), generator=Vectors())
    assert np.array_equal(pairs_of(strategy, opened, tmp_path), WANTED[strategy]())


def test_the_strategies_differ():
    assert len({str(choose()) for choose in WANTED.values()}) == len(WANTED)


@pytest.mark.parametrize("strategy", WANTED)
def test_a_strategy_reads_only_the_inputs_that_it_names(strategy, real, tmp_path):
    needed = Blend(selection=strategy).needs()
    assert needed == {source for word, source in READS.items() if word in strategy}
    opened = sources(real=real, **{name: Vectors() for name in needed})
    assert len(pairs_of(strategy, opened, tmp_path)) == PAIRS


@pytest.mark.parametrize("cls", [AugGen, ScoreMix])
@pytest.mark.parametrize("strategy", WANTED)
def test_methods_that_sample_need_their_generator_too(strategy, cls):
    assert cls(selection=strategy).needs() == Blend(selection=strategy).needs() | {"generator"}


@pytest.mark.parametrize("cls", [AugGen, ScoreMix])
def test_methods_choose_the_same_pairs(cls, real, tmp_path):
    opened = sources(real=real, recognizer=Vectors(), generator=Vectors())
    made = [pairs_of("dist-embedding-cosine", opened, tmp_path, one) for one in (cls, Blend)]
    assert np.array_equal(*made)


@pytest.mark.parametrize("strategy", WANTED)
def test_a_limit_holds_under_every_strategy(strategy, real, tmp_path):
    opened = sources(real=real, recognizer=Vectors(), generator=Vectors())
    assert np.bincount(pairs_of(strategy, opened, tmp_path, max_uses=2).ravel()).max() <= 2


def test_a_recognizer_without_centres_is_refused(real, tmp_path):
    opened = sources(real=real, recognizer=Vectors(centres=None))
    with pytest.raises(FaceassayError, match=r"the recognizer has no class centres .*: use a recognizer"):
        pairs_of("dist-embedding-cosine", opened, tmp_path)


def test_a_recognizer_of_other_classes_is_refused(real, tmp_path):
    opened = sources(real=real, recognizer=Vectors(centres=CENTRES[:5]))
    message = "the recognizer has 5 class centres, the real images have 7 classes: use .* trained on the real images"
    with pytest.raises(FaceassayError, match=message):
        pairs_of("dist-embedding-cosine", opened, tmp_path)


def test_a_generator_without_condition_vectors_is_refused(real, tmp_path):
    opened = sources(real=real, generator=Vectors(conditions=None))
    with pytest.raises(FaceassayError, match=r"the generator has no condition vectors .*: use a generator"):
        pairs_of("close-condition-l2", opened, tmp_path)


def test_a_generator_of_other_people_is_refused(real, tmp_path):
    opened = sources(real=real, generator=Vectors(identities=("ann", "bob", "cat", "dan")))
    message = r"the generator knows 4 classes \(ann, bob, cat, ...\), the real images have 7 \(s1, s2, s3, ...\): train"
    with pytest.raises(FaceassayError, match=message):
        pairs_of("close-condition-l2", opened, tmp_path)
