"""Ranks of probes against a sort of the whole gallery, and against ties made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols import identification
from faceassay_protocols.identification import rank_probes, rank_rates, share_within


def random_case(seed, probes=40, mates=30, distractors=70, people=10):
    rng = np.random.default_rng(seed)
    gallery_ids = np.concatenate([np.arange(mates) % people, np.full(distractors, -1)])
    probe_ids = rng.integers(0, people, probes)
    centres = rng.normal(size=(people, 6))
    gallery = rng.normal(size=(mates + distractors, 6)) * 3
    gallery[:mates] += centres[gallery_ids[:mates]] * 2
    return rng.normal(size=(probes, 6)) + centres[probe_ids], gallery, probe_ids, gallery_ids


def hits_by_sorting(probes, gallery, probe_ids, gallery_ids, k):
    """Return the share of probes with an image of the same identity among the k most similar, as TinyFace counts."""
    cosine = (probes / np.linalg.norm(probes, axis=1, keepdims=True)) @ (
        gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    ).T
    top = np.argsort(-cosine, axis=1)[:, :k]
    return np.mean([probe in gallery_ids[row] for probe, row in zip(probe_ids, top, strict=True)])


@pytest.mark.parametrize("seed", range(5))
def test_rates_are_those_of_sorting_the_gallery(seed):
    case = random_case(seed)
    ranks = [1, 2, 3, 5, 20, 100]
    assert rank_rates(*case, ranks) == [hits_by_sorting(*case, k) for k in ranks]


def test_further_mates_do_not_count_against_a_probe():
    gallery = np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [0.0, 1.0]])
    ranked = rank_probes(np.array([[1.0, 0.0]]), gallery, np.array([4]), np.array([4, 4, 7, -1]))
    assert ranked.rank.tolist() == [1]


def test_the_best_mate_counts_not_the_first():
    gallery = np.array([[0.0, 1.0], [1.0, 0.5], [1.0, 0.1]])
    ranked = rank_probes(np.array([[1.0, 0.0]]), gallery, np.array([4]), np.array([4, 7, 4]))
    assert ranked.rank.tolist() == [1]
    assert ranked.mate_score[0] == pytest.approx(1 / np.sqrt(1.01))


def test_a_tie_with_the_best_mate_is_lost():
    """Four images are identical to the probe: one mate and three others, so the mate comes last, at rank 4."""
    gallery = np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ranked = rank_probes(np.array([[1.0, 0.0]]), gallery, np.array([0]), np.array([0, 1, -1, 2, 3]))
    assert ranked.rank.tolist() == [4]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("nearness", [0.0, 1.0, 30.0])
def test_copies_of_a_mate_tie_whatever_rounding_does_to_them(dtype, nearness):
    rng = np.random.default_rng(0)
    centre = rng.normal(size=512)
    gallery = centre * rng.uniform(0.5, 2, (1001, 1))
    ids = np.full(1001, -1)
    ids[500] = 0
    probes = rng.normal(size=(7, 512)) + nearness * centre
    assert rank_probes(probes, gallery, np.zeros(7, dtype=int), ids, dtype=dtype).rank.tolist() == [1001] * 7


def test_distractors_are_nobodys_mate():
    gallery = np.array([[1.0, 0.0], [0.0, 1.0]])
    ranked = rank_probes(np.array([[1.0, 0.0]]), gallery, np.array([3]), np.array([-1, 3]))
    assert ranked.rank.tolist() == [2]


def test_the_order_of_the_gallery_does_not_matter():
    probes, gallery, probe_ids, gallery_ids = random_case(7)
    order = np.random.default_rng(1).permutation(len(gallery))
    one = rank_probes(probes, gallery, probe_ids, gallery_ids)
    other = rank_probes(probes, gallery[order], probe_ids, gallery_ids[order])
    np.testing.assert_array_equal(one.rank, other.rank)


def test_the_names_of_the_identities_do_not_matter():
    probes, gallery, probe_ids, gallery_ids = random_case(8)
    renamed = np.random.default_rng(2).permutation(10)
    mated = np.where(gallery_ids < 0, -5, renamed[gallery_ids])
    one = rank_probes(probes, gallery, probe_ids, gallery_ids)
    np.testing.assert_array_equal(one.rank, rank_probes(probes, gallery, renamed[probe_ids], mated).rank)


def test_lengths_of_embeddings_do_not_matter():
    probes, gallery, probe_ids, gallery_ids = random_case(9)
    scale = np.random.default_rng(3).uniform(0.1, 10, (len(gallery), 1))
    one = rank_probes(probes, gallery, probe_ids, gallery_ids)
    np.testing.assert_array_equal(one.rank, rank_probes(probes, gallery * scale, probe_ids, gallery_ids).rank)


@pytest.mark.parametrize(("probes", "gallery"), [(7, 1024), (4096, 3), (7, 3), (1, 1)])
def test_blocks_of_probes_and_gallery_do_not_matter(monkeypatch, probes, gallery):
    case = random_case(10)
    whole = rank_probes(*case)
    monkeypatch.setattr(identification, "PROBES_AT_A_TIME", probes)
    monkeypatch.setattr(identification, "GALLERY_AT_A_TIME", gallery)
    np.testing.assert_array_equal(rank_probes(*case).rank, whole.rank)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    at_a_time=st.sampled_from([1, 4, 1024]),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_ranks_are_those_of_a_sort_that_puts_strangers_first(seed, at_a_time, dtype):
    """Small whole numbers give the same directions again and again, so most probes have ties."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (40, 3))
    rows[~rows.any(axis=1)] = 1
    probes, gallery = rows[:10].astype(np.float32), rows[10:].astype(np.float32)
    gallery_ids = np.append(np.arange(4), rng.integers(-1, 4, 26))
    probe_ids = rng.integers(0, 4, 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identification, "PROBES_AT_A_TIME", at_a_time)
        patch.setattr(identification, "GALLERY_AT_A_TIME", at_a_time)
        ranked = rank_probes(probes, gallery, probe_ids, gallery_ids, dtype=dtype)
    expected = [place_of_the_best_mate(*probe, gallery, gallery_ids) for probe in zip(probes, probe_ids, strict=True)]
    assert ranked.rank.tolist() == expected


