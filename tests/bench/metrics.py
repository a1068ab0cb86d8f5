"""The metrics at the sizes of the real benchmarks; the embeddings are made up."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from made_up_embeddings import GENUINE, PAIRS, ijbc, tinyface, verification_pairs
from measuring import GIB, Measured, alternated, faster, memory, peak_above_inputs, slower, timed

from faceassay_protocols.identification import rank_rates
from faceassay_protocols.roc import operating_points
from faceassay_protocols.templates import pool_templates, score_pairs
from faceassay_protocols.verification import pair_distances, ten_fold_accuracy

FPRS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NOTES = f"""\
- Pairs: the reference tries 400 thresholds in each of ten folds, one after another.
- IJB-C: 469,375 images of two views to 23,124 templates to {PAIRS:,} scores to TAR at 1e-6 to 1e-1, rule `nearest`;
  the reference is the one dense product of 3,531 gallery and 19,593 probe templates in the same precision.
  `separated`: no genuine pair scores below an impostor, so that ties alone keep points on the thinned curve.
- Pairs of any templates: the reference gathers 100,000 pairs at a time, multiplies and sums.
- TinyFace: 3,728 probes, 157,871 gallery images; the reference is their bare product in the same precision, in
  blocks of 1,024 into one array (in one piece it is slower: 2.4 GB of scores are written).
"""


def pairs() -> Measured:
    """Measure pair verification against one threshold after another."""
    embeddings, flipped, is_same = verification_pairs()
    ours, reference = alternated(
        lambda: ten_fold_accuracy(pair_distances(embeddings, flipped), is_same).mean,
        lambda: one_threshold_after_another(embeddings, flipped, is_same),
        repeats=15,
    )
    work = "6,000 pairs: distances, ten folds"
    return faster(work, ours, reference, at_least=5)


def ijbc_tar(dtype: str, order: str, at_most: float, separated: bool = False) -> Measured:
    """Measure IJB-C from embeddings of both views to TAR at six rates against one gallery by probes product."""
    data = ijbc(order=order, separated=separated)

    def evaluate() -> object:
        pooled = pool_templates(
            data.embeddings,
            data.template_ids,
            data.media_ids,
            flipped=data.flipped,
            detector_scores=data.detector_scores,
            keep_norm=False,
            dtype=dtype,
        )
        scores = score_pairs(pooled, data.first_ids, data.second_ids, dtype=dtype)
        return operating_points(scores, data.is_same, FPRS, rule="nearest")

    peak = peak_above_inputs(evaluate)
    vectors = np.random.default_rng(1).standard_normal((len(data.gallery) + len(data.probes), 512)).astype(dtype)
    gallery, probes = np.split(vectors, [len(data.gallery)])
    ours, reference = alternated(evaluate, lambda: gallery @ probes.T, repeats=5)
    work = f"IJB-C, {dtype}, pairs {'in file order' if order == 'file' else order}{', separated' * separated}"
    return slower(work, ours, reference, 4, peak, int(at_most * GIB), "above the inputs")


def any_templates(dtype: str, count: int) -> Measured:
    """Measure scores of pairs of any two templates against gathering 100,000 pairs at a time."""
    data = ijbc(order="any")
    first, second = data.first_ids[:count], data.second_ids[:count]
    pooled = pool_templates(data.embeddings, data.template_ids, data.media_ids, dtype=dtype)
    peak = peak_above_inputs(lambda: score_pairs(pooled, first, second, dtype=dtype))
    ours, reference = alternated(
        lambda: score_pairs(pooled, first, second, dtype=dtype),
        lambda: gathered(pooled, first, second),
        repeats=1,
    )
    work = f"scores of {count:,} pairs of any templates, {dtype}"
    return faster(work, ours, reference, 1, peak, "above the inputs")


def tiny(dtype: str, at_most: float | None) -> Measured:
    """Measure rank-k identification at the size of TinyFace against the product of probes and gallery."""
    probes, gallery, probe_ids, gallery_ids = tinyface()
    rates = partial(rank_rates, probes, gallery, probe_ids, gallery_ids, (1, 5, 20), dtype=dtype)
    rates()
    peak = memory("VmHWM")
    converted, columns = probes.astype(dtype), gallery.astype(dtype).T
    scores = np.empty((len(probes), 1024), dtype=dtype)

    def product() -> None:
        for start in range(0, columns.shape[1] - 1023, 1024):
            np.matmul(converted, columns[:, start : start + 1024], out=scores)

    ours, reference = alternated(rates, product, repeats=3)
    limit = int(at_most * GIB) if at_most else None
    return slower(f"TinyFace rank 1, 5, 20, {dtype}", ours, reference, 1.5, peak, limit, "in all")


def pair_file() -> Measured:
    """Measure the second opening of IJB-C's list of pairs against the first, which parses it."""
    from pyarrow import csv, table

    from faceassay_protocols.readers.columns import read_columns
    from faceassay_protocols.readers.ijb_meta import KEPT_IN
    from faceassay_protocols.readers.ijb_meta import PAIRS as LAYOUT
    from faceassay_protocols.readers.tree import open_tree

    rng = np.random.default_rng(0)
    lists = {"first": np.sort(rng.integers(1, 9_999, PAIRS)), "second": rng.integers(10_000, 187_955, PAIRS)}
    lists["label"] = (rng.permutation(PAIRS) < GENUINE).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACEASSAY_CACHE"] = f"{folder}/cache"
        written = Path(folder, "pairs.txt")
        style = csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
        csv.write_csv(table(lists), written, style)
        opened = []

        def open_list() -> None:
            opened.append(read_columns(open_tree(Path(folder)), written.name, LAYOUT, kept_in=KEPT_IN))

        parsing = timed(open_list)
        opening = min(timed(open_list) for _ in range(3))
        assert all(np.array_equal(opened[-1][title], column) for title, column in lists.items())
        assert isinstance(opened[-1]["first"], np.memmap)
    work = f"list of {PAIRS:,} pairs: second opening, beside the first"
    return Measured(work, opening, parsing, f"{parsing / opening:.0f}x faster", "under 0.1 s", opening < 0.1, None)


