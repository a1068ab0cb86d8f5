"""AugGen's search within a run of a matrix, with a trained generator and a trained recognizer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay.execute import Order
from faceassay.expand import expand
from faceassay.inputs import open_artifact
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.store import Store
from matrices import changed, write_faces

SEARCH = "alpha: null, beta: null, search_pairs: 4, search_images: 2, search_grid: [0.5, 0.7]"
SEARCHING = changed(
    ("seeds: [0]", "seeds: [0, 1]"),
    ("plugin: blend, pairs: 3", "plugin: blend, selection: dist-embedding-cosine, max_uses: 2, pairs: 3"),
    ("plugin: scoremix, pairs: 3", f"plugin: auggen, {SEARCH}, pairs: 3"),
)
"""A search for the last row, a selection by distance for another."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searching")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FACEASSAY_CACHE", str(folder / "cache"))
        write_faces(folder)
        (folder / "matrix.yaml").write_text(SEARCHING)
        graph, store = expand(read_matrix(folder / "matrix.yaml", load_plugins())), Store.open(folder / "store")
        wanted = [stage for stage in graph.stages.values() if stage.kind in ("search", "plan")]
        needed = {stage.digest: stage for one in wanted for stage in (*list(graph.ancestors(one))[::-1], one)}
        errors = [Order(stage, store.root)().error for stage in needed.values()]
        yield errors, graph, store


def test_nothing_fails(finished):
    assert set(finished[0]) == {None}


def of(finished, kind, name=""):
    _, graph, store = finished
    found = [stage for stage in graph.stages.values() if stage.kind == kind and name in stage.title]
    return [(stage, open_artifact(stage, store)) for stage in found]


def test_the_plans_of_both_seeds_have_the_weights_that_one_search_found(finished):
    [(_, document)] = of(finished, "search")
    plans = [stored.plan for _, stored in of(finished, "plan", "auggen")]
    assert len(plans) == 2
    for plan in plans:
        assert np.unique(plan.weights, axis=0).tolist() == [[document["alpha"], document["beta"]]]


def test_the_record_counts_the_evaluations_of_the_search(finished):
    [(stage, document)] = of(finished, "search")
    record = finished[2].record(stage.kind, stage.digest)
    classes = record["cost"]["network_evaluations"] / (2 * (2 * 2 - 1) * 2) - 4 * 4
    assert 4 <= classes <= 6  # four pairs of six people touch four of them at least
    assert len(json.dumps(document)) > 0


def test_the_pairs_are_the_farthest_of_the_recognizers_centres(finished):
    from faceassay_plugins.selection import select_pairs

    for stage, stored in of(finished, "plan", "blend"):
        centres = open_artifact(stage.inputs["recognizer"], finished[2]).class_centres()
        assert np.array_equal(stored.plan.sources[::2], select_pairs(centres, 3, max_uses=2))
        assert stored.degrees.tolist() == np.bincount(stored.plan.sources[::2].ravel(), minlength=6).tolist()