def place_of_the_best_mate(probe, identity, gallery, gallery_ids):
    """Sort the other identities' images and the best mate, ties to the others; cosines are exact to nine digits."""
    cosine = (gallery.astype(float) @ probe) / np.linalg.norm(gallery.astype(float), axis=1) / np.linalg.norm(probe)
    cosine = np.round(cosine, 9)
    mates = gallery_ids == identity
    places = sorted([(-score, False) for score in cosine[~mates]] + [(-cosine[mates].max(), True)])
    return 1 + [is_mate for _, is_mate in places].index(True)


def test_a_memory_mapped_gallery_in_float32_is_ranked_in_float32(tmp_path):
    probes, gallery, probe_ids, gallery_ids = random_case(3)
    np.save(tmp_path / "gallery.npy", gallery.astype(np.float32))
    stored = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    ranked = rank_probes(probes.astype(np.float32), stored, probe_ids, gallery_ids, dtype="float32")
    exact = rank_probes(probes, gallery, probe_ids, gallery_ids)
    np.testing.assert_array_equal(ranked.rank, exact.rank)
    np.testing.assert_allclose(ranked.mate_score, exact.mate_score, atol=1e-6)


def test_probes_without_a_mate_are_counted():
    with pytest.raises(DataError, match=r"probes 1, 2 \(2 of 3\) have no mate"):
        rank_probes(np.ones((3, 2)), np.ones((2, 2)), np.array([0, 9, -1]), np.array([0, -1]))


def test_no_probes_are_refused():
    with pytest.raises(DataError, match="no probes"):
        rank_probes(np.ones((0, 2)), np.ones((2, 2)), np.array([], dtype=int), np.array([0, 1]))


def test_identities_of_another_number_are_refused():
    with pytest.raises(DataError, match="gallery: 2 embeddings"):
        rank_probes(np.ones((1, 2)), np.ones((2, 2)), np.array([0]), np.array([0, 1, 2]))


def test_unusable_embeddings_are_named_with_their_side():
    with pytest.raises(DataError, match=r"gallery: rows 1 \(1 of 2\)"):
        rank_probes(np.ones((1, 2)), np.array([[1.0, 1.0], [np.nan, 1.0]]), np.array([0]), np.array([0, 1]))


def test_ranks_count_from_one():
    with pytest.raises(ValueError, match="count from 1"):
        share_within(np.array([1, 2]), [1, 0])


def test_identities_may_be_lists():
    assert rank_rates(np.eye(2), np.eye(2), [5, 6], [5, 6], [1]) == [1.0]
