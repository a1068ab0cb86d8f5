"""The bootstrap over identities: its value, its coverage, what is paired."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faceassay.assessment import resampling
from faceassay.assessment.resampling import class_mean, drawn_identities, image_mean, share


def test_a_class_mean_leaves_out_what_is_undefined():
    found = class_mean(np.array([1.0, np.nan, 3.0]))
    assert (found.value, found.n, found.interval.population) == (2.0, 2, "identities")
    assert 1 <= found.interval.low <= 2 <= found.interval.high <= 3


@pytest.mark.parametrize(("values", "n"), [([], 0), ([np.nan], 0), ([4.0], 1)])
def test_fewer_than_two_identities_have_no_interval(values, n):
    found = class_mean(np.array(values))
    assert (found.n, found.interval) == (n, None)
    assert math.isnan(found.value) == (n == 0)


def test_an_image_mean_is_the_mean_over_images():
    values, labels = np.array([1.0, 2, 3, 10, np.nan], np.float32), np.array([0, 0, 0, 2, 1])
    found = image_mean(values, labels, 3)
    assert (found.value, found.n) == (4.0, 4)
    assert found.interval.low < 4 < found.interval.high


def test_images_of_one_identity_vary_together():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(30), 20)
    values = rng.normal(size=30)[labels]
    clustered, apart = image_mean(values, labels, 30).interval, image_mean(values, np.arange(600), 600).interval
    assert (clustered.high - clustered.low) > 2.5 * (apart.high - apart.low)  # sqrt(20) times


def test_the_width_is_that_of_theory():
    values = np.random.default_rng(1).normal(size=400)
    interval = class_mean(values).interval
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_about_95_of_100_intervals_hold_the_truth(monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 300)
    rng = np.random.default_rng(2)
    intervals = [class_mean(rng.exponential(size=60)).interval for _ in range(200)]
    assert 0.88 <= np.mean([one.low <= 1 <= one.high for one in intervals]) <= 0.98


def test_equally_many_identities_are_drawn_alike_and_replicates_differ():
    first, again, other = (np.array([*drawn_identities(50, stream)]) for stream in (0, 0, 1))
    assert first.shape == (resampling.REPLICATES, 50)
    assert (first == again).all()
    assert (first[0] != first[1]).any()
    assert (first != other).any()


def test_a_share_has_wilson_s_limits():
    found = share(5, 100)
    assert found.value == 0.05
    assert (found.interval.low, found.interval.high) == pytest.approx((0.02154368, 0.11175047), abs=1e-7)
    assert math.isnan(share(0, 0).value)
