"""The distance of two distributions, against scipy's and against shifts known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from faceassay.assessment import distribution
from faceassay.assessment.distribution import Sample, halves, wasserstein


def sample(values, labels=None):
    values = np.asarray(values, np.float32)
    labels = np.arange(len(values)) if labels is None else np.asarray(labels)
    return Sample.known(values, labels, int(labels.max()) + 1)


def test_the_distance_is_scipy_s():
    rng = np.random.default_rng(0)
    first, second = sample(rng.normal(size=40).round(1)), sample(rng.normal(1, 2, 25).round(1))
    assert wasserstein(first, second).value == pytest.approx(wasserstein_distance(first.values, second.values))


def test_a_shift_is_at_its_own_distance():
    values = np.random.default_rng(0).normal(size=30)
    assert wasserstein(sample(values), sample(values + 2)).value == pytest.approx(2, rel=1e-6)


def test_replicates_are_the_distances_of_resampled_identities(monkeypatch):
    drawn = [np.array([0, 0, 2]), np.array([1, 1])]
    monkeypatch.setattr(distribution, "drawn_identities", lambda count, stream: [drawn[stream]])
    first, second = sample([1, 2, 5, 9, 11], [0, 0, 1, 2, 2]), sample([3, 4, 8], [0, 1, 1])
    wanted = wasserstein_distance([1, 2, 1, 2, 9, 11], [4, 8, 4, 8])
    assert wasserstein(first, second).replicates.tolist() == pytest.approx([wanted])


def test_a_draw_without_known_values_is_undefined(monkeypatch):
    monkeypatch.setattr(distribution, "drawn_identities", lambda count, stream: [np.zeros(count, np.int64)])
    found = wasserstein(sample([np.nan, 2], [0, 1]), sample([1, 1], [0, 1]))
    assert found.value == 1
    assert np.isnan(found.replicates).all()


def test_unknown_values_are_left_out():
    values = np.array([1, np.nan, 3], np.float32)
    known = Sample.known(values, np.array([0, 1, 2]), 3)
    assert (known.values.tolist(), known.labels.tolist(), known.classes) == ([1, 3], [0, 2], 3)
    assert known.quantiles()[2] == 2
    assert known.deviation() == pytest.approx(math.sqrt(2))


def test_halves_of_one_distribution_are_near_each_other():
    values = np.random.default_rng(0).normal(size=2000)
    assert 0 < halves(sample(values, np.arange(2000) // 4)) < 0.2


def test_a_single_identity_has_no_halves():
    assert math.isnan(halves(sample([1, 2], [0, 0])))


@pytest.mark.parametrize("turned", [False, True])
def test_a_distance_from_the_images_of_one_identity_has_no_replicates(turned):
    both = [sample([1, 2, 5], [0, 0, 0]), sample([3, 4, 8], [0, 1, 1])]
    found = wasserstein(*(both[::-1] if turned else both))
    assert found.value == pytest.approx(wasserstein_distance([1, 2, 5], [3, 4, 8]))
    assert np.isnan(found.replicates).all()
