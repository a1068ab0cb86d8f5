"""The threads that stages compute with: those of the BLAS are fixed as those of torch are, and put back."""

import numpy as np
import pytest
import scipy.linalg
import torch
from threadpoolctl import threadpool_info

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


def test_a_product_has_the_same_bytes_whatever_the_machine_has():
    left, right = (np.random.default_rng(seed).standard_normal((700, 512)) for seed in range(2))
    with fixed_threads(1):
        alone = left @ right.T
    with fixed_threads(2), fixed_threads(1):
        assert np.array_equal(left @ right.T, alone)