CASES: Mapping[str, Callable[[], Measured]] = {
    "pairs": pairs,
    "ijbc-float32-file": partial(ijbc_tar, "float32", "file", 1.0),
    "ijbc-float32-shuffled": partial(ijbc_tar, "float32", "shuffled", 1.0),
    "ijbc-float64-file": partial(ijbc_tar, "float64", "file", 1.5),
    "ijbc-float64-shuffled": partial(ijbc_tar, "float64", "shuffled", 1.5),
    "ijbc-float64-separated": partial(ijbc_tar, "float64", "file", 1.5, separated=True),
    "any-float64": partial(any_templates, "float64", PAIRS),
    "any-few-float64": partial(any_templates, "float64", 1_000_000),
    "any-few-float32": partial(any_templates, "float32", 1_000_000),
    "tinyface-float32": partial(tiny, "float32", 1.5),
    "tinyface-float64": partial(tiny, "float64", None),
    "pair-file": pair_file,
}


def one_threshold_after_another(embeddings, flipped, is_same):
    """Return mean accuracy: in each fold try 400 thresholds on the other folds, apply the first best to the fold."""
    total = embeddings.astype(np.float64) + flipped
    unit = total / np.linalg.norm(total, axis=1, keepdims=True)
    distances = np.square(unit[0::2] - unit[1::2]).sum(axis=1)
    thresholds, accuracies = np.arange(0, 4, 0.01), []
    for test in np.array_split(np.arange(len(distances)), 10):
        train = np.delete(np.arange(len(distances)), test)
        on_train = [accuracy(distances[train], is_same[train], threshold) for threshold in thresholds]
        accuracies.append(accuracy(distances[test], is_same[test], thresholds[np.argmax(on_train)]))
    return np.mean(accuracies)


def accuracy(distances, is_same, threshold):
    called_same = distances < threshold
    return (np.sum(called_same & is_same) + np.sum(~called_same & ~is_same)) / len(distances)


def gathered(pooled, first_ids, second_ids):
    row_of = np.zeros(pooled.ids[-1] + 1, dtype=np.int64)
    row_of[pooled.ids] = np.arange(len(pooled.ids))
    scores = np.empty(len(first_ids), dtype=pooled.vectors.dtype)
    for start in range(0, len(first_ids), 100_000):
        part = slice(start, start + 100_000)
        first, second = pooled.vectors[row_of[first_ids[part]]], pooled.vectors[row_of[second_ids[part]]]
        scores[part] = np.sum(first * second, axis=1)
    return scores
