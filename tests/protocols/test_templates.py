"""Pooling of templates against a loop over templates and media, scores of pairs against one dot product at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols import templates as module
from faceassay_protocols.templates import Templates, pool_templates, score_pairs

ROUNDING = {"float64": 1e-12, "float32": 1e-5}


def looped(features, template_ids, media_ids, flipped=None, detector_scores=None, keep_norm=True):
    """Pool as the public evaluation code describes it: template by template, medium by medium, image by image."""
    pooled = []
    for template in sorted(set(template_ids.tolist())):
        total = np.zeros(features.shape[1])
        for medium in sorted(set(media_ids[template_ids == template].tolist())):
            images = []
            for row in np.flatnonzero((template_ids == template) & (media_ids == medium)):
                image = features[row].astype(np.float64)
                if flipped is not None:
                    image = image + flipped[row]
                if not keep_norm:
                    image = image / np.sqrt(np.sum(image * image))
                if detector_scores is not None:
                    image = image * detector_scores[row]
                images.append(image)
            total += np.mean(images, axis=0)
        pooled.append(total / np.sqrt(np.sum(total * total)))
    return np.array(pooled)


def some_images(seed, images=60, templates=9, media=4, dimensions=5):
    rng = np.random.default_rng(seed)
    template_ids = rng.choice(np.sort(rng.choice(10_000, templates, replace=False)), images)
    features = rng.normal(size=(images, dimensions)).astype(np.float32) * rng.uniform(0.1, 30, (images, 1))
    return features.astype(np.float32), template_ids, rng.integers(0, media, images), rng


def some_templates(seed, templates=30, dimensions=6, span=900):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(templates, dimensions))
    ids = np.sort(rng.choice(span, templates, replace=False))
    return Templates(ids, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)), rng


def dots(templates, first_ids, second_ids):
    row = {int(number): at for at, number in enumerate(templates.ids)}
    pairs = zip(first_ids.tolist(), second_ids.tolist(), strict=True)
    return np.array([np.dot(templates.vectors[row[a]], templates.vectors[row[b]]) for a, b in pairs])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    at_a_time=st.sampled_from([1, 7, 512]),
    of_a_thread=st.sampled_from([1, 10, 2**15]),
    in_order=st.booleans(),
    flip=st.booleans(),
    detector=st.booleans(),
    keep_norm=st.booleans(),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_pooling_is_that_of_a_loop(seed, at_a_time, of_a_thread, in_order, flip, detector, keep_norm, dtype):
    features, template_ids, media_ids, rng = some_images(seed)
    template_ids = np.sort(template_ids) if in_order else template_ids
    options = {
        "flipped": rng.normal(size=features.shape).astype(np.float32) if flip else None,
        "detector_scores": rng.uniform(0.05, 1, len(features)) if detector else None,
        "keep_norm": keep_norm,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IMAGES_AT_A_TIME", at_a_time)
        patch.setattr(module, "IMAGES_OF_A_THREAD", of_a_thread)
        pooled = pool_templates(features, template_ids, media_ids, **options, dtype=dtype)
    np.testing.assert_array_equal(pooled.ids, sorted(set(template_ids.tolist())))
    assert (pooled.ids.dtype, pooled.vectors.dtype) == (np.int64, dtype)
    expected = looped(features, template_ids, media_ids, **options)
    # A template's images may nearly cancel out, which magnifies float32's rounding.
    np.testing.assert_allclose(pooled.vectors, expected, atol=ROUNDING[dtype] * 50)


def test_a_medium_counts_once_however_many_images_it_has():
    """Medium 7 has mean (2, 0), medium 9 is (0, 2); their sum points to (1, 1)."""
    features = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    pooled = pool_templates(features, np.array([5, 5, 5]), np.array([7, 7, 9]))
    np.testing.assert_allclose(pooled.vectors, [[np.sqrt(0.5), np.sqrt(0.5)]])


def test_a_medium_of_two_templates_is_averaged_in_each_alone():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    pooled = pool_templates(features, np.array([1, 2, 1]), np.array([4, 4, 8]))
    np.testing.assert_allclose(pooled.vectors, [[np.sqrt(0.5), np.sqrt(0.5)], [0.0, 1.0]])


def test_the_detector_score_weighs_images_after_the_norm_is_taken_away():
    features = np.array([[100.0, 0.0], [0.0, 1.0]])
    ids, media, weights = np.array([1, 1]), np.array([1, 2]), np.array([0.3, 0.4])
    pooled = pool_templates(features, ids, media, detector_scores=weights, keep_norm=False)
    np.testing.assert_allclose(pooled.vectors, [[0.6, 0.8]])


def test_an_image_that_weighs_nothing_still_counts_in_its_medium():
    """The medium of two images, one of weight zero, is (1, 0) halved; the other medium is (0, 1)."""
    features = np.array([[1.0, 0.0], [9.0, 9.0], [0.0, 1.0]])
    weights = np.array([1.0, 0.0, 1.0])
    pooled = pool_templates(features, np.array([1, 1, 1]), np.array([1, 1, 2]), detector_scores=weights)
    np.testing.assert_allclose(pooled.vectors, [np.array([0.5, 1.0]) / np.sqrt(1.25)])


def test_memory_mapped_embeddings_are_pooled_and_left_alone(tmp_path):
    features, template_ids, media_ids, _ = some_images(3)
    stored = np.memmap(tmp_path / "features", dtype=np.float32, mode="w+", shape=features.shape)
    stored[:] = features
    stored = np.memmap(tmp_path / "features", dtype=np.float32, mode="r", shape=features.shape)
    pooled = pool_templates(stored, template_ids, media_ids, flipped=stored, keep_norm=False)
    np.testing.assert_allclose(pooled.vectors, looped(features, template_ids, media_ids, features, None, False))
    np.testing.assert_array_equal(stored, features)


@pytest.mark.parametrize("keep_norm", [True, False])
def test_images_whose_embeddings_cannot_be_used_are_named(keep_norm):
    features, template_ids, media_ids, _ = some_images(0)
    names = [f"{number}.jpg" for number in range(len(features))]
    features[7, 0], features[41, 2] = np.nan, np.inf
    with pytest.raises(DataError, match=r"images 7\.jpg, 41\.jpg \(2 of 60\) hold NaN or infinity: .*embed them again"):
        pool_templates(features, template_ids, media_ids, names=names, keep_norm=keep_norm)
    features[[7, 41]] = 1
    features[3] = 0
    with pytest.raises(DataError, match=r"rows 3 \(1 of 60\) have length zero.*embed them again"):
        pool_templates(features, template_ids, media_ids, keep_norm=keep_norm)


def test_an_image_that_its_mirror_cancels_is_named():
    features = np.ones((3, 2), dtype=np.float32)
    flipped = np.array([[1, 1], [-1, -1], [1, 1]], dtype=np.float32)
    with pytest.raises(DataError, match=r"images b \(1 of 3\) have length zero"):
        pool_templates(features, np.array([1, 1, 1]), np.array([1, 2, 3]), flipped=flipped, names=["a", "b", "c"])


def test_templates_whose_images_all_weigh_nothing_are_named():
    weights = np.array([0.0, 1.0, 0.0, 0.0])
    with pytest.raises(DataError, match=r"templates 20, 40 \(2 of 3\) point nowhere.*restore.*\(adaface, tface\)"):
        pool_templates(np.ones((4, 2)), np.array([20, 30, 30, 40]), np.arange(4), detector_scores=weights)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_template_whose_images_cancel_out_up_to_rounding_is_named(dtype):
    images = np.random.default_rng(0).normal(size=(7, 64))
    features = np.vstack([images, -images.sum(axis=0), images[:1]])
    template_ids, media_ids = np.array([8] * 8 + [9]), np.zeros(9, dtype=int)
    with pytest.raises(DataError, match=r"templates 8 \(1 of 2\) point nowhere"):
        pool_templates(features, template_ids, media_ids, dtype=dtype)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_detector_scores_that_are_no_weights_are_named(weight):
    with pytest.raises(DataError, match=r"images b\.jpg \(1 of 2\) are negative, NaN or infinite.*restore their list"):
        pool_templates(
            np.ones((2, 2)),
            np.array([1, 1]),
            np.array([1, 2]),
            detector_scores=np.array([1.0, weight]),
            names=["a.jpg", "b.jpg"],
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"template_ids": np.ones(3, dtype=int)}, "4 embeddings, but 3 templates"),
        ({"media_ids": np.ones(5, dtype=int)}, "4 embeddings, but 5"),
        ({"detector_scores": np.ones(2)}, "4 embeddings, but 2"),
        ({"names": ["a"]}, "4 embeddings, but 1"),
        ({"flipped": np.ones((4, 3))}, r"\(4, 2\).*\(4, 3\)"),
    ],
)
def test_columns_of_another_length_are_refused(change, said):
    given = {"template_ids": np.ones(4, dtype=int), "media_ids": np.arange(4)} | change
    with pytest.raises(DataError, match=said):
        pool_templates(np.ones((4, 2)), **given)


def test_no_images_are_refused():
    with pytest.raises(DataError, match="no images"):
        pool_templates(np.ones((0, 2)), np.array([], dtype=int), np.array([], dtype=int))


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    pairs=st.integers(0, 400),
    ordered=st.booleans(),
    cells_per_pair=st.sampled_from([0, 1, 10**9]),
    scores_at_a_time=st.sampled_from([1, 70, 2**25]),
    pair_ids_at_a_time=st.sampled_from([3, 2**18]),
    span=st.sampled_from([0, 2**25]),
    id_dtype=st.sampled_from([np.int32, np.int64]),
)
def test_scores_are_dot_products_whatever_the_way(
    seed, pairs, ordered, cells_per_pair, scores_at_a_time, pair_ids_at_a_time, span, id_dtype
):
    """Sparse, dense and repeated lists, sorted and not, with a template on both sides; both ways to look ids up."""
    templates, rng = some_templates(seed)
    first, second = (rng.choice(templates.ids, pairs).astype(id_dtype) for _ in range(2))
    first = np.sort(first) if ordered else first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELLS_PER_PAIR", cells_per_pair)
        patch.setattr(module, "SCORES_AT_A_TIME", scores_at_a_time)
        patch.setattr(module, "PAIR_IDS_AT_A_TIME", pair_ids_at_a_time)
        patch.setattr(module, "LARGEST_SPAN", span)
        scores = score_pairs(templates, first, second)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, dots(templates, first, second), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cells_per_pair", [0, 10**9])
def test_a_grid_of_gallery_and_probes_is_scored_in_float32_on_request(monkeypatch, cells_per_pair):
    monkeypatch.setattr(module, "CELLS_PER_PAIR", cells_per_pair)
    templates, _ = some_templates(1)
    first, second = (ids.ravel() for ids in np.meshgrid(templates.ids[:8], templates.ids[8:], indexing="ij"))
    scores = score_pairs(templates, first, second, dtype="float32")
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, dots(templates, first, second), atol=1e-6)


def test_memory_mapped_pairs_are_scored(tmp_path):
    templates, rng = some_templates(2)
    pairs = rng.choice(templates.ids, (2, 50)).astype(np.int32)
    np.save(tmp_path / "pairs.npy", pairs)
    first, second = np.load(tmp_path / "pairs.npy", mmap_mode="r")
    np.testing.assert_allclose(score_pairs(templates, first, second), dots(templates, *pairs), atol=1e-12)


@pytest.mark.parametrize("span", [0, 2**25])
def test_pairs_of_unknown_templates_are_counted(monkeypatch, span):
    """Numbers below, between and above those that are known, on either side and on both."""
    monkeypatch.setattr(module, "LARGEST_SPAN", span)
    templates = Templates(np.array([10, 20, 30]), np.eye(3))
    first, second = np.array([10, 11, -5, 20, 2**40]), np.array([20, 20, 11, 30, 2**40])
    with pytest.raises(DataError, match=r"3 of 5 pairs name 3 templates without images: -5, 11, 1099511627776:"):
        score_pairs(templates, first, second)


def test_first_and_second_templates_of_different_number_are_refused():
    templates = Templates(np.array([10, 20]), np.eye(2))
    with pytest.raises(DataError, match=r"\(2,\) first and \(1,\) second"):
        score_pairs(templates, np.array([10, 20]), np.array([10]))


def test_pairs_may_be_lists():
    templates = pool_templates(np.eye(3), np.array([3, 10, 11]), np.array([1, 1, 1]))
    assert score_pairs(templates, [3, 10], [10, 10]).tolist() == [0, 1]
