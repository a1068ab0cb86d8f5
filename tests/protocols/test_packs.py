"""What packs show of their images, and the pairs that they give as a sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import Pack
from faceassay_protocols.packs import GalleryPack, PairPack, TemplatePack, spread
from faceassay_protocols.selection import ImageSelection
from fakes import toy_faces


def images(count):
    data = toy_faces(identities=1, per_identity=count, size=8)
    return ImageSelection(data, np.arange(count))


def pair_pack(is_same):
    """Return a pack of pairs: person k is on image 2k, and on 2k + 1 where the pair is one of the same person."""
    pairs = np.arange(len(is_same))
    identity = np.stack([pairs, np.where(is_same, pairs, len(pairs) + pairs)], axis=1).ravel()
    return PairPack(
        source=images(2 * len(pairs)),
        first=2 * pairs,
        second=2 * pairs + 1,
        is_same=np.array(is_same),
        fold=pairs % 2,
        identity=identity,
    )


def template_pack(seed=0):
    """Return 6 templates of 1 to 3 images in mixed order and all pairs of the first three with the others."""
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(1000, 6, replace=False))
    template_ids = rng.permutation(np.concatenate([numbers, rng.choice(numbers, 7)]))
    first, second = (part.ravel() for part in np.meshgrid(numbers[:3], numbers[3:], indexing="ij"))
    return TemplatePack(
        source=images(13),
        template_ids=template_ids,
        media_ids=np.arange(13),
        detector_scores=None,
        first_ids=first,
        second_ids=second,
        is_same=np.eye(3, dtype=bool).ravel(),
    ), dict(zip(numbers.tolist(), [0, 1, 2, 0, 1, 2], strict=True))


def gallery_pack(probe_ids, gallery_ids):
    return GalleryPack(
        source=images(len(probe_ids) + len(gallery_ids)),
        probe_ids=np.array(probe_ids),
        gallery_ids=np.array(gallery_ids),
    )


def as_set(sample):
    return {*zip(sample.first.tolist(), sample.second.tolist(), sample.is_same.tolist(), strict=True)}


ALL = [pair_pack([True, False] * 10), template_pack()[0], gallery_pack([0, 1, 2, 0, 1], [-1, 2, 2, 1, 0, -1, 0])]


@pytest.mark.parametrize("pack", ALL, ids=lambda pack: type(pack).__name__)
def test_a_pack_shows_its_images(pack):
    assert isinstance(pack, Pack)
    assert len(pack) == len(pack.names) == len(set(pack.names))
    assert (pack.image_size, pack.fingerprint) == (8, pack.source.fingerprint)
    np.testing.assert_array_equal(pack.images(np.array([2, 0])), pack.source.images(np.array([2, 0])))


@pytest.mark.parametrize("pack", ALL, ids=lambda pack: type(pack).__name__)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 1000])
def test_a_sample_has_at_most_so_many_pairs_and_is_always_the_same(pack, count):
    sample = pack.sample_pairs(count)
    assert len(sample.first) == len(sample.second) == len(sample.is_same) <= count
    assert sample.is_same.dtype == np.bool_
    assert as_set(sample) == as_set(pack.sample_pairs(count))
    assert ((sample.first >= 0) & (sample.first < len(pack)) & (sample.second < len(pack))).all()


@settings(deadline=None, max_examples=50)
@given(is_same=st.lists(st.booleans(), min_size=1, max_size=30), count=st.integers(0, 40))
def test_sampled_pairs_are_pairs_of_the_pack(is_same, count):
    pack = pair_pack(is_same)
    sample = pack.sample_pairs(count)
    assert as_set(sample) <= {(2 * k, 2 * k + 1, same) for k, same in enumerate(is_same)}
    assert len(as_set(sample)) == len(sample.first)
    np.testing.assert_array_equal(pack.identity[sample.first] == pack.identity[sample.second], sample.is_same)


def test_half_of_a_sample_is_same_and_it_spreads_over_the_pack():
    sample = pair_pack([True, False] * 50).sample_pairs(10)
    assert sample.is_same.tolist() == [True] * 5 + [False] * 5
    assert (sample.first[:5] // 2).tolist() == [0, 24, 48, 72, 98]
    assert sample.first.max() // 2 == 99


@pytest.mark.parametrize("seed", range(5))
def test_sampled_pairs_of_templates_are_images_of_these_templates(seed):
    pack, subject = template_pack(seed)
    sample = pack.sample_pairs(8)
    assert sample.is_same.sum() == 3
    for first, second, same in as_set(sample):
        one, other = pack.template_ids[[first, second]]
        assert (subject[one] == subject[other]) == same
        assert first == np.flatnonzero(pack.template_ids == one)[0]
        assert second == np.flatnonzero(pack.template_ids == other)[0]


@settings(deadline=None, max_examples=80)
@given(
    people=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    more=st.lists(st.integers(-1, 9), max_size=8),
    count=st.integers(0, 30),
)
def test_sampled_pairs_of_a_gallery_are_a_probe_with_a_mate_or_with_anothers(people, more, count):
    pack = gallery_pack(people, [*more, *set(people)])
    sample = pack.sample_pairs(count)
    assert len(sample.first) <= count
    probes, mates = pack.probe_ids[sample.first], pack.gallery_ids[sample.second - len(people)]
    np.testing.assert_array_equal(probes == mates, sample.is_same)
    assert (mates >= 0).all()
    assert sample.is_same.sum() == min(count // 2, len(people))


def test_a_gallery_of_one_person_gives_no_different_pairs():
    assert gallery_pack([0, 0], [0, -1]).sample_pairs(10).is_same.tolist() == [True, True]


@settings(deadline=None, max_examples=80)
@given(total=st.integers(0, 60), count=st.integers(0, 80))
def test_spread_rows_are_distinct_and_reach_both_ends(total, count):
    rows = np.arange(100, 100 + total)
    chosen = spread(rows, count).tolist()
    assert len(set(chosen)) == len(chosen) == min(total, count)
    assert set(chosen) <= set(rows.tolist())
    if min(total, count) > 1:
        assert (chosen[0], chosen[-1]) == (100, 99 + total)
