"""The threads that stages compute with: those of the BLAS are fixed as those of torch are, and put back."""

import numpy as np
import pytest
import scipy.linalg
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import tiny_matrix as tiny
from faceassay import execute
from faceassay.store import Store
from faceassay.threads import fixed_threads


def of_blas():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_blas_and_torch_compute_with_as_many_threads_as_are_said():
    assert np.ones(1) @ np.ones(1) == scipy.linalg.norm(np.ones(1))
    before = of_blas(), torch.get_num_threads()
    with fixed_threads(3):
        assert set(of_blas()) == {3}
        assert torch.get_num_threads() == 3
    assert (of_blas(), torch.get_num_threads()) == before


def test_torch_is_left_alone_where_it_is_not_used():
    before = torch.get_num_threads()
    with fixed_threads(before + 1, with_torch=False):
        assert torch.get_num_threads() == before


def test_threads_are_put_back_after_an_error():
    before = of_blas()
    with pytest.raises(ZeroDivisionError), fixed_threads(1):
        1 / 0  # noqa: B018
    assert of_blas() == before


def test_a_product_has_the_same_bytes_whatever_the_machine_offers():
    left, right = (np.random.default_rng(seed).standard_normal((700, 512)) for seed in range(2))
    products = []
    for offered in (1, 2, 3):
        with threadpool_limits(offered, user_api="blas"), fixed_threads(1):
            products.append((left @ right.T).tobytes())
    assert len(set(products)) == 1


def test_a_stage_that_uses_no_torch_computes_with_one_thread(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    seen, compute = {}, execute._compute

    def watched(order, store, context):
        seen.setdefault(order.stage.kind, set()).update(of_blas())
        compute(order, store, context)

    monkeypatch.setattr(execute, "_compute", watched)
    graph = tiny.graph_of()[1]
    with threadpool_limits(3, user_api="blas"):
        assert tiny.run(graph, Store.open(tmp_path / "store")) == {}
    assert seen["evaluation"] == {1}
    assert seen["recognizer"] == {stage.threads for stage in graph.stages.values() if stage.kind == "recognizer"}
